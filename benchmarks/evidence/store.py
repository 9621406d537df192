"""Raw results, one JSON file each: what is there is not made again."""

from __future__ import annotations

import json
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

Json = dict[str, Any]


@dataclass(frozen=True)
class Unit:
    """A piece of evidence: `run(setting, **arguments)` gives its result."""

    experiment: str
    run: Callable[..., Json]
    arguments: Json

    @property
    def name(self) -> str:
        """Names its file."""
        return "-".join(str(value).replace("%", "pct").replace("/", "_") for value in self.arguments.values()) or "all"

    def path(self, raw: Path) -> Path:
        """Where its result stands."""
        return raw / self.experiment / f"{self.name}.json"

    def gather(self, setting: Any, raw: Path) -> None:
        """Run it and write what it gave, unless that is there already."""
        path = self.path(raw)
        if path.is_file():
            return
        start = time.monotonic()
        result = self.run(setting, **self.arguments)
        content = {
            "experiment": self.experiment,
            "setting": setting.name,
            "arguments": self.arguments,
            "date": datetime.now(UTC).date().isoformat(),
            "seconds": round(time.monotonic() - start, 1),
            "versions": {"python": platform.python_version()}
            | {name: version(name) for name in ("spear-deploy", "torch", "numpy", "nir")},
            "result": result,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        working = path.with_suffix(".partial")
        working.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
        working.replace(path)


def gather(setting: Any, raw: Path, unit: Unit) -> str:
    """Run a unit in a worker process."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    warnings.filterwarnings("ignore", category=UserWarning)
    unit.gather(setting, raw)
    return f"{unit.experiment} {unit.name}"


def results(raw: Path, experiment: str) -> list[Json]:
    """Everything that was gathered of an experiment: arguments (once more as `asked`) and result in one dictionary."""
    found = []
    for path in sorted((raw / experiment).glob("*.json")):
        content = json.loads(path.read_text())
        about = {key: content[key] for key in ("seconds", "date")} | {"asked": content["arguments"]}
        found.append(content["arguments"] | content["result"] | about)
    return found
