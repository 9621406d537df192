"""The jobs of `check` and `compare`: a model, and what it does on its data, held against chips."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spear_deploy.backends.backend import CALIBRATION_SAMPLES
from spear_deploy.backends.fixed_point import split_first_layer
from spear_deploy.backends.fixed_point.losses import RoundingLoss
from spear_deploy.data import EncodedSplit, SplitName, recoded
from spear_deploy.errors import DataError
from spear_deploy.hardware import Limit, OnChip, Profile
from spear_deploy.hardware.comparison import Row
from spear_deploy.hardware.comparison import compare as rows_of
from spear_deploy.hardware.gates import Gate, Held, hold, require_absolute, stopped_at
from spear_deploy.hardware.rules.finding import Finding, Kind
from spear_deploy.hardware.rules.signal_rules import WEIGHT_BITS
from spear_deploy.hardware.rules.verdict import Verdict
from spear_deploy.jobs.memory import check_room
from spear_deploy.jobs.progress import once
from spear_deploy.jobs.run_settings import settings_around
from spear_deploy.jobs.scorable import SHOWN, no_score
from spear_deploy.jobs.seen import NOTHING_SEEN, Seen, Subject
from spear_deploy.jobs.task import Task, Tell, find_task, load_model
from spear_deploy.jobs.torch_settings import torch_settings
from spear_deploy.network import Model, Reading
from spear_deploy.report.words.names import names_apart
from spear_deploy.targets.adapt import CALIBRATION_SAMPLES as CONVERSION_SAMPLES
from spear_deploy.targets.adapt import adapt
from spear_deploy.targets.adaptation_effect import AdaptationEffect, effect_on

SAMPLES = 100
"""Test samples whose spikes are measured, unless asked otherwise."""


@dataclass(frozen=True)
class Checked:
    """A model on a chip.

    Attributes:
        row: placement, verdict and cost.
        seen: what that cost is the cost of; None without data.
        effect: of the conversions; None where there are none.
        on_host: whether the first layer runs on the host, and is neither placed nor priced.
        held: the budgets, each against what the model uses.
        told: what a user hears of the data, and of what the chip does to them.

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
    why = no_score(data.name, data.labels, task.labels, model.objective)
    unscored = f"{task.data.name}: {why}; {SHOWN}" if why else ""
    calibration = task.calibration(CALIBRATION_SAMPLES)
    return Subject(name, model, data, len(task.data.test), few, calibration, told, unscored)


@torch_settings()
def check(
    subject: Subject,
    chip: Profile,
    *,
    adapt: bool = False,
    limits: Sequence[Limit] = (),
    tell: Tell = lambda text: None,
) -> Checked:
    """Hold a model against every limit and rule of a chip and against budgets, and price an inference there.

    Args:
        subject: the model and its activity.
        chip: the profile.
        adapt: whether what the chip forbids is converted first.
        limits: budgets, as absolute numbers.
        tell: hears what the chip does to the data.

    Raises:
        BudgetError: a budget is a share, or speaks of answers.
        BackendError: a first layer that would have to run on the host cannot be cut off.

    """
    require_absolute(limits)
    return _converted(subject, chip, limits, tell) if adapt else _checked(subject, chip, limits, tell)


@torch_settings()
def compare(subjects: Sequence[Subject], chips: Sequence[Profile], tell: Tell = lambda text: None) -> list[Row]:
    """Place and price models on many chips; a row for each of both. See `check`."""
    return [each.row for each in check_all(subjects, chips, (), tell)]


@torch_settings()
def check_all(
    subjects: Sequence[Subject], chips: Sequence[Profile], limits: Sequence[Limit], tell: Tell = lambda text: None
) -> list[Checked]:
    """Place and price models on many chips, and hold them against budgets; one result for each of both. See `check`.

    Raises:
        BudgetError: a budget is a share, or speaks of answers.

    """
    require_absolute(limits)
    return [_checked(subject, chip, limits, tell) for subject in subjects for chip in chips]


def _checked(subject: Subject, chip: Profile, limits: Sequence[Limit], tell: Tell) -> Checked:
    seen, network = subject.seen(chip), subject.model.network
    activity = None if seen is None else seen.activity
    (row,) = rows_of(subject.name, network, [chip], activity, analog_input=subject.analog_input)
    if seen is not None and seen.losses:
        row = replace(row, verdict=_with_losses(row.verdict, seen.losses))
    cut = tuple(f"{subject.name} on {chip.name}: {line}" for line in (() if seen is None else seen.cut))
    for line in cut:
        tell(line)
    return Checked(row, seen, held=hold(OnChip(network, chip, activity), limits), told=(*subject.told, *cut))


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


def _converted(subject: Subject, chip: Profile, limits: Sequence[Limit], tell: Tell) -> Checked:
    found, data, calibration = adapt(subject.model, chip, subject.conversions), subject.data, subject.calibration
    if not found.changes:
        return _checked(subject, chip, limits, tell)
    model = found.model
    effect = None if data is None else effect_on(chip, found.changes, subject.model, model, data)
    told = subject.told
    if effect is not None and subject.unscored:
        told = (*told, subject.unscored)
        tell(subject.unscored)
    effect = effect or AdaptationEffect(chip.name, found.changes)
    data, calibration = (None if each is None else recoded(each, model.encoding) for each in (data, calibration))
    if found.host_first:
        split = split_first_layer(model)
        model = split.chip
        data, calibration = (
            None if each is None else EncodedSplit(each.name, split.chip_inputs(each.inputs), each.labels, analog=False)
            for each in (data, calibration)
        )
    converted = Subject(subject.name, model, data, subject.held, subject.conversions, calibration, told)
    return replace(_checked(converted, chip, limits, tell), effect=effect, on_host=found.host_first)
