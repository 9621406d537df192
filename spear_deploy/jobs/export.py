"""The job of `export`: load, choose the chip's integers where a file holds them, write, prove."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor

from spear_deploy.backends.backend import CALIBRATION_SAMPLES
from spear_deploy.backends.fixed_point.chip_format import format_of
from spear_deploy.backends.fixed_point.host import split_first_layer
from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.backends.registry import arithmetic_of
from spear_deploy.data import Dataset, EncodedSplit, SplitName
from spear_deploy.errors import BackendError, DataError, ExportError, OutputError, SpearDeployError
from spear_deploy.exporting import (
    Export,
    ExportEntry,
    Exporter,
    JudgedIntegers,
    check_options,
    export_model,
    exporter,
    family,
    sample_inputs,
    samples_to_prove,
)
from spear_deploy.exporting import Option as Option
from spear_deploy.exporting import available as available
from spear_deploy.exporting import options as options
from spear_deploy.exporting.bundle import is_bundle, write_bundle
from spear_deploy.exporting.record import DataRecord
from spear_deploy.hardware import Profile
from spear_deploy.hardware.chip.profile_files import profile_text
from spear_deploy.jobs.chips import chip_of
from spear_deploy.jobs.data_place import data_for, find_data, place_of
from spear_deploy.jobs.progress import Progress
from spear_deploy.jobs.run_settings import run_settings
from spear_deploy.jobs.task import Task, load_model
from spear_deploy.jobs.torch_settings import torch_settings
from spear_deploy.network import Model, Reading
from spear_deploy.system.files import replaced_when_complete
from spear_deploy.system.locks import locked
from spear_deploy.targets.adapt import CALIBRATION_SAMPLES as CONVERSION_SAMPLES
from spear_deploy.targets.adapt import Adapted, adapt

DEFAULT_TARGET = "loihi2"
BUNDLED = ("nir", "onnx", "lava", "netx")


@dataclass(frozen=True)
class ExportRequest:
    """What the user asked for.

    Attributes:
        model: the model file, or the folder of a run, whose settings then stand for what is not given.
        formats: names of exporters or of families of them.
        out: the folder of the files.
        reading: what the model file leaves unsaid.
        data: to prove the files on, and to choose integers on; by default what the model names.
        target: the chip whose integers are held, or its name or TOML file; `DEFAULT_TARGET` where none is named.
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


@dataclass(frozen=True)
class _Subject:
    """What is exported: the network, or what of it the chip runs, and its samples.

    Attributes:
        model: it.
        inputs: to prove files on `[T, B, *input_shape]`.
        inputs_name: what they are.
        train: to choose integers on; None where there is no data.
        missing: why there is none.
        calibration: what `train` is.

    """

    model: Model
    inputs: Tensor
    inputs_name: str
    train: EncodedSplit | None
    missing: str
    calibration: str


@dataclass(frozen=True)
class Format:
    """What a model can be written in.

    Attributes:
        name: of the exporter.
        package: that offers it.
        suffix: of its files.
        says: what it is.
        fault: why it cannot be used; empty where it can.

    """

    name: str
    package: str
    suffix: str = ""
    says: str = ""
    fault: str = ""


def formats() -> list[Format]:
    """All formats, those of other packages among them."""
    found = []
    for name, entry in available().items():
        package = entry.dist.name if entry.dist is not None else "unknown"
        try:
            made = exporter(name)
        except ExportError as error:
            found.append(Format(name, package, fault=str(error)))
        else:
            found.append(Format(name, package, made.suffix, made.says))
    return found


@torch_settings(flush=False)
def run_export(request: ExportRequest, progress: Progress, task: Task | None = None) -> list[ExportEntry]:
    """Write a model in the formats asked for, each proven, or nothing.

    `task` is the model with its data, where they do not lie in files.

    Raises:
        SpearDeployError: something in the request cannot be used; see its subclasses.

    """
    names = [name for word in request.formats for name in family(word)]
    asked, exporters = _prepare(_as_run_made(request, progress), names, progress, given=task)
    _check_choice(request, exporters)
    return export_model(asked, exporters, request.out, force=request.force)


@torch_settings(flush=False)
def run_bundle(request: ExportRequest, progress: Progress) -> tuple[list[ExportEntry], Path]:
    """Write one zip of all our formats, their record, and what lies beside the model: report and profile.

    Raises:
        SpearDeployError: something in the request cannot be used; see its subclasses.

    """
    request = _as_run_made(request, progress)
    path = request.out / f"{request.model.stem}.bundle.zip"
    with locked(request.out):
        if path.exists() and not request.force:
            raise OutputError(f"{path}: exists; choose another folder (`folder`), or `force=True`")
        with replaced_when_complete(path, ours=is_bundle) as working:
            entries = _bundle(request, working, progress)
    return entries, path


def _bundle(request: ExportRequest, path: Path, progress: Progress) -> list[ExportEntry]:
    asked, exporters = _prepare(request, BUNDLED, progress, floating=("nir",))
    if asked.data is not None:  # whoever opens it has other folders
        asked = replace(asked, data=asked.data.model_copy(update={"place": None}))
    with tempfile.TemporaryDirectory(prefix="spear-deploy-bundle-") as name:
        entries = export_model(asked, exporters, Path(name) / "files", force=True)
        files = {file.name: file.read_bytes() for file in (Path(name) / "files").iterdir()}
    if (report := request.model.parent / "report.json").is_file():
        files["report.json"] = report.read_bytes()
    if request.target is not None:
        profile = chip_of(request.target)
        files[f"{profile.name}.toml"] = profile_text(request.target).encode()
    write_bundle(path, files, f"{asked.stem}.nir")
    return entries


def _check_choice(request: ExportRequest, exporters: Sequence[Exporter]) -> None:
    """Raise an ExportError where integers are chosen that no file would hold."""
    chosen = {"weight_bits": request.weight_bits, "file_format": request.file_format}
    given = [f"`{name}`" for name, value in chosen.items() if value is not None]
    if given and not any(each.fixed for each in exporters):
        names = ", ".join(each.name for each in exporters)
        raise ExportError(
            f"{' and '.join(given)}: a chip's integers are chosen by it, and {names} would hold none:"
            " write netx, or lava or nir in fixed point"
        )


def _as_run_made(request: ExportRequest, progress: Progress) -> ExportRequest:
    """The request about a run's network, with the run's settings where it names none."""
    if not request.model.is_dir():
        return request
    run = run_settings(request.model)
    target = request.target or run.target
    chip = target.name if isinstance(target, Profile) else target
    progress.notice(f"{request.model}: as its report.json says, for {chip}")
    if request.data is not None and data_for(load_model(run.model), request.data).given_sha256 != run.data_sha256:
        progress.notice(f"{request.data}: other data than those of the run, so that integers chosen on them may differ")
    return replace(
        request,
        model=run.model,
        target=target,
        weight_bits=request.weight_bits or run.weight_bits,
        file_format=request.file_format or run.file_format,
        seed=run.seed if request.seed is None else request.seed,
    )


def _prepare(
    request: ExportRequest,
    names: Sequence[str],
    progress: Progress,
    *,
    floating: Sequence[str] = (),
    given: Task | None = None,
) -> tuple[Export, list[Exporter]]:
    """The model with its samples and integers, and the exporters of these names, `floating` ones without integers."""
    names = list(dict.fromkeys(names))
    if not names:
        raise ExportError(f"no format is named; known: {', '.join(available())}")
    check_options(request.options, names)
    profile = chip_of(request.target or DEFAULT_TARGET)
    if given is None:
        model = load_model(request.model, reading=request.reading, tell=progress.notice)
        task, missing = _task(request, model, progress)
    else:
        model, task, missing = given.model, given, ""
    adapted = Adapted(model, (), host_first=False)
    if request.adapt:
        samples = None if task is None else task.some(SplitName.TRAIN, CONVERSION_SAMPLES).inputs
        adapted = adapt(model, profile, samples)
    for change in adapted.changes:
        progress.notice(f"{change.layer}: {change.rule}: {change.before} becomes {change.after}")
    subject = _subject(request, adapted, profile, task, missing)
    if task is None and request.verify:
        progress.notice(f"{request.model}: proven on made-up samples: {subject.missing}")
    facts = {"profile": profile.name if request.target else None, "samples": subject.inputs}
    options = {**request.options, **facts, "python": request.lava_python}
    fixed = {name: options | ({"fixed": False} if name in floating else {}) for name in names}
    exporters = [exporter(name, fixed[name]) for name in names]
    integers = _integers(request, profile, subject, exporters, progress)
    if integers is not None:
        exporters = [exporter(name, fixed[name] | {"integers": integers}) for name in names]
    return Export(
        subject.model,
        request.model,
        request.model.stem,
        subject.inputs if request.verify else None,
        subject.inputs_name,
        integers=integers,
        subject=f"the network as converted for {profile.name}" if adapted.changes else Export.subject,
        data=None if task is None else _record_of(task.data, None if given is not None else request.out),
    ), exporters


def _subject(request: ExportRequest, adapted: Adapted, profile: Profile, task: Task | None, missing: str) -> _Subject:
    model = adapted.model
    task = None if task is None else replace(task, model=model)  # a conversion may read the same data otherwise
    if task is None:
        inputs, train, calibration = sample_inputs(model), None, ""
        name = f"made-up samples ({missing})" if missing else "made-up samples"
    else:
        proven = task.encoded(SplitName.TEST, samples_to_prove(model))
        inputs, name = proven.as_float64(), f"{task.data.name}, first {len(proven)} test samples"
        train = task.calibration(CALIBRATION_SAMPLES)
        calibration = task.calibration_name(CALIBRATION_SAMPLES)
    missing = missing or "the model names no data, and none was given"
    chip = format_of(profile)
    if adapted.host_first and chip is not None and not chip.graded_bits:
        split = split_first_layer(model)
        train = None if train is None else replace(train, stored=split.chip_inputs(train.inputs), analog=False)
        model, inputs = split.chip, split.chip_inputs(inputs)
        name += f", through {split.host.network.read_out} on the host"
    return _Subject(model, inputs, name, train, missing, calibration)


def _record_of(data: Dataset, folder: Path | None) -> DataRecord:
    return DataRecord(name=data.name, sha256=data.given_sha256, place=place_of(data.name, folder))


def _task(request: ExportRequest, model: Model, progress: Progress) -> tuple[Task | None, str]:
    """The model with its data, where they can be found and suit it; else why not. What was asked for must."""
    try:
        data = find_data(request.model, model, request.data, progress.notice)
        found = None if data is None else Task(model, data, request.seed or 0)
        if found is not None:
            found.encoded(SplitName.TEST, 1)
    except DataError as error:
        if request.data is not None:
            raise
        return None, str(error)
    return found, ""


def _integers(
    request: ExportRequest, profile: Profile, subject: _Subject, exporters: Sequence[Exporter], progress: Progress
) -> JudgedIntegers | None:
    """The chip's integers as `simulate` and `deploy` choose them, where an exporter holds them.

    Where there are none, formats without integers are written all the same, and the reason is told.
    """
    if not any(each.fixed for each in exporters):
        return None
    try:
        found = _chosen(request, profile, subject)
    except SpearDeployError as error:
        if all(each.fixed for each in exporters):
            raise
        progress.notice(str(error))
        return None
    progress.notice(f"integers: {found.text}")
    return found


def _chosen(request: ExportRequest, profile: Profile, subject: _Subject) -> JudgedIntegers:
    if subject.train is None:
        raise ExportError(
            f"{request.model.name}: integers are chosen on training samples, as simulate and deploy do, and there are"
            f" none: {subject.missing}"
        )
    bits = request.weight_bits or WeightBits()
    backend = arithmetic_of(profile, subject.train, bits, file_format=request.file_format)
    quantized = backend.prepare(subject.model).integers
    if quantized is None:
        raise BackendError(
            f"{profile.name}: the profile names no arithmetic (neurons.arithmetic), so there are no integers to write"
        )
    return JudgedIntegers(quantized, profile.name, backend.arithmetic, subject.calibration)
