"""Measuring the network of a run again, on the data that it was made with."""

from __future__ import annotations

from pathlib import Path

from spear_deploy.backends.backend import CALIBRATION_SAMPLES, measure_on
from spear_deploy.backends.registry import arithmetic_of
from spear_deploy.backends.torch import TorchBackend
from spear_deploy.errors import RunError
from spear_deploy.hardware import Profile
from spear_deploy.jobs.data_place import data_for, find_data
from spear_deploy.jobs.deploy.lre_check import check_of, for_images
from spear_deploy.jobs.run_settings import run_weight_bits
from spear_deploy.jobs.task import Task
from spear_deploy.jobs.torch_settings import torch_settings
from spear_deploy.network import load_any
from spear_deploy.report import Report
from spear_deploy.report.file_names import PLAIN
from spear_deploy.report.gap import Again
from spear_deploy.report.measured import layer_reports
from spear_deploy.search import Prediction


def measure_again(folder: Path, report: Report, profile: Profile, data: str | None = None) -> Again:
    """Measure the plainly fine-tuned network of a run in torch (float64) and in the target's arithmetic.

    Args:
        folder: of the run.
        report: what it found.
        profile: of its target.
        data: where the data lie now; by default where they lay.

    Raises:
        RunError: the folder lacks the network, or the data are not those of the run.
        DataError: the data cannot be loaded.

    """
    with torch_settings(report.threads):
        return _measured(folder, report, profile, data)


def _measured(folder: Path, report: Report, profile: Profile, data: str | None) -> Again:
    path = folder / (PLAIN if report.lre.check else "pruned.pt")
    if not path.is_file():
        raise RunError(f"{path}: is missing, so that it cannot be measured again")
    given = load_any(path)
    found = find_data(path, given, data)
    task = Task(given, data_for(given, report.data) if found is None else found, report.seed)
    if task.data.sha256 != report.data_sha256:
        raise RunError(f"{data or report.data}: is not the data of the run in {folder}: SHA-256 differs; give `data`")
    model, in_torch = task.model, TorchBackend()
    tested = measure_on(in_torch, model, task.test)
    lre = report.lre
    prediction = Prediction(lre.predicted, lre.low, lre.high)
    on_validation = measure_on(in_torch, model, task.validation)
    if lre.check:  # intervals of earlier reports are already wider by what a finite set of images adds
        prediction = for_images(prediction, tested, report.splits["train"].samples, on_validation)
    checks = {in_torch.name: check_of(in_torch.arithmetic, prediction, tested)}
    layers = {in_torch.name: layer_reports(tested)}
    train = task.calibration(CALIBRATION_SAMPLES)
    backend = arithmetic_of(profile, train, run_weight_bits(report), file_format=report.file_format)
    if backend.name not in checks:
        on_target = measure_on(backend, model, task.test)
        checks[backend.name] = check_of(backend.arithmetic, prediction.scaled(lre.target_factor), on_target)
        layers[backend.name] = layer_reports(on_target)
    return Again(on_validation.synops, checks, layers)
