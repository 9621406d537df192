"""The chip's integers that a file holds: those that `simulate` and `deploy` choose."""

from __future__ import annotations

from collections.abc import Sequence

from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.backends.registry import arithmetic_of
from spear_deploy.backends.side_by_side import encoded_batches
from spear_deploy.errors import BackendError, ExportError, SpearDeployError
from spear_deploy.exporting import Exporter, JudgedIntegers
from spear_deploy.hardware import Profile
from spear_deploy.jobs.export.request import ExportRequest
from spear_deploy.jobs.export.subject import Subject
from spear_deploy.jobs.graded_inputs import cut_values
from spear_deploy.jobs.progress import Progress
from spear_deploy.jobs.task import Task


def check_choice(request: ExportRequest, exporters: Sequence[Exporter]) -> None:
    """Raise an ExportError where integers are chosen that no file would hold."""
    chosen = {"weight_bits": request.weight_bits, "file_format": request.file_format}
    given = [f"`{name}`" for name, value in chosen.items() if value is not None]
    if given and not any(each.fixed for each in exporters):
        names = ", ".join(each.name for each in exporters)
        raise ExportError(
            f"{' and '.join(given)}: a chip's integers are chosen by it, and {names} would hold none:"
            " write netx, or lava or nir in fixed point"
        )


def integers_for(
    request: ExportRequest,
    profile: Profile,
    subject: Subject,
    task: Task | None,
    exporters: Sequence[Exporter],
    progress: Progress,
) -> tuple[JudgedIntegers | None, str]:
    """The chip's integers as `simulate` and `deploy` choose them, where an exporter holds them, or why there are none.

    What of the inputs of test they do not hold is told, as in these.

    Where there are none, formats without integers are written all the same, and the reason is told.
    """
    if not any(each.fixed for each in exporters):
        return None, ""
    try:
        found = _chosen(request, profile, subject, task)
    except SpearDeployError as error:
        if all(each.fixed for each in exporters):
            raise
        progress.notice(str(error))
        return None, str(error)
    progress.notice(f"integers: {found.text}")
    for line in found.cut:
        progress.notice(f"{profile.name}: {line}")
    return found, ""


def _chosen(request: ExportRequest, profile: Profile, subject: Subject, task: Task | None) -> JudgedIntegers:
    if task is None or subject.train is None:
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
    test = encoded_batches(subject.model, task.data.test, seed=task.seed)
    cut = tuple(cut_values(test, quantized.levels))
    return JudgedIntegers(quantized, profile.name, backend.arithmetic, subject.calibration, cut)
