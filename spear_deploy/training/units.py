"""Units that a fine-tune does not depend on: those that a network's weights have, as labels or inputs give them.

An optimiser's steps are numbers, fit for weights of the size that layers are initialised with, and surrogate gradients
are as wide as membranes are that reach a threshold of 1. Weights of another unit are learned as multiples of it, and
spikes of neurons with larger thresholds by wider gradients.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from spear_deploy.data import EncodedSplit
from spear_deploy.data.drawing import drawn
from spear_deploy.network import Model, Network, ReadOut, Simulation
from spear_deploy.network.linear import Weighted
from spear_deploy.network.neuron_layer import NeuronLayer
from spear_deploy.network.read_out import read_outputs, two_classes
from spear_deploy.network.surrogate import Surrogate

SAMPLES = 64
"""Drawn of the training samples, to see how large inputs are."""

USUAL = 16.0
"""Rows of weights have a norm of .6 where they are initialised, and of .2 to 4.5 in trained networks. Up to so
many times 1 and down to one over it they are left as they are."""

IN_UNITS = 4.0
"""The norm of a row in its unit: the upper end of what is usual, so that relative steps are rather small ones."""


@torch.no_grad()
def learn_in_units(simulation: Simulation, data: EncodedSplit) -> None:
    """Make the optimiser see weights as multiples of a unit, where their size is unusual, and their biases with them.

    The unit is a power of two, so that products with it are exact. Of a neuron's membrane it is that of its threshold
    where this is above 1, and where it is unusually small as all weights before it are; the surrogate gradient is as
    wide. Weights have the unit of the membrane that they lead to, where their size allows it, else that of their own
    size, the root mean square of the norms of a layer's rows; before a read-out that does not spike each row, which
    tells a value of its own, has its own. A bias has the unit of its weights times that of what these hear: of analog
    inputs their root mean square where it is above 1. Weights that stand in several places, and parameters that are not
    trained, stay as they are.
    """
    network, shared = simulation.network, {name for places in simulation.shared for name in places}
    telling, membranes = _before_values(network), _units_of_membranes(simulation)
    for name, width in membranes.items():
        layer = simulation.module(name)
        if isinstance(layer, NeuronLayer) and isinstance(layer.spike, Surrogate):
            layer.spike = layer.spike.as_wide_as(width)
    for name in sorted(
        name for name, node in network.nodes.items() if isinstance(node, Weighted) and name not in shared
    ):
        module = simulation.module(name)
        size = _size(module.get_parameter("weight"), by_row=name in telling)
        led_to = {membranes.get(each.target, 1.0) for each in network.connections if name in each.path}
        unit = _unit(size, led_to.pop() if len(led_to) == 1 else 1.0)
        if bool((unit == 1).all()):
            continue
        heard = _size_of_inputs(data) if network.input in network.sources(name) else 1.0
        for key, own in (("weight", unit), ("bias", torch.where(unit == 1, unit, unit * heard))):
            values = getattr(module, key, None)
            if values is not None and values.requires_grad:
                register_parametrization(module, key, _Multiples(own.to(values).reshape(-1, *[1] * (values.ndim - 1))))


@torch.no_grad()
def unit_of_membranes(model: Model, simulation: Simulation, data: EncodedSplit) -> float:
    """The unit in which a softmax takes the membranes that a model's classes are read from; 1 where all is usual.

    From differences of 16 and more between classes on a softmax answers 0 or 1, and its gradients are steps.
    """
    if not model.objective.tells_classes or model.read_out is ReadOut.COUNT:
        return 1.0
    scores = two_classes(read_outputs(simulation(drawn(data, SAMPLES).inputs).output, model.read_out), model.read_out)
    between = (scores - scores.mean(1, keepdim=True)).double().square().mean().sqrt().reshape(1)
    return float(_unit(between, 1.0))


class _Multiples(nn.Module):
    """A parameter that is held in multiples of a unit."""

    unit: Tensor

    def __init__(self, unit: Tensor) -> None:
        super().__init__()
        self.register_buffer("unit", unit)

    def forward(self, multiples: Tensor) -> Tensor:
        return multiples * self.unit

    def right_inverse(self, values: Tensor) -> Tensor:
        return values / self.unit


def _units_of_membranes(simulation: Simulation) -> dict[str, float]:
    """By layers of neurons that spike, the unit of their membranes where it is not 1."""
    network, found = simulation.network, dict[str, float]()
    for name, neuron in network.neurons.items():
        if neuron.threshold is None or not neuron.threshold.size:
            continue
        size = float(np.abs(neuron.threshold).mean())
        small = 0 < size < 1 / USUAL and all(
            bool((_size(simulation.module(each).get_parameter("weight"), by_row=False) < 1 / USUAL).all())
            for each in _weights_before(network, name)
        )
        if small or 1 < size < math.inf:
            found[name] = 2.0 ** round(math.log2(size))
    return found


def _weights_before(network: Network, layer: str) -> set[str]:
    """The nodes whose weights lead to a layer without one between."""
    ways = {node for connection in network.connections if connection.target == layer for node in connection.path}
    return {node for node in ways if isinstance(network.nodes[node], Weighted)}


def _size(weight: Tensor, *, by_row: bool) -> Tensor:
    """The norm of each row of weights `[R, ...]`: `[R]`, or the root mean square of those that are not 0, `[1]`."""
    size = torch.linalg.vector_norm(weight.flatten(1), dim=1, dtype=torch.float64)
    whole: Tensor = size[size > 0].square().mean(0, keepdim=True).sqrt()
    return size if by_row else whole


def _unit(size: Tensor, membrane: float) -> Tensor:
    """The unit of weights of a size that lead to a membrane with a unit of its own; 1 where all is usual.

    Before a high threshold no multiple is below 1: small weights may lead there too, if there are many.
    """
    unusual = (size > USUAL) | (size < 1 / USUAL) & (size > 0)
    own = torch.where(unusual & size.isfinite(), torch.exp2((size / IN_UNITS).log2().round()), 1.0)
    if membrane == 1:
        return own
    shared = torch.exp2(size.log2().floor()).clamp(1, membrane) if membrane > 1 else torch.full_like(size, membrane)
    return torch.where((size >= shared / USUAL) & (size <= shared * USUAL), shared, own)


def _before_values(network: Network) -> set[str]:
    """The nodes right before a read-out that does not spike."""
    return set(network.sources(network.read_out)) if network.read_out in network.membranes else set()


def _size_of_inputs(data: EncodedSplit) -> float:
    """The power of two that is nearest to the root mean square of analog inputs, and at least 1."""
    if not data.analog:
        return 1.0
    inputs = drawn(data, SAMPLES).inputs
    inputs = inputs[0] if inputs.stride(0) == 0 else inputs
    size = float(torch.linalg.vector_norm(inputs, dtype=torch.float64)) / math.sqrt(inputs.numel())
    return 2.0 ** round(math.log2(max(size, 1.0))) if math.isfinite(size) else 1.0
