"""The job of `simulate`: adapt where asked, prepare the backends, run them side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from torch import Tensor

from spear_deploy.backends import TORCH, side_by_side
from spear_deploy.backends.backend import CALIBRATION_SAMPLES, TIME_LIMIT_S, Setting, Worker
from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.backends.registry import available, backend_class, known_name, prepared
from spear_deploy.backends.side_by_side import Simulated, encoded_batches
from spear_deploy.backends.torch import TorchBackend
from spear_deploy.data import Labels, Split, SplitName
from spear_deploy.errors import BackendError
from spear_deploy.hardware import Profile
from spear_deploy.jobs.asked import split_of, weight_bits_of
from spear_deploy.jobs.graded_inputs import cut_values
from spear_deploy.jobs.memory import check_room
from spear_deploy.jobs.progress import Progress, Recorded, Silent
from spear_deploy.jobs.scorable import SHOWN, no_score
from spear_deploy.jobs.spike_file import spike_file
from spear_deploy.jobs.task import Task
from spear_deploy.jobs.torch_settings import torch_settings
from spear_deploy.measure import SCORINGS, Measurement
from spear_deploy.network import Model, Reset
from spear_deploy.system.arguments import check_fields
from spear_deploy.targets.adapt import CALIBRATION_SAMPLES as CONVERSION_SAMPLES
from spear_deploy.targets.adapt import Adapted, adapt
from spear_deploy.targets.adaptation_effect import AdaptationEffect

DEFAULT_BACKEND = TORCH

LEAST = MappingProxyType({"samples": 1, "memory_bytes": 1, "lava_seconds": 0})
"""The smallest numbers that mean something."""

TOOL_SAMPLES = 100
"""Samples that are run where a program of others takes part, such as Lava, unless asked otherwise."""


@dataclass(frozen=True)
class SimulateConfig:
    """How a model is simulated.

    Attributes:
        split: which samples.
        samples: how many of them, the first ones; None for all, or `TOOL_SAMPLES` where a program of others takes part.
        weight_bits: fewer bits than the chip's; also as it is typed: `6`, `conv1=8,fc=4`.
        file_format: run those of the chip's integers that this file format can hold (`FILE_FORMATS`).
        adapt: whether what the chip forbids is converted.
        memory_bytes: what it may take; with None too little of what is free is told, and refuses nothing.
        save: where all spikes are written.
        lava_python: an interpreter that has programs beside this package, such as Lava; None for this one.
        lava_seconds: they are ended after so many seconds for a batch of up to 100 samples.

    Raises:
        ArgumentError: a field is of another kind than it says, or smaller than it may be.

    """

    split: SplitName = SplitName.TEST
    samples: int | None = None
    weight_bits: WeightBits = field(default_factory=WeightBits)
    file_format: str | None = None
    adapt: bool = False
    memory_bytes: int | None = None
    save: Path | None = None
    lava_python: Path | None = None
    lava_seconds: float = TIME_LIMIT_S

    def __post_init__(self) -> None:
        check_fields(self, LEAST, {WeightBits: weight_bits_of, SplitName: split_of})


@dataclass(frozen=True)
class Outcome:
    """What a simulation gave.

    Attributes:
        task: the model as it was given, and its data.
        chip: whose arithmetic was used.
        config: how it was run.
        model: what ran, adapted where asked.
        samples: how many were run.
        arithmetic: of each backend.
        simulated: what was seen.
        effect: of the conversions; None without any.
        told: what the user was told on the way, in order.

    """

    task: Task
    chip: Profile
    config: SimulateConfig
    model: Model
    samples: int
    arithmetic: dict[str, str]
    simulated: Simulated
    effect: AdaptationEffect | None
    told: tuple[str, ...] = ()

    @property
    def seen_before_reset(self) -> list[str]:
        """Layers whose membrane torch shows before a reset that others have done by the end of a step.

        The reset is due in the next step, or never, because nothing is kept until then: spikes are alike. None where
        torch alone ran.
        """
        if set(self.simulated.results) <= {TORCH}:
            return []
        neurons = {name: each for name, each in self.model.network.neurons.items() if each.spikes}
        return [
            name
            for name, each in neurons.items()
            if (each.reset is Reset.ZERO and each.reset_delay) or (each.reset is Reset.NONE and not each.remembers)
        ]

    @property
    def labels(self) -> Labels:
        """Who said what is right."""
        return self.task.labels

    @property
    def right_answers(self) -> str:
        """What the score is called, by what the network answers and who says what is right."""
        name = SCORINGS[self.model.objective.kind].name
        if self.labels is Labels.DATA:
            return name
        return "agreement with the model" if self.model.objective.tells_classes else f"{name} to the model's own values"

    def score(self, measurement: Measurement) -> str:
        """The score of a measurement, in words."""
        return SCORINGS[self.model.objective.kind].text(measurement.accuracy)


def offered() -> list[str]:
    """The names of the backends that there are, those of other packages among them."""
    return list(available())


def backends_of(text: str) -> tuple[str, ...]:
    """The backends that a list such as `chip,lava-fixed` names, each once.

    Raises:
        BackendError: one is not known.

    """
    return tuple(dict.fromkeys(known_name(name.strip()) for name in text.split(",")))


def in_integers(backends: Sequence[str]) -> bool:
    """Whether one of these backends computes in integers.

    Raises:
        BackendError: one is not known.

    """
    return any(backend_class(name).integers for name in backends)


@torch_settings()
def simulate(
    task: Task,
    chip: Profile,
    on: Sequence[str] = (DEFAULT_BACKEND,),
    config: SimulateConfig | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Run a model on one backend, or on several beside each other.

    Args:
        task: the model and its data.
        chip: whose arithmetic is used.
        on: names of backends, each once; every two of them are held against each other.
        config: how it is run.
        progress: hears how far it is.

    Raises:
        BackendError: there is no such backend, it cannot hold the model, or it failed; integers are chosen, and none of
            the backends computes in any.
        MachineError: the samples that run together need more memory than was asked for.

    """
    config = SimulateConfig() if config is None else config
    progress = Recorded(Silent() if progress is None else progress)
    if not on:
        raise BackendError(f"no backend is named; known: {', '.join(available())}")
    classes = [backend_class(name) for name in on]
    _check_integers(config, on)
    check_room(task.model.network, task.model.time_steps, config.memory_bytes, tell=progress.hint)
    wanted = config.samples
    for line in (*task.notices, *task.too_few(config.split, wanted)):
        progress.notice(line)
    if wanted is None and any(each.tool for each in classes):
        wanted = TOOL_SAMPLES
    split = task.split(config.split, wanted)
    if why := no_score(split.name, split.y, task.labels, task.model.objective):
        progress.notice(f"{task.data.name}: {why}; {SHOWN}")
    calibration = task.calibration(CALIBRATION_SAMPLES).inputs
    adapted = Adapted(task.model, (), host_first=False)
    if config.adapt:
        adapted = adapt(task.model, chip, task.some(SplitName.TRAIN, CONVERSION_SAMPLES).inputs)
    model = adapted.model
    if model.encoding != task.model.encoding:
        calibration = replace(task, model=model).calibration(CALIBRATION_SAMPLES).inputs
    worker = Worker(config.lava_python, config.lava_seconds)
    setting = Setting(chip, calibration, config.weight_bits, adapted.host_first, config.file_format, worker)
    backends = [each.of(setting) for each in classes]
    names = [backend.name for backend in backends]
    writing = (
        nullcontext()
        if config.save is None
        else spike_file(config.save, model, names, len(split), labels=split.y.numpy(), index=split.index)
    )
    executables = prepared(model, backends)
    for integers in [each.integers for each in executables.values() if each.integers is not None][:1]:
        for line in cut_values(encoded_batches(model, split, seed=task.seed), integers.levels):
            progress.notice(line)
    with progress.stage("simulate", len(split)) as advance, writing as file:

        def seen(backend: str, part: slice, outputs: Mapping[str, Tensor]) -> None:
            if file is not None:
                file.write(backend, part, outputs)
            if backend == names[-1]:
                advance(done=part.stop)

        samples = encoded_batches(model, split, seed=task.seed)
        simulated = side_by_side.simulate(model, executables, samples, seen)
    effect = _effect(task, chip, adapted, split) if adapted.changes else None
    for line in effect.lines if effect is not None else ():
        progress.notice(line)
    arithmetic = {backend.name: backend.arithmetic for backend in backends}
    return Outcome(task, chip, config, model, len(split), arithmetic, simulated, effect, tuple(progress.notices))


def _check_integers(config: SimulateConfig, on: Sequence[str]) -> None:
    """Refuse what chooses integers where no backend computes in any."""
    chosen = {"weight_bits": config.weight_bits != WeightBits(), "file_format": config.file_format is not None}
    given = " and ".join(f"`{name}`" for name, is_given in chosen.items() if is_given)
    if given and not in_integers(on):
        raise BackendError(
            f"{given}: a chip's integers are chosen by it, and {', '.join(on)} computes in none; run chip"
        )


def _effect(task: Task, chip: Profile, adapted: Adapted, split: Split) -> AdaptationEffect:
    """Both networks in torch on the samples that were run."""
    found: list[Measurement] = []
    for model in (task.model, adapted.model):
        samples = encoded_batches(model, split, seed=task.seed)
        seen = side_by_side.simulate(model, prepared(model, [TorchBackend()]), samples, observe=False)
        found += [result.measurement for result in seen.results.values()]
    before, after = found
    return AdaptationEffect(chip.name, adapted.changes, before, after, task.model.objective.kind)
