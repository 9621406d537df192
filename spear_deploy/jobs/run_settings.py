"""How a run made its network and integers, as its report.json says: so that they can be made again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.errors import RunError
from spear_deploy.hardware import Profile
from spear_deploy.jobs.deploy.recorded import target_from
from spear_deploy.report import Report
from spear_deploy.report.file_names import REPORT
from spear_deploy.report.reading import read_run

NETWORK = "pruned.pt"


@dataclass(frozen=True)
class RunSettings:
    """What a run was made with.

    Attributes:
        model: the file of the network: the delivered one, unless another of the run's is asked for.
        target: the chip, with the figures that it had then, or its name where an older report has no more.
        data_sha256: of samples and labels.
        seed: of the encoding.
        weight_bits: of each layer that the report names.
        file_format: whose integers were chosen; None for all of the chip's.

    """

    model: Path
    target: Profile | str
    data_sha256: str
    seed: int
    weight_bits: WeightBits
    file_format: str | None

    @property
    def chip_name(self) -> str:
        """The chip, as it is called."""
        return self.target.name if isinstance(self.target, Profile) else self.target


def run_settings(folder: Path) -> RunSettings:
    """The settings of a run folder.

    Raises:
        RunError: the folder holds no network, or no report that can be read.

    """
    model, report = folder / NETWORK, read_run(folder).report
    if not model.is_file() or report is None:
        missing = REPORT if report is None else NETWORK
        raise RunError(f"{folder}: no run folder with a sound {missing}; give the folder of a run, or a model file")
    return _settings(model, report)


def settings_around(model: Path) -> RunSettings | None:
    """The settings of the run in whose folder a network lies; None where that is no run's."""
    report = read_run(model.parent).report if (model.parent / NETWORK).is_file() else None
    return None if report is None else _settings(model, report)


def _settings(model: Path, report: Report) -> RunSettings:
    return RunSettings(
        model,
        judged_for(report),
        report.data_sha256,
        report.seed,
        run_weight_bits(report),
        report.file_format,
    )


def judged_for(report: Report) -> Profile | str:
    """The chip of a run with the figures that it had then, or its name where an older report has no more."""
    return target_from(report.request, report.target) or report.target


def run_weight_bits(report: Report) -> WeightBits:
    """The bits that each layer's weights had in a run."""
    named = {each.layer: each.weight_bits for each in report.rounding if each.weight_bits is not None}
    return WeightBits(max(named.values(), default=None), named)
