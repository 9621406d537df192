"""The jobs of `check` and `compare`: a model, and what it does on its data, held against chips."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from spear_deploy.backends import TORCH
from spear_deploy.backends.fixed_point import split_first_layer
from spear_deploy.data import EncodedSplit, SplitName, recoded
from spear_deploy.errors import DataError
from spear_deploy.hardware import Activity, Limit, OnChip, Profile, activity_of
from spear_deploy.hardware.comparison import Row
from spear_deploy.hardware.comparison import compare as rows_of
from spear_deploy.hardware.gates import Gate, Held, hold, require_absolute, stopped_at
from spear_deploy.jobs.memory import check_room
from spear_deploy.jobs.task import Task, Tell, find_task, load_model
from spear_deploy.jobs.torch_settings import torch_settings
from spear_deploy.measure import measure_split
from spear_deploy.network import Model, Reading
from spear_deploy.report.words.names import names_apart
from spear_deploy.targets.adapt import CALIBRATION_SAMPLES, adapt
from spear_deploy.targets.adaptation_effect import AdaptationEffect, effect_on

SAMPLES = 100
"""Test samples whose spikes are measured, unless asked otherwise."""


@dataclass(frozen=True)
class Subject:
    """A model and its activity.

    Attributes:
        name: what it is called in tables.
        model: the model.
        activity: measured on samples that stand for all of the test split; None without data.
        data: those samples; None without data.
        held: how many samples the test split holds.
        calibration: training samples `[T, N, *input_shape]` to choose conversions on; None without data.

    """

    name: str
    model: Model
    activity: Activity | None = None
    data: EncodedSplit | None = None
    held: int = 0
    calibration: Tensor | None = None

    @property
    def samples(self) -> int:
        """How many samples were measured."""
        return 0 if self.data is None else len(self.data)

    @property
    def origin(self) -> dict[str, str | int] | None:
        """Which samples the spikes are the mean of, and in which arithmetic; None without data."""
        if self.activity is None:
            return None
        encoding = str(self.model.encoding)
        return {
            "split": "test",
            "samples": self.samples,
            "held": self.held,
            "encoding": encoding,
            "backend": TORCH,
            "arithmetic": "float32",
        }

    @property
    def origin_text(self) -> str:
        """Which samples the spikes are the mean of, in words."""
        if self.activity is None:
            return "no spikes were measured: no data were given"
        some = f"{self.samples:,} of " if self.samples < self.held else ""
        return f"mean of {some}{self.held:,} test samples, encoding {self.model.encoding}, {TORCH}, float32"

    @property
    def analog_input(self) -> bool:
        """Whether inputs are values instead of spikes."""
        return self.model.encoding.analog


@dataclass(frozen=True)
class Checked:
    """A model on a chip.

    Attributes:
        row: placement, verdict and cost.
        effect: of the conversions; None where there are none.
        on_host: whether the first layer runs on the host, and is neither placed nor priced.
        held: the budgets, each against what the model uses.

    """

    row: Row
    effect: AdaptationEffect | None = None
    on_host: bool = False
    held: tuple[Held, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether every limit and rule of the chip is kept."""
        return self.row.verdict.fits

    def stopped_at(self, gates: Set[Gate]) -> list[str]:
        """Those of these gates that are not passed, each with why not; nothing where all are."""
        where = f"{self.row.model} on {self.row.profile.name}"
        found = stopped_at(self.row, self.held)
        return [f"{where}: stopped at {gate}: {reason}" for gate, reason in found.items() if gate in gates]

    @property
    def adaptations(self) -> list[dict[str, Any]]:
        """The conversions as they stand in JSON."""
        return [] if self.effect is None else self.effect.as_json()

    @property
    def lines(self) -> list[str]:
        """What the conversions did, in words."""
        told = [] if self.effect is None else self.effect.lines
        return [*told, "what the host computes is not priced"] if self.on_host else told


def subjects_of(
    paths: Sequence[Path],
    data: str | None,
    samples: int,
    reading: Reading,
    tell: Tell,
    memory_bytes: int | None = None,
) -> list[Subject]:
    """Model files, and what each does on its data where it has some; see `load_task` and `measured`."""
    subjects = []
    for path, name in zip(paths, names_apart(paths), strict=True):
        model = load_model(path, reading=reading, tell=tell)
        subjects.append(measured(name, model, find_task(path, model, data, tell=tell), samples, memory_bytes, tell))
    return subjects


@torch_settings()
def measured(
    name: str,
    model: Model,
    task: Task | None,
    samples: int = SAMPLES,
    memory_bytes: int | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Subject:
    """Run a model on samples that stand for all of its test split in torch (float32); without a task, on nothing.

    Raises:
        MachineError: the samples that run together need more memory than `memory_bytes`.
        DataError: no samples are asked for.

    """
    if task is None:
        return Subject(name, model)
    check_room(model.network, model.time_steps, memory_bytes, tell=tell)
    if samples < 1:
        raise DataError(f"spikes are measured on one sample or more, found {samples}")
    data = task.some(SplitName.TEST, samples)
    few = task.some(SplitName.TRAIN, CALIBRATION_SAMPLES)
    return Subject(name, model, _activity(model, data), data, len(task.data.test), few.inputs)


@torch_settings()
def check(subject: Subject, chip: Profile, *, adapt: bool = False, limits: Sequence[Limit] = ()) -> Checked:
    """Hold a model against every limit and rule of a chip and against budgets, and price an inference there.

    Args:
        subject: the model and its activity.
        chip: the profile.
        adapt: whether what the chip forbids is converted first.
        limits: budgets, as absolute numbers.

    Raises:
        BudgetError: a budget is a share, or speaks of answers.
        BackendError: a first layer that would have to run on the host cannot be cut off.

    """
    require_absolute(limits)
    if not adapt:
        return Checked(_row(subject, chip), held=_held(subject, chip, limits))
    return _converted(subject, chip, limits)


def compare(subjects: Sequence[Subject], chips: Sequence[Profile]) -> list[Row]:
    """Place and price models on many chips; a row for each of both."""
    return [row for subject in subjects for row in _rows(subject, chips)]


def check_all(subjects: Sequence[Subject], chips: Sequence[Profile], limits: Sequence[Limit]) -> list[Checked]:
    """Place and price models on many chips, and hold them against budgets; one result for each of both.

    Raises:
        BudgetError: a budget is a share, or speaks of answers.

    """
    require_absolute(limits)
    return [
        Checked(row, held=_held(subject, row.profile, limits)) for subject in subjects for row in _rows(subject, chips)
    ]


def _held(subject: Subject, chip: Profile, limits: Sequence[Limit]) -> tuple[Held, ...]:
    return hold(OnChip(subject.model.network, chip, subject.activity), limits)


def _converted(subject: Subject, chip: Profile, limits: Sequence[Limit]) -> Checked:
    found, data = adapt(subject.model, chip, subject.calibration), subject.data
    if not found.changes:
        return Checked(_row(subject, chip), held=_held(subject, chip, limits))
    model = found.model
    effect = None if data is None else effect_on(chip, found.changes, subject.model, model, data)
    effect = effect or AdaptationEffect(chip.name, found.changes)
    data = None if data is None else recoded(data, model.encoding)
    if found.host_first:
        split = split_first_layer(model)
        model = split.chip
        if data is not None:
            data = EncodedSplit(data.name, split.chip_inputs(data.inputs), data.labels, analog=False)
    activity = None if data is None else _activity(model, data)
    converted = Subject(subject.name, model, activity, data, subject.held)
    return Checked(_row(converted, chip), effect, found.host_first, _held(converted, chip, limits))


def _activity(model: Model, data: EncodedSplit) -> Activity:
    return activity_of(measure_split(model, data), model.time_steps, analog_input=data.analog)


def _row(subject: Subject, chip: Profile) -> Row:
    return _rows(subject, [chip])[0]


def _rows(subject: Subject, chips: Sequence[Profile]) -> list[Row]:
    network, analog = subject.model.network, subject.analog_input
    return rows_of(subject.name, network, chips, subject.activity, analog_input=analog)
