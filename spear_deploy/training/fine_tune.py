"""Fine-tuning a network on encoded data."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR

from spear_deploy.data import EncodedSplit
from spear_deploy.measure import SynopsCounter
from spear_deploy.network import Model, Simulation, batches, samples_at_once
from spear_deploy.network.batching import trained_at_once
from spear_deploy.network.device import flushed_denormals
from spear_deploy.network.fingerprint import fingerprint
from spear_deploy.network.torch_module import trained_graph
from spear_deploy.system.journal import NOTHING, Journal, Key, Step
from spear_deploy.training.constraint import SynopsConstraint
from spear_deploy.training.losses import TaskLoss
from spear_deploy.training.recipe import BIASES, WEIGHTS, Recipe
from spear_deploy.training.state import BestEpoch, Checkpoint, Finished, Training, weights_of
from spear_deploy.training.units import learn_in_units, unit_of_scores

Quantiser = Callable[[Simulation], None]
"""Makes a simulation round its parameters in every forward pass, with gradients passed through."""


@dataclass(frozen=True)
class Teacher:
    """Another network's answers to the training samples, learned beside the labels.

        (1 - weight) * loss to the labels + weight * loss to its mean outputs over time

    Attributes:
        outputs: what it `taught`: mean outputs over time `[N, outputs]`, or values `[N, K]`.
        weight: between 0 and 1.

    Source: Hinton et al., Distilling the Knowledge in a Neural Network, arXiv 1503.02531.

    """

    outputs: Tensor
    weight: float = 0.5


@dataclass(frozen=True)
class EarlyStop:
    """Ends a fine-tune that no longer gets better on samples that it does not learn from.

    The loss on `data`, with the squared violation of a constraint, is taken after every epoch. After
    `patience` epochs without a lower one training ends; the network of the lowest is kept.
    """

    data: EncodedSplit
    patience: int


Steer = Callable[[Model], Mapping[str, float]]
"""From the network so far to the targets that its constraint should have."""

STEERED_AT = (0.5, 0.75, 0.9)
"""After these shares of the epochs a constraint's targets are set anew."""

FINE_TUNE = "fine-tune"
"""What a journal calls one."""

MOST_ROLLBACKS = 4
"""After so many a fine-tune ends with the last network that was finite."""


@flushed_denormals()
def fine_tune(
    model: Model,
    data: EncodedSplit,
    recipe: Recipe,
    *,
    seed: int,
    constraint: SynopsConstraint | None = None,
    steer: Steer | None = None,
    teacher: Teacher | None = None,
    quantiser: Quantiser | None = None,
    stop: EarlyStop | None = None,
    on_epoch: Callable[[int], None] | None = None,
    notice: Callable[[str], None] | None = None,
    journal: Journal = NOTHING,
) -> Model:
    """Train the weights and biases of a model on data, but for those that are frozen; returns a new model.

    Data that holds outputs is learned from them, else from its labels, by the loss of the model's objective.
    Training runs on the device of the data; the order of samples follows from `seed` alone.
    Denormal numbers are flushed to zero, which keeps small networks fast on a CPU. With a
    quantiser the weights and biases that are returned are rounded ones. Steps are relative to the size of
    weights that are of an unusual one (`learn_in_units`). Weights that are zero
    stay zero: a synapse that is not there costs no SynOps and does not grow back. Biases that are zero throughout
    stay so: NIR's convolutions hold such where there are none. Where the loss
    or a gradient is not finite, the epoch is begun again from its start at half the learning
    rate; `notice` is told, of what is kept too. Each epoch is kept in `journal`, and gone on from where it is there;
    its scope says what model, recipe, seed and constraint do not: data, steering, teacher, rounding.
    """
    generator = torch.Generator().manual_seed(seed)
    simulation = Simulation(model.graph).to(data.device)
    for name in model.frozen:
        simulation.module(name).requires_grad_(False)
    learn_in_units(simulation, data)
    loss = replace(TaskLoss.of(model, data), unit=unit_of_scores(model, simulation, data))
    if quantiser is not None:
        quantiser(simulation)
    if constraint is not None:
        constraint.begin()
    kept = journal.within(*_key(model, recipe, seed, constraint, stop, steer, teacher, quantiser))
    ended = kept.step(FINE_TUNE, "end").read(Finished)
    if ended is not None:
        simulation.load_state_dict(ended.weights)
        if constraint is not None and ended.constraint is not None:
            constraint.restore(ended.constraint)
        _tell_rollbacks(notice, ended.rollbacks)
        return _trained(model, simulation)
    objective = _Objective(
        simulation,
        model.time_steps,
        loss,
        SynopsCounter(model.network),
        constraint,
        teacher,
        each_step=recipe.each_step,
    )
    best = None if stop is None else _Best(objective, stop)
    _keep_zeros(simulation)
    optimizer = recipe.optimiser_of(each for each in simulation.named_parameters() if each[1].requires_grad)
    schedule = recipe.schedule_of(optimizer, recipe.epochs * -(-len(data) // recipe.batch))
    training = Training(simulation, optimizer, schedule, constraint)
    steered = {round(share * recipe.epochs) for share in STEERED_AT} if steer is not None else set()
    epoch, rollbacks, begun = _gone_on(kept.step(FINE_TUNE, "epoch"), training, generator, best)
    _tell_rollbacks(notice, rollbacks)
    while epoch < recipe.epochs:
        start = training.state
        if _epoch(objective, data, recipe.batch, generator, optimizer, schedule):
            epoch += 1
        else:
            rollbacks = (*rollbacks, epoch)
            training.restore(start)
            _tell_rollbacks(notice, rollbacks, len(rollbacks) - 1)
            if len(rollbacks) > MOST_ROLLBACKS:
                break
            training.halve_rate()
            continue
        if on_epoch is not None:
            on_epoch(epoch)
        if best is not None and best.ends_after(epoch - 1):
            break
        if epoch in steered and steer is not None and constraint is not None:
            constraint.targets.update(steer(_trained(model, simulation)))
        if kept.keeps:
            seconds = time.monotonic() - begun
            lowest = None if best is None else best.state
            now = Checkpoint(epoch, rollbacks, seconds, generator.get_state(), training.state, lowest)
            kept.step(FINE_TUNE, "epoch").keep(now, seconds)
    if best is not None:
        best.restore()
    end = Finished(weights_of(simulation), None if constraint is None else constraint.state, rollbacks)
    kept.step(FINE_TUNE, "end").keep(end, time.monotonic() - begun)
    kept.step(FINE_TUNE, "epoch").forget()
    return _trained(model, simulation)


def _trained(model: Model, simulation: Simulation) -> Model:
    return model.with_graph(trained_graph(simulation, model.frozen))


def _key(model: Model, recipe: Recipe, seed: int, constraint: SynopsConstraint | None, *given: object) -> Key:
    """What the result of a fine-tune follows from, as far as it can be named; of all else, whether it is given."""
    state = None if constraint is None else repr(constraint.state)
    return (fingerprint(model), repr(recipe), seed, state, *(each is not None for each in given))


def _gone_on(
    between: Step, training: Training, generator: torch.Generator, best: _Best | None
) -> tuple[int, tuple[int, ...], float]:
    """Go on from the last epoch that is kept: epochs and rollbacks so far, and when all of it would have begun."""
    now = time.monotonic()
    found = between.read(Checkpoint)
    if found is None:
        return 0, (), now
    generator.set_state(found.generator)
    training.restore(found.training)
    if best is not None and found.best is not None:
        best.go_on_from(found.best)
    return found.epoch, found.rollbacks, now - found.seconds


def _keep_zeros(simulation: Simulation) -> None:
    """Weights that are zero get no gradient: synapses that are not there; nor do biases of a node that has none."""
    for name, each in simulation.named_parameters():
        if name.endswith(BIASES) and not bool(each.any()):
            each.requires_grad_(False)
        if each.requires_grad and name.endswith(WEIGHTS) and not bool(each.all()):
            there = each.detach() != 0
            each.register_hook(partial(torch.mul, there))  # type: ignore[no-untyped-call]


def _epoch(
    objective: _Objective,
    data: EncodedSplit,
    batch: int,
    generator: torch.Generator,
    optimizer: torch.optim.Optimizer,
    schedule: CosineAnnealingLR,
) -> bool:
    """One pass over the data; False as soon as the loss or a gradient is not finite."""
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    order = torch.randperm(len(data), generator=generator)
    for index in (order[part] for part in batches(len(order), batch)):
        optimizer.zero_grad()
        total = objective.add_gradients(data, index)
        norm = torch.nn.utils.get_total_norm([each.grad for each in parameters if each.grad is not None])
        if not bool(torch.isfinite(total) & torch.isfinite(norm)):
            return False
        optimizer.step()
        schedule.step()
        if objective.constraint is not None:
            objective.constraint.ascend(schedule.last_epoch / schedule.T_max)
    return True


def _tell_rollbacks(notice: Callable[[str], None] | None, epochs: Sequence[int], start: int = 0) -> None:
    """Tell of the epochs that were begun again, from the one at this place on."""
    for place, epoch in enumerate(epochs[start:], start):
        way_on = f"rolled back to where epoch {epoch + 1} began, the learning rate is halved"
        if place >= MOST_ROLLBACKS:
            way_on = "it ends with the last finite network"
        if notice is not None:
            notice(f"a fine-tune met a loss or a gradient that is not finite: {way_on}")


@dataclass(frozen=True)
class _Objective:
    """What training makes small, on some samples."""

    simulation: Simulation
    time_steps: int
    loss: TaskLoss
    counter: SynopsCounter
    constraint: SynopsConstraint | None
    teacher: Teacher | None
    each_step: bool = False

    def __call__(self, data: EncodedSplit, index: Tensor) -> Tensor:
        """On a batch; `index` are the places of its samples in the training data."""
        inputs = data.inputs
        trace = self.simulation(inputs)
        total = self._task(data, trace.output)
        if self.teacher is not None:
            weight = self.teacher.weight
            taught = self._loss(trace.output, self.teacher.outputs[index])
            total = (1 - weight) * total + weight * taught
        if self.constraint is not None:
            total = total + self.constraint.term(self.counter, inputs, trace.outputs, data.analog)
        return total

    def add_gradients(self, data: EncodedSplit, index: Tensor) -> Tensor:
        """Add the gradients of a batch, the samples at `index`, to those of the weights; gives what is made small.

        Without a constraint that is a mean over samples, and a CPU runs a large network on some at a time.
        """
        at_once = len(index)
        if self.constraint is None and data.device.type == "cpu":
            at_once = trained_at_once(self.simulation.network, self.time_steps, at_once)
        total = torch.zeros((), device=data.device)
        for piece in index.chunk(math.ceil(len(index) / at_once)):
            part = self(data.take(piece), piece) * (len(piece) / len(index))
            part.backward()  # type: ignore[no-untyped-call]
            total = total + part.detach()
        return total

    def merit(self, data: EncodedSplit) -> Tensor:
        """The loss to the labels and the squared violation of the constraint: comparable between epochs."""
        inputs = data.inputs
        trace = self.simulation(inputs)
        total = self._task(data, trace.output)
        if self.constraint is not None:
            total = total + self.constraint.merit(self.counter, inputs, trace.outputs, data.analog)
        return total

    def _task(self, data: EncodedSplit, output: Tensor) -> Tensor:
        return self._loss(output, data.labels if data.outputs is None else data.outputs)

    def _loss(self, output: Tensor, wanted: Tensor) -> Tensor:
        if self.each_step:  # steps become samples: the mean over both is that of the steps' own losses
            wanted = wanted.repeat(len(output), *(1 for _ in wanted.shape[1:]))
            output = output.flatten(0, 1).unsqueeze(0)
        return self.loss(output, wanted)


class _Best:
    """The weights of the epoch with the lowest loss on the data of an early stop."""

    def __init__(self, objective: _Objective, stop: EarlyStop) -> None:
        self.objective, self.stop = objective, stop
        self.lowest, self.epoch = math.inf, -1
        self.weights: dict[str, Tensor] = {}

    @torch.no_grad()
    def ends_after(self, epoch: int) -> bool:
        """Look at the weights after an epoch (from 0); whether training is to end."""
        data, objective = self.stop.data, self.objective
        size = samples_at_once(objective.simulation.network, objective.time_steps, data.device)
        parts = list(batches(len(data), size))
        sums = [float(objective.merit(data.take(part))) * (part.stop - part.start) for part in parts]
        if sum(sums) < self.lowest:
            self.lowest, self.epoch = sum(sums), epoch
            self.weights = weights_of(self.objective.simulation)
        return epoch - self.epoch >= self.stop.patience

    @property
    def state(self) -> BestEpoch:
        """The best epoch so far."""
        return BestEpoch(self.lowest, self.epoch, self.weights)

    def go_on_from(self, found: BestEpoch) -> None:
        """Take the best epoch of those that were done before."""
        self.lowest, self.epoch, self.weights = found.lowest, found.epoch, found.weights

    def restore(self) -> None:
        """Go back to the best weights."""
        if self.weights:
            self.objective.simulation.load_state_dict(self.weights)
