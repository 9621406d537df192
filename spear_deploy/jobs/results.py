"""What the verbs give in Python: values, which are written into folders where somebody asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spear_deploy.backends.fixed_point.quantized import QuantizedNetwork
from spear_deploy.errors import OutputError, briefly
from spear_deploy.exporting import ExportEntry
from spear_deploy.network import Model
from spear_deploy.report import Report
from spear_deploy.report.front import unbeaten
from spear_deploy.system.files import complete_or_nothing


@dataclass(frozen=True)
class DeployResult:
    """A network that was pruned for a chip.

    Attributes:
        model: the pruned network.
        report: what was predicted and measured, and the verdict.
        integers: what the chip computes in, on which the verdict rests; None in floating point.
        files: what the command line writes into a run folder, by their paths in it.

    """

    model: Model
    report: Report
    integers: QuantizedNetwork | None
    files: Mapping[str, bytes]

    @briefly
    def save(self, folder: str | Path, *, force: bool = False) -> None:
        """Write the run folder, whole or not at all.

        Raises:
            OutputError: it exists already (without `force`), or cannot be written.

        """
        write_files(self.files, folder, force=force)


@dataclass(frozen=True)
class Front:
    """A network that was pruned for several budgets, several chips, or both.

    Attributes:
        results: by the folder that the command line writes each into, such as `30pct`, `loihi2` or `loihi2/30pct`, and
            `.` for a single one.
        left_out: why there is no result, likewise by its folder, as of a chip that cannot run the network.

    """

    results: Mapping[str, DeployResult]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def unbeaten(self) -> tuple[str, ...]:
        """Those that are OK, and that no other one that is OK on the same chip beats in SynOps and accuracy."""
        found = unbeaten({place: result.report for place, result in self.results.items()})
        return tuple(place for place in self.results if place in found)

    @briefly
    def save(self, folder: str | Path, *, force: bool = False) -> None:
        """Write all run folders below one, whole or not at all; see `DeployResult.save`."""
        every = {
            f"{place}/{name}": content for place, one in self.results.items() for name, content in one.files.items()
        }
        write_files(every, folder, force=force)


@dataclass(frozen=True)
class Exported:
    """A model in other formats.

    Attributes:
        files: by their names, with the record of their proof, `export.json`.
        entries: what was written, or refused, and how it was proven; one a format.

    """

    files: Mapping[str, bytes]
    entries: tuple[ExportEntry, ...]

    @briefly
    def save(self, folder: str | Path, *, force: bool = False) -> None:
        """Write the files into a new folder, all or none; see `DeployResult.save`."""
        write_files(self.files, folder, force=force)


def files_of(folder: Path) -> dict[str, bytes]:
    """All files of a folder, by their paths in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def write_files(files: Mapping[str, bytes], folder: str | Path, *, force: bool) -> None:
    """Write a folder of files, whole or not at all.

    Raises:
        OutputError: it exists already (without `force`), or cannot be written.

    """
    if not isinstance(folder, str | Path):
        raise OutputError(f"results go to the path of a folder, found {type(folder).__name__}")
    folder = Path(folder)
    with complete_or_nothing(folder, force=force) as working:
        for name, content in files.items():
            path = working / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
