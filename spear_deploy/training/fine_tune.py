"""Fine-tuning a network on encoded data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import nir
import torch
from torch import Tensor
from torch.nn import functional as F

from spear_deploy.data import EncodedSplit
from spear_deploy.measure import SynopsCounter
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


def fine_tune(
    model: Model,
    data: EncodedSplit,
    recipe: Recipe,
    *,
    seed: int,
    penalty: SynopsPenalty | None = None,
    quantiser: Quantiser | None = None,
    on_epoch: Callable[[int], None] | None = None,
) -> Model:
    """Train all weights and biases of a model on data; returns a new model.

    Data that holds outputs is learned from them, else from its labels.
    The order of samples follows from `seed` alone. Denormal numbers are flushed to zero, which
    keeps small networks fast on a CPU. With a quantiser the weights and biases that are returned
    are rounded ones.
    """
    torch.set_flush_denormal(True)
    generator = torch.Generator().manual_seed(seed)
    simulation = Simulation(model.graph)
    if quantiser is not None:
        quantiser(simulation)
    counter = SynopsCounter(model.network)
    optimizer = torch.optim.Adam(simulation.parameters(), lr=recipe.learning_rate)
    steps = recipe.epochs * -(-len(data) // recipe.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    for epoch in range(recipe.epochs):
        for index in torch.split(torch.randperm(len(data), generator=generator), recipe.batch):
            optimizer.zero_grad()
            inputs = data.inputs[:, index]
            trace = simulation(inputs)
            wanted = data.labels[index] if data.outputs is None else data.outputs[index]
            total = loss(trace.output, wanted, model.read_out)
            if penalty is not None:
                total = total + penalty(counter, inputs, trace.outputs, data.analog)
            total.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        if on_epoch is not None:
            on_epoch(epoch + 1)
    return model.with_graph(trained_graph(simulation))


def loss(output: Tensor, wanted: Tensor, read_out: ReadOut) -> Tensor:
    """The training loss of outputs `[T, B, classes]`.

    `wanted` are labels `[B]`, or another network's mean outputs over time `[B, classes]`.

    count: squared distance between firing rates and one-hot labels, or those outputs, summed
    over classes. membrane: cross-entropy of the membrane's mean over time with the labels, or
    with the softmax of those outputs.
    """
    mean = output.mean(0).flatten(1)
    is_label = wanted.ndim == 1
    if read_out is ReadOut.MEMBRANE:
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
                changes[key] = trained.numpy().astype(getattr(node, key).dtype, copy=True)
            nodes[name] = with_arrays(node, changes)
    return nir.NIRGraph(nodes, list(graph.edges), metadata=dict(graph.metadata), type_check=False)
