"""What a run has before its report is written, saved when its end fails."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spear_deploy.jobs.deploy.search import Pruned
from spear_deploy.measure import Measurement
from spear_deploy.network import save_model_file
from spear_deploy.report.file_names import PLAIN
from spear_deploy.system.files import keep_incomplete
from spear_deploy.targets.target import Target

NETWORK = "pruned.pt"
MEASURED = "measured.json"


class Unfinished:
    """The networks that were found for a target, and what was measured of the pruned one so far."""

    def __init__(self, pruned: Pruned, target: Target) -> None:
        self._networks = {NETWORK: pruned.model, PLAIN: pruned.plain}
        self._measured: dict[str, Any] = {}
        self.note(f"validation, on {target.chip.name}", pruned.choice.winner.result.validation)

    def note(self, what: str, measurement: Measurement) -> None:
        """A measurement that is not to be lost."""
        self._measured[what] = {
            "samples": measurement.samples,
            "accuracy": measurement.accuracy,
            "synops": measurement.synops,
            "layers": {name: asdict(layer) for name, layer in measurement.layers.items()},
        }

    def keep(self, working: Path) -> str:
        """Save it beside the place of the run, or where there is room; says where."""
        return keep_incomplete(working, self._write)

    def _write(self, folder: Path) -> None:
        for name, model in self._networks.items():
            save_model_file(model, folder / name)
        (folder / MEASURED).write_text(json.dumps(self._measured, indent=2) + "\n", encoding="utf-8")
