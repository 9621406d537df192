"""Raw results, one JSON file each: what is there is not made again, and what is not is made by many at once."""

from __future__ import annotations

import argparse
import json
import platform
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from spear_deploy.system.cluster import joined
from spear_deploy.system.executors import Processes

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

    def made(self, setting: Any) -> Json:
        """Run it: what it gave, and what that came of."""
        start = time.monotonic()
        result = self.run(setting, **self.arguments)
        return {
            "experiment": self.experiment,
            "setting": setting.name,
            "arguments": self.arguments,
            "date": datetime.now(UTC).date().isoformat(),
            "seconds": round(time.monotonic() - start, 1),
            "versions": {"python": platform.python_version()}
            | {name: version(name) for name in ("spear-deploy", "torch", "numpy", "nir")},
            "result": result,
        }

    def write(self, content: Json, raw: Path) -> None:
        """Keep what came of it, whole or not at all."""
        path = self.path(raw)
        path.parent.mkdir(parents=True, exist_ok=True)
        working = path.with_suffix(".partial")
        working.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
        working.replace(path)


@dataclass(frozen=True)
class Hands:
    """Who makes evidence.

    Attributes:
        processes: of this machine; one is this process.
        ray: machines that do it instead, as `spear-deploy --ray` names them. They need this checkout and the data in
            the same places, and its folder in `PYTHONPATH`.

    """

    processes: int = 1
    ray: str | None = None

    @classmethod
    def add_to(cls, parser: argparse.ArgumentParser, processes: int = 1) -> None:
        """Let a command ask for them."""
        parser.add_argument("--processes", type=int, default=processes, help="of this machine")
        parser.add_argument("--ray", help="machines of a Ray cluster instead: auto, or its address")

    @classmethod
    def of(cls, options: argparse.Namespace) -> Hands:
        """Those that were asked for."""
        return cls(options.processes, options.ray)

    def gather(self, setting: Any, raw: Path, units: Sequence[Unit]) -> None:
        """Make what is missing of units that need nothing of each other; each is kept, and told, as it comes."""
        missing = [unit for unit in units if not unit.path(raw).is_file()]
        for done, (place, content) in enumerate(self._made(setting, missing), 1):
            missing[place].write(content, raw)
            print(f"{done}/{len(missing)} {missing[place].experiment} {missing[place].name}", flush=True)

    def _made(self, setting: Any, missing: Sequence[Unit]) -> Iterator[tuple[int, Json]]:
        """What comes of each unit, with its place."""
        if not missing or (self.ray is None and self.processes == 1):
            yield from enumerate(map(_makes(setting), missing))
            return
        with (
            nullcontext(Processes(self.processes)) if self.ray is None else joined(self.ray) as executor,
            executor.pool(_makes, setting) as pool,
        ):
            yield from pool.run(missing)


def _makes(setting: Any) -> Callable[[Unit], Json]:
    """Begin the work of a process."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    warnings.filterwarnings("ignore", category=UserWarning)
    return lambda unit: unit.made(setting)


def results(raw: Path, experiment: str) -> list[Json]:
    """Everything that was gathered of an experiment: arguments (once more as `asked`) and result in one dictionary."""
    found = []
    for path in sorted((raw / experiment).glob("*.json")):
        content = json.loads(path.read_text())
        about = {key: content[key] for key in ("seconds", "date")} | {"asked": content["arguments"]}
        found.append(content["arguments"] | content["result"] | about)
    return found
