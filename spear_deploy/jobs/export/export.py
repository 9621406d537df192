"""The job of `export`: load, choose the chip's integers where a file holds them, write, prove."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spear_deploy.data import Dataset, SplitName
from spear_deploy.errors import ExportError
from spear_deploy.exporting import (
    Export,
    ExportEntry,
    Exporter,
    available,
    check_options,
    export_model,
    exporter,
    family,
)
from spear_deploy.exporting.record import DataRecord
from spear_deploy.jobs.chips import DEFAULT_TARGET, chip_of
from spear_deploy.jobs.data_place import place_of
from spear_deploy.jobs.export.integers import check_choice, integers_for
from spear_deploy.jobs.export.request import ExportRequest, as_run_made
from spear_deploy.jobs.export.subject import find_task, subject_of
from spear_deploy.jobs.progress import Progress
from spear_deploy.jobs.task import Task, load_model
from spear_deploy.jobs.torch_settings import torch_settings
from spear_deploy.targets.adapt import CALIBRATION_SAMPLES, Adapted, adapt


@torch_settings(flush=False)
def run_export(request: ExportRequest, progress: Progress, task: Task | None = None) -> list[ExportEntry]:
    """Write a model in the formats asked for, each proven, or nothing.

    `task` is the model with its data, where they do not lie in files.

    Raises:
        SpearDeployError: something in the request cannot be used; see its subclasses.

    """
    names = [name for word in request.formats for name in family(word)]
    asked, exporters = prepared(as_run_made(request, progress), names, progress, given=task)
    check_choice(request, exporters)
    return export_model(asked, exporters, request.out, force=request.force)


def not_written(names: Sequence[str], entries: Sequence[ExportEntry]) -> list[str]:
    """Those of the formats that were asked for of which nothing was written, not even one of their family."""
    written = {entry.format for entry in entries if entry.files}
    return [name for name in names if not written & {*family(name)}]


def prepared(
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
        task, missing = find_task(request, model, progress)
    else:
        model, task, missing = given.model, given, ""
    adapted = Adapted(model, (), host_first=False)
    if request.adapt:
        samples = None if task is None else task.some(SplitName.TRAIN, CALIBRATION_SAMPLES).inputs
        adapted = adapt(model, profile, samples)
    for change in adapted.changes:
        progress.notice(f"{change.layer}: {change.rule}: {change.before} becomes {change.after}")
    subject = subject_of(request, adapted, profile, task, missing)
    if task is None and request.verify:
        progress.notice(f"{request.model}: proven on made-up samples: {subject.missing}")
    facts = {"profile": profile.name if request.target else None, "samples": subject.inputs}
    options = {**request.options, **facts, "python": request.lava_python}
    fixed = {name: options | ({"fixed": False} if name in floating else {}) for name in names}
    exporters = [exporter(name, fixed[name]) for name in names]
    integers, why_not = integers_for(request, profile, subject, task, exporters, progress)
    judged = {"integers": integers, "no_integers": why_not}
    exporters = [exporter(name, fixed[name] | judged) for name in names]
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


def _record_of(data: Dataset, folder: Path | None) -> DataRecord:
    return DataRecord(name=data.name, sha256=data.given_sha256, place=place_of(data.name, folder))
