"""What users ask of `export`, and what stands for what they leave unsaid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.hardware import Profile
from spear_deploy.jobs.chips import chip_of
from spear_deploy.jobs.data_place import data_for
from spear_deploy.jobs.progress import Progress
from spear_deploy.jobs.run_settings import run_settings, settings_around
from spear_deploy.jobs.task import load_model
from spear_deploy.network import Reading


@dataclass(frozen=True)
class ExportRequest:
    """What the user asked for.

    Attributes:
        model: the model file, or the folder of a run; a run's settings stand for what is not given, of a file in its
            folder too.
        formats: names of exporters or of families of them.
        out: the folder of the files.
        reading: what the model file leaves unsaid.
        data: to prove the files on, and to choose integers on; by default what the model names.
        target: the chip whose integers are held, or its name or TOML file; by default the run's, else
            `DEFAULT_TARGET`.
        weight_bits: fewer bits than the chip's; None for those, or those of the run.
        file_format: choose the integers among those that this format can hold; see `FILE_FORMATS`.
        adapt: whether what the chip forbids is converted.
        seed: of the encoding of the samples; None for 0, or that of the run.
        verify: whether each file is run and compared.
        options: of the exporters, by the names that they declare.
        lava_python: an interpreter that has Lava; None for this one.
        force: whether existing files may be replaced.

    """

    model: Path
    formats: tuple[str, ...]
    out: Path
    reading: Reading = field(default_factory=Reading)
    data: str | None = None
    target: Profile | str | None = None
    weight_bits: WeightBits | None = None
    file_format: str | None = None
    adapt: bool = False
    seed: int | None = None
    verify: bool = True
    options: Mapping[str, object] = field(default_factory=dict)
    lava_python: Path | None = None
    force: bool = False


def as_run_made(request: ExportRequest, progress: Progress) -> ExportRequest:
    """The request about a run's network, with the run's settings where it names none; bits are those of the run's chip.

    For another chip they are that one's own, and so is the file format.
    """
    run = run_settings(request.model) if request.model.is_dir() else settings_around(request.model)
    if run is None:
        return request
    target = request.target or run.target
    chip = run.chip_name if request.target is None else chip_of(request.target).name
    another = chip != run.chip_name
    says = f"made for {run.chip_name}, written for {chip}" if another else f"as its report.json says, for {chip}"
    progress.notice(f"{request.model}: {says}")
    if (
        request.data is not None
        and data_for(load_model(run.model, reading=request.reading), request.data).given_sha256 != run.data_sha256
    ):
        progress.notice(f"{request.data}: other data than those of the run, so that integers chosen on them may differ")
    return replace(
        request,
        model=run.model,
        target=target,
        weight_bits=request.weight_bits or (None if another else run.weight_bits),
        file_format=request.file_format or (None if another else run.file_format),
        seed=run.seed if request.seed is None else request.seed,
    )
