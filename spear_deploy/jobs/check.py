"""The jobs of `check` and `compare`: a model, and what it does on its data, held against chips."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from spear_deploy.backends import TORCH
from spear_deploy.backends.backend import CALIBRATION_SAMPLES, measure_executable
from spear_deploy.backends.fixed_point import split_first_layer
from spear_deploy.backends.fixed_point.chip_format import format_of
from spear_deploy.backends.fixed_point.formats import Format
from spear_deploy.backends.fixed_point.losses import RoundingLoss, rounding_losses
from spear_deploy.backends.registry import arithmetic_of
from spear_deploy.data import EncodedSplit, SplitName, recoded
from spear_deploy.errors import BackendError, DataError
from spear_deploy.hardware import Activity, Limit, OnChip, Profile, activity_of
from spear_deploy.hardware.comparison import Row
from spear_deploy.hardware.comparison import compare as rows_of
from spear_deploy.hardware.gates import Gate, Held, hold, require_absolute, stopped_at
from spear_deploy.hardware.rules.finding import Finding, Kind
from spear_deploy.hardware.rules.signal_rules import WEIGHT_BITS
from spear_deploy.hardware.rules.verdict import Verdict
from spear_deploy.jobs.memory import check_room
from spear_deploy.jobs.progress import once
from spear_deploy.jobs.run_settings import settings_around
from spear_deploy.jobs.task import Task, Tell, find_task, load_model
from spear_deploy.jobs.torch_settings import torch_settings
from spear_deploy.measure import Measurement, measure_split
from spear_deploy.network import Model, Reading
from spear_deploy.report.words.names import names_apart
from spear_deploy.targets.adapt import CALIBRATION_SAMPLES as CONVERSION_SAMPLES
from spear_deploy.targets.adapt import adapt
from spear_deploy.targets.adaptation_effect import AdaptationEffect, effect_on

SAMPLES = 100
"""Test samples whose spikes are measured, unless asked otherwise."""


@dataclass(frozen=True)
class Seen:
    """What a model was measured to do, and how.

    Attributes:
        activity: means per inference.
        samples: how many stand for all of the test split.
        held: how many samples that holds.
        encoding: of the inputs.
        backend: what it ran in.
        arithmetic: of that backend.
        losses: what rounding did, where that is in integers.
        instead: why not in the chip's integers, where it has some that cannot hold the model; empty otherwise.

    """

    activity: Activity
    samples: int
    held: int
    encoding: str
    backend: str
    arithmetic: str
    losses: tuple[RoundingLoss, ...] = ()
    instead: str = ""

    @property
    def origin(self) -> dict[str, str | int]:
        """Which samples the spikes are the mean of, and in which arithmetic, as it stands in JSON."""
        names = ("samples", "held", "encoding", "backend", "arithmetic")
        found: dict[str, str | int] = {"split": str(SplitName.TEST), **{name: getattr(self, name) for name in names}}
        return {**found, "instead": self.instead} if self.instead else found

    @property
    def text(self) -> str:
        """The same in words."""
        some = f"{self.samples:,} of " if self.samples < self.held else ""
        found = f"mean of {some}{self.held:,} test samples, encoding {self.encoding}, {self.backend}, {self.arithmetic}"
        return f"{found} (the chip's integers cannot hold it: {self.instead})" if self.instead else found


NOTHING_SEEN = "no spikes were measured: no data were given"


@dataclass(frozen=True)
class Subject:
    """A model, and the data that it is measured on.

    Attributes:
        name: what it is called in tables.
        model: the model.
        data: samples that stand for all of the test split; None without data.
        held: how many samples the test split holds.
        conversions: training samples `[T, N, *input_shape]` to choose conversions on; None without data.
        calibration: training samples to choose a chip's integers on; None without data.
        told: what a user hears of the data.

    """

    name: str
    model: Model
    data: EncodedSplit | None = None
    held: int = 0
    conversions: Tensor | None = None
    calibration: EncodedSplit | None = None
    told: tuple[str, ...] = ()
    _seen: dict[Format | None, Seen] = field(default_factory=dict, repr=False, compare=False)

    def seen(self, chip: Profile) -> Seen | None:
        """What the model does in a chip's integers, where these are known and can hold it, else in torch.

        None without data. Chips of one arithmetic share what was seen.
        """
        if self.data is None:
            return None
        arithmetic = format_of(chip)
        if arithmetic not in self._seen:
            self._seen[arithmetic] = self._measured(chip)
        return self._seen[arithmetic]

    def _measured(self, chip: Profile) -> Seen:
        assert self.data is not None
        assert self.calibration is not None
        instead = ""
        if format_of(chip) is not None:
            backend = arithmetic_of(chip, self.calibration)
            try:
                executable = backend.prepare(self.model)
                found = measure_executable(executable, self.model, self.data)
            except BackendError as error:
                instead = str(error).partition("\n")[0]
            else:
                integers = executable.integers
                losses = () if integers is None else rounding_losses(integers, {})
                return self._as_seen(found, backend.name, backend.arithmetic, losses)
        found = measure_split(self.model, self.data)
        return self._as_seen(found, TORCH, "float32", instead=instead)

    def _as_seen(
        self,
        found: Measurement,
        backend: str,
        arithmetic: str,
        losses: tuple[RoundingLoss, ...] = (),
        instead: str = "",
    ) -> Seen:
        assert self.data is not None
        activity = activity_of(found, self.model.time_steps, analog_input=self.data.analog)
        encoding = str(self.model.encoding)
        return Seen(activity, len(self.data), self.held, encoding, backend, arithmetic, losses, instead)

    @property
    def analog_input(self) -> bool:
        """Whether inputs are values instead of spikes."""
        return self.model.encoding.analog


@dataclass(frozen=True)
class Checked:
    """A model on a chip.

    Attributes:
        row: placement, verdict and cost.
        seen: what that cost is the cost of; None without data.
        effect: of the conversions; None where there are none.
        on_host: whether the first layer runs on the host, and is neither placed nor priced.
        held: the budgets, each against what the model uses.
        told: what a user hears of the data.

    """

    row: Row
    seen: Seen | None = None
    effect: AdaptationEffect | None = None
    on_host: bool = False
    held: tuple[Held, ...] = ()
    told: tuple[str, ...] = ()

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
    def origin(self) -> dict[str, str | int] | None:
        """Which samples were measured, and in which arithmetic, as it stands in JSON; None without data."""
        return None if self.seen is None else self.seen.origin

    @property
    def origin_text(self) -> str:
        """The same in words."""
        return NOTHING_SEEN if self.seen is None else self.seen.text

    @property
    def lines(self) -> list[str]:
        """What the conversions did, in words."""
        told = [] if self.effect is None else self.effect.lines
        return [*told, "what the host computes is not priced"] if self.on_host else told


def subjects_of(
    paths: Sequence[Path],
    data: str | None,
    samples: int | None,
    reading: Reading,
    tell: Tell,
    memory_bytes: int | None = None,
) -> list[Subject]:
    """Model files, and what each does on its data where it has some; see `load_task` and `measured`.

    Samples are encoded from the seed of the run in whose folder a file lies, else from 0.
    """
    subjects, tell = [], once(tell)
    for path, name in zip(paths, names_apart(paths), strict=True):
        model = load_model(path, reading=reading, tell=tell)
        run = settings_around(path)
        task = find_task(path, model, data, seed=0 if run is None else run.seed, tell=tell)
        subjects.append(measured(name, model, task, samples, memory_bytes, tell))
    return subjects


@torch_settings()
def measured(
    name: str,
    model: Model,
    task: Task | None,
    samples: int | None = None,
    memory_bytes: int | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Subject:
    """A model with samples that stand for all of its test split, and where there is no task without any.

    They are `SAMPLES`, unless asked otherwise.

    Raises:
        MachineError: the samples that run together need more memory than `memory_bytes`.
        DataError: no samples are asked for.

    """
    if task is None:
        return Subject(name, model)
    check_room(model.network, model.time_steps, memory_bytes, tell=tell)
    if samples is not None and samples < 1:
        raise DataError(f"spikes are measured on one sample or more, found {samples}")
    told = (*task.notices, *task.too_few(SplitName.TEST, samples))
    for line in told:
        tell(line)
    data = task.some(SplitName.TEST, SAMPLES if samples is None else samples)
    few = task.some(SplitName.TRAIN, CONVERSION_SAMPLES).inputs
    return Subject(name, model, data, len(task.data.test), few, task.calibration(CALIBRATION_SAMPLES), told)


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
    return _converted(subject, chip, limits) if adapt else _checked(subject, chip, limits)


@torch_settings()
def compare(subjects: Sequence[Subject], chips: Sequence[Profile]) -> list[Row]:
    """Place and price models on many chips; a row for each of both."""
    return [each.row for each in check_all(subjects, chips, ())]


@torch_settings()
def check_all(subjects: Sequence[Subject], chips: Sequence[Profile], limits: Sequence[Limit]) -> list[Checked]:
    """Place and price models on many chips, and hold them against budgets; one result for each of both.

    Raises:
        BudgetError: a budget is a share, or speaks of answers.

    """
    require_absolute(limits)
    return [_checked(subject, chip, limits) for subject in subjects for chip in chips]


def _checked(subject: Subject, chip: Profile, limits: Sequence[Limit]) -> Checked:
    seen, network = subject.seen(chip), subject.model.network
    activity = None if seen is None else seen.activity
    (row,) = rows_of(subject.name, network, [chip], activity, analog_input=subject.analog_input)
    if seen is not None and seen.losses:
        row = replace(row, verdict=_with_losses(row.verdict, seen.losses))
    return Checked(row, seen, held=hold(OnChip(network, chip, activity), limits), told=subject.told)


def _with_losses(verdict: Verdict, losses: Sequence[RoundingLoss]) -> Verdict:
    """With what rounding does to the weights, in place of what it would do to each matrix alone."""
    estimated = [finding for finding in verdict.findings if finding.rule == WEIGHT_BITS]
    lost = [
        Finding(
            WEIGHT_BITS,
            Kind.NOTE,
            f"{loss.source} to {loss.layer}",
            f"{loss.vanished / loss.weights:.1%} of the weights round to zero",
            f"{loss.weight_bits} bit",
            "fine-tune with weights of that width and measure again",
            estimated[0].source if estimated else "",
        )
        for loss in losses
        if loss.vanished
    ]
    others = (finding for finding in verdict.findings if finding.rule != WEIGHT_BITS)
    return replace(verdict, findings=(*others, *lost))


def _converted(subject: Subject, chip: Profile, limits: Sequence[Limit]) -> Checked:
    found, data, calibration = adapt(subject.model, chip, subject.conversions), subject.data, subject.calibration
    if not found.changes:
        return _checked(subject, chip, limits)
    model = found.model
    effect = None if data is None else effect_on(chip, found.changes, subject.model, model, data)
    effect = effect or AdaptationEffect(chip.name, found.changes)
    data, calibration = (None if each is None else recoded(each, model.encoding) for each in (data, calibration))
    if found.host_first:
        split = split_first_layer(model)
        model = split.chip
        data, calibration = (
            None if each is None else EncodedSplit(each.name, split.chip_inputs(each.inputs), each.labels, analog=False)
            for each in (data, calibration)
        )
    converted = Subject(subject.name, model, data, subject.held, subject.conversions, calibration, subject.told)
    return replace(_checked(converted, chip, limits), effect=effect, on_host=found.host_first)
