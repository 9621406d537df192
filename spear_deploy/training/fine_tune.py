"""Fine-tuning a network on encoded data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import nir
import torch
from torch import Tensor
from torch.nn import functional as F

from spear_deploy.data import EncodedSplit
from spear_deploy.measure import SynopsCounter, batches
from spear_deploy.network import Model, ReadOut, Simulation
from spear_deploy.training.recalibration import with_arrays

Quantiser = Callable[[Simulation], None]
"""Makes a simulation round its parameters in every forward pass, with gradients passed through."""


@dataclass(frozen=True)
class Recipe:
    """How to fine-tune: Adam with a cosine schedule from `learning_rate` to 0."""

    epochs: int = 6
    batch: int = 64
    learning_rate: float = 2e-3


@dataclass(frozen=True)
class SynopsPenalty:
    """Draws the SynOps of a network to a target while it is fine-tuned.

        loss + weight * (SynOps of the batch / target - 1)^2

    SynOps are those caused by spikes, per inference; their gradient is the surrogate's. The
    square lets the pull fade where the target is met, so that the network ends at it and not
    somewhere below, as with a one-sided penalty of constant slope.
    """

    target_synops: float
    weight: float = 5.0

    def __call__(self, counter: SynopsCounter, inputs: Tensor, outputs: Mapping[str, Tensor], analog: bool) -> Tensor:
        """The term to add to the loss of one batch."""
        synops = counter.expected(inputs, outputs, analog_input=analog)
        return self.weight * (synops / self.target_synops - 1).square()


@dataclass(frozen=True)
class EarlyStop:
    """Ends a fine-tune that no longer gets better on samples that it does not learn from.

    The loss on `data`, with the penalty if there is one, is taken after every epoch. After
    `patience` epochs without a lower one training ends; the network of the lowest is kept.
    """

    data: EncodedSplit
    patience: int


def fine_tune(
    model: Model,
    data: EncodedSplit,
    recipe: Recipe,
    *,
    seed: int,
    penalty: SynopsPenalty | None = None,
    quantiser: Quantiser | None = None,
    stop: EarlyStop | None = None,
    on_epoch: Callable[[int], None] | None = None,
) -> Model:
    """Train all weights and biases of a model on data; returns a new model.

    Data that holds outputs is learned from them, else from its labels.
    Training runs on the device of the data; the order of samples follows from `seed` alone.
    Denormal numbers are flushed to zero, which keeps small networks fast on a CPU. With a
    quantiser the weights and biases that are returned are rounded ones.
    """
    torch.set_flush_denormal(True)
    generator = torch.Generator().manual_seed(seed)
    simulation = Simulation(model.graph).to(data.device)
    if quantiser is not None:
        quantiser(simulation)
    objective = _Objective(simulation, model.read_out, model.population, SynopsCounter(model.network), penalty)
    best = None if stop is None else _Best(objective, stop)
    optimizer = torch.optim.Adam(simulation.parameters(), lr=recipe.learning_rate)
    steps = recipe.epochs * -(-len(data) // recipe.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    for epoch in range(recipe.epochs):
        for index in torch.split(torch.randperm(len(data), generator=generator), recipe.batch):
            optimizer.zero_grad()
            objective(data.take(index)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        if on_epoch is not None:
            on_epoch(epoch + 1)
        if best is not None and best.ends_after(epoch):
            break
    if best is not None:
        best.restore()
    return model.with_graph(trained_graph(simulation))


@dataclass(frozen=True)
class _Objective:
    """What training makes small, on some samples."""

    simulation: Simulation
    read_out: ReadOut
    population: int
    counter: SynopsCounter
    penalty: SynopsPenalty | None

    def __call__(self, data: EncodedSplit) -> Tensor:
        inputs = data.inputs
        trace = self.simulation(inputs)
        wanted = data.labels if data.outputs is None else data.outputs
        total = loss(trace.output, wanted, self.read_out, self.population)
        if self.penalty is not None:
            total = total + self.penalty(self.counter, inputs, trace.outputs, data.analog)
        return total


class _Best:
    """The weights of the epoch with the lowest loss on the data of an early stop."""

    def __init__(self, objective: _Objective, stop: EarlyStop) -> None:
        self.objective, self.stop = objective, stop
        self.lowest, self.epoch = math.inf, -1
        self.weights: dict[str, Tensor] = {}

    @torch.no_grad()
    def ends_after(self, epoch: int) -> bool:
        """Look at the weights after an epoch (from 0); whether training is to end."""
        data = self.stop.data
        sums = [float(self.objective(data.take(part))) * (part.stop - part.start) for part in batches(len(data))]
        if sum(sums) < self.lowest:
            self.lowest, self.epoch = sum(sums), epoch
            self.weights = {key: value.clone() for key, value in self.objective.simulation.state_dict().items()}
        return epoch - self.epoch >= self.stop.patience

    def restore(self) -> None:
        """Go back to the best weights."""
        if self.weights:
            self.objective.simulation.load_state_dict(self.weights)


def read_outputs(output: Tensor, read_out: ReadOut) -> Tensor:
    """What of outputs `[T, B, *shape]` is learned, `[B, outputs]`: the mean over time, or the last step."""
    return (output[-1] if read_out is ReadOut.LAST else output.mean(0)).flatten(1)


def loss(output: Tensor, wanted: Tensor, read_out: ReadOut, population: int = 1) -> Tensor:
    """The training loss of outputs `[T, B, *shape]`.

    `wanted` are labels `[B]`, or another network's `read_outputs`, `[B, outputs]`. With a population
    of outputs for each class, labels are held against its mean.

    count: squared distance between firing rates and one-hot labels, or those outputs, summed
    over classes. membrane: cross-entropy of the membrane's mean over time with the labels, or
    with the softmax of those outputs. last: the same of the last step.
    """
    mean, wanted = read_outputs(output, read_out), wanted.to(output.device)
    is_label = wanted.ndim == 1
    if is_label and population > 1:
        mean = mean.reshape(len(mean), -1, population).mean(2)
    if read_out is not ReadOut.COUNT:
        return F.cross_entropy(mean, wanted if is_label else wanted.softmax(1))
    target = F.one_hot(wanted, mean.shape[1]).to(mean.dtype) if is_label else wanted
    return (mean - target).square().sum(1).mean()


def trained_graph(simulation: Simulation) -> nir.NIRGraph:
    """The simulation's network with the weights and biases that it has now."""
    graph = simulation.network.graph
    nodes = dict(graph.nodes)
    for name, node in graph.nodes.items():
        keys = [key for key in ("weight", "bias", "scale") if hasattr(node, key)]
        if keys:
            module = simulation.module(name)
            changes = {}
            for key in keys:
                trained = getattr(module, key).detach()
                changes[key] = trained.cpu().numpy().astype(getattr(node, key).dtype, copy=True)
            nodes[name] = with_arrays(node, changes)
    return nir.NIRGraph(nodes, list(graph.edges), metadata=dict(graph.metadata), type_check=False)
