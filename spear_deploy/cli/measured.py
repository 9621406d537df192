"""What `check` and `compare` look at: a model, and what it does on its data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from spear_deploy.backends.fixed_point import split_first_layer
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.hardware import Activity, Profile, activity_of
from spear_deploy.jobs.task import find_task, load_model
from spear_deploy.measure import measure_split
from spear_deploy.network import Encoding, Model, Reading
from spear_deploy.targets.adapt import CALIBRATION_SAMPLES, adapt
from spear_deploy.targets.adaptation_effect import AdaptationEffect, effect_on


@dataclass(frozen=True)
class MeasuredModel:
    """A model and its activity.

    Attributes:
        name: of the file, without its folder.
        model: the model.
        activity: measured on the first samples of the test split; None without data.
        samples: how many samples were measured.
        data: those samples; None without data.
        calibration: training samples `[T, N, *input_shape]` to choose conversions on; None without data.

    """

    name: str
    model: Model
    activity: Activity | None
    samples: int
    data: EncodedSplit | None = None
    calibration: Tensor | None = None

    @property
    def origin(self) -> dict[str, str | int] | None:
        """Which samples the spikes are the mean of, and in which arithmetic; None without data."""
        if self.activity is None:
            return None
        return {"split": "test", "samples": self.samples, "backend": "torch", "arithmetic": "float32"}

    @property
    def origin_text(self) -> str:
        """The same in words."""
        if self.activity is None:
            return "no spikes were measured: give --data"
        return f"spikes: mean of {self.samples} test samples, torch, float32"

    @property
    def analog_input(self) -> bool:
        """Whether inputs are values instead of spikes."""
        return self.model.encoding is Encoding.DIRECT


def measured(
    path: Path, data: str | None, samples: int, reading: Reading | None = None, encoding: Encoding | None = None
) -> MeasuredModel:
    """Load a model and run it on the first samples of its test split.

    `reading` is for what the file does not say; `encoding` replaces what it says.

    Raises:
        ModelError: the model cannot be loaded.
        DataError: the data cannot be loaded, or does not suit the model.

    """
    model = load_model(path, reading=reading, encoding=encoding)
    task = find_task(path, model, data)
    if task is None:
        return MeasuredModel(path.name, model, None, 0)
    encoded = task.encoded(SplitName.TEST, samples)
    found = measure_split(model, encoded)
    activity = activity_of(found, model.time_steps, analog_input=encoded.analog)
    few = task.encoded(SplitName.TRAIN, CALIBRATION_SAMPLES)
    return MeasuredModel(path.name, model, activity, len(encoded), encoded, few.inputs)


def adapted_to(profile: Profile, subject: MeasuredModel) -> tuple[MeasuredModel, list[dict[str, Any]], list[str]]:
    """What of a model a chip is to hold once it is converted; the conversions as JSON and in words.

    Raises:
        BackendError: a first layer that would have to run on the host cannot be cut off.

    """
    found, data = adapt(subject.model, profile, subject.calibration), subject.data
    if not found.changes:
        return subject, [], []
    model, analog = found.model, subject.analog_input
    effect = None if data is None else effect_on(profile, found.changes, subject.model, model, data)
    effect = effect or AdaptationEffect(profile.name, found.changes)
    if found.host_first:
        split = split_first_layer(model)
        model, analog = split.chip, False
        data = None if data is None else EncodedSplit(data.name, split.chip_inputs(data.inputs), data.labels, analog)
    lines = [*effect.lines, *(["what the host computes is not priced"] if found.host_first else [])]
    if data is None:
        return MeasuredModel(subject.name, model, None, 0), effect.as_json(), lines
    seen = measure_split(model, data)
    activity = activity_of(seen, model.time_steps, analog_input=analog)
    return MeasuredModel(subject.name, model, activity, len(data), data), effect.as_json(), lines
