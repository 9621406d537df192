"""What is exported: the network, or what of it a chip runs, with the samples that files are proven on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from spear_deploy.backends.backend import CALIBRATION_SAMPLES
from spear_deploy.backends.fixed_point.chip_format import format_of
from spear_deploy.backends.fixed_point.host import split_first_layer
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.errors import DataError
from spear_deploy.exporting import sample_inputs, samples_to_prove
from spear_deploy.hardware import Profile
from spear_deploy.jobs.data_place import find_data
from spear_deploy.jobs.export.request import ExportRequest
from spear_deploy.jobs.progress import Progress
from spear_deploy.jobs.task import Task
from spear_deploy.network import Model
from spear_deploy.targets.adapt import Adapted


@dataclass(frozen=True)
class Subject:
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


def subject_of(request: ExportRequest, adapted: Adapted, profile: Profile, task: Task | None, missing: str) -> Subject:
    """What of an adapted network goes to the chip; `missing` says why there is no `task`."""
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
    return Subject(model, inputs, name, train, missing, calibration)


def find_task(request: ExportRequest, model: Model, progress: Progress) -> tuple[Task | None, str]:
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
