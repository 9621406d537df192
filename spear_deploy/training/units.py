"""Units that a fine-tune does not depend on: those that a network's weights have, as labels or inputs give them.

An optimiser's steps are numbers, fit for weights of the size that layers are initialised with, and surrogate gradients
are as wide as membranes are that reach a threshold of 1. Weights of another unit are learned as multiples of it, and
spikes of neurons with larger thresholds by wider gradients.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from spear_deploy.data import EncodedSplit
from spear_deploy.data.drawing import drawn
from spear_deploy.network import Model, Network, Neuron, ReadOut, Simulation, batches, samples_at_once
from spear_deploy.network.device import as_float64
from spear_deploy.network.linear import Weighted
from spear_deploy.network.neuron_layer import NeuronLayer
from spear_deploy.network.surrogate import Surrogate
from spear_deploy.training.input_units import Centred, columns_of
from spear_deploy.training.losses import scores_of

SAMPLES = 64
"""Drawn of the training samples, to see how large inputs are."""

USUAL = 16.0
"""Rows of weights have a norm of .6 where they are initialised, and of .2 to 4.5 in trained networks. Up to so
many times 1 and down to one over it they are left as they are."""

_MOST = 2.0**60
"""Thresholds above are for neurons that never spike."""

IN_UNITS = 4.0
"""The norm of a row in its unit: the upper end of what is usual, so that relative steps are rather small ones."""


@torch.no_grad()
def learn_in_units(simulation: Simulation, data: EncodedSplit) -> None:
    """Make the optimiser see weights as multiples of a unit, where their size is unusual, and their biases with them.

    The unit is a power of two, so that products with it are exact. Of a neuron's membrane it is that of its way to the
    threshold, where this is above 1: the surrogate gradient is as wide. Weights have the unit of the membranes that
    they lead to (the median), where their size allows it, else that of their own size, the root mean square of the
    norms of a layer's rows; before a read-out that does not spike each row, which tells a value of its own, has its
    own. A bias has the unit of its weights times that of what these hear: of analog inputs their root mean square where
    it is above 1. Weights that hear analog inputs of an unusual size have a unit for each of these as well, and their
    biases stand for what is added where inputs are at their mean (`input_units`). Weights that stand in several places,
    and parameters that are not trained, stay as they are.
    """
    network, shared = simulation.network, {name for places in simulation.shared for name in places}
    telling, widths = _before_values(network), {name: _widths(neuron) for name, neuron in network.neurons.items()}
    for name, width in widths.items():
        layer = simulation.module(name)
        if isinstance(layer, NeuronLayer) and isinstance(layer.spike, Surrogate) and (width > 1).any():
            each = np.asarray(width if np.ptp(width) else width.flat[0])
            layer.spike = layer.spike.as_wide_as(torch.as_tensor(each, dtype=layer.dtype, device=layer.beta.device))
    for name in sorted(
        name for name, node in network.nodes.items() if isinstance(node, Weighted) and name not in shared
    ):
        module = simulation.module(name)
        weight, bias = module.get_parameter("weight"), getattr(module, "bias", None)
        adds = bias is not None and bias.requires_grad and bool(bias.any())
        led_to = {_middle(widths[way.target]) for way in network.connections if name in way.path}
        membrane = led_to.pop() if len(led_to) == 1 else 1.0
        columns = None
        if weight.requires_grad:
            columns = columns_of(network, name, weight, data, centred=adds, membrane=membrane)
        by_input = 1.0 if columns is None else columns.unit.to(weight)[(..., *[None] * (weight.ndim - 2))]
        size = _size(weight / by_input, by_row=name in telling)
        unit = _unit(size, membrane)
        if bool((unit == 1).all()) and columns is None:
            continue
        heard = _size_of_inputs(data) if network.input in network.sources(name) and columns is None else 1.0
        if weight.requires_grad:
            by_row = unit.to(weight).reshape(-1, *[1] * (weight.ndim - 1))
            register_parametrization(module, "weight", _Multiples(by_row * by_input))
        if bias is not None and bias.requires_grad:
            added = torch.where(unit == 1, unit, unit * heard).to(bias)
            centred = columns.mean.to(weight) if columns is not None and adds else None
            held = _Multiples(added) if centred is None else Centred(module, centred, added)
            register_parametrization(module, "bias", held)


@torch.no_grad()
def unit_of_scores(model: Model, simulation: Simulation, data: EncodedSplit) -> float:
    """The unit in which a softmax takes the membranes that a model's classes are read from; 1 where all is usual.

    From differences of 16 and more between classes on a softmax answers 0 or 1, and its gradients are steps.
    """
    if not model.objective.tells_classes or model.read_out is ReadOut.COUNT:
        return 1.0
    few = drawn(data, SAMPLES)
    squares = []
    for part in batches(len(few), samples_at_once(model.network, model.time_steps, data.device)):
        scores = scores_of(simulation(few.take(part).inputs).output, model.read_out, model.population)
        scores = as_float64(scores)
        squares.append((scores - scores.mean(1, keepdim=True)).square().mean(1))
    size = float(torch.cat(squares).mean().sqrt())
    return 2.0 ** round(math.log2(size / IN_UNITS)) if USUAL < size < math.inf else 1.0


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


def _widths(neuron: Neuron) -> NDArray[np.float64]:
    """By neurons that spike, the power of two nearest to the way of a membrane to its threshold, and at least 1.

    The way from where it rests, or is reset to if that is nearer: both may be offset as the threshold is.
    """
    if neuron.threshold is None:
        return np.ones(neuron.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = 0.0 if neuron.offset is None else np.where(neuron.beta < 1, neuron.offset / (1 - neuron.beta), 0.0)
    way = np.abs(neuron.threshold - rest)
    if neuron.reset_value is not None:
        way = np.minimum(way, np.abs(neuron.threshold - neuron.reset_value))
    found: NDArray[np.float64] = np.exp2(np.round(np.log2(np.clip(way, 1.0, _MOST))))
    return found


def _middle(widths: NDArray[np.float64]) -> float:
    """The median, and no mean of two."""
    return float(np.quantile(widths, 0.5, method="lower")) if widths.size else 1.0


def _size(weight: Tensor, *, by_row: bool) -> Tensor:
    """The norm of each row of weights `[R, ...]`: `[R]`, or the root mean square of those that are not 0, `[1]`."""
    size = torch.linalg.vector_norm(as_float64(weight).flatten(1), dim=1)
    whole: Tensor = size[size > 0].square().mean(0, keepdim=True).sqrt()
    return size if by_row else whole


def _unit(size: Tensor, membrane: float) -> Tensor:
    """The unit of weights of a size that lead to membranes with a unit of their own; 1 where all is usual.

    Before a high threshold no multiple is below 1: small weights may lead there too, if there are many.
    """
    unusual = (size > USUAL) | (size < 1 / USUAL) & (size > 0)
    own = torch.where(unusual & size.isfinite(), torch.exp2((size / IN_UNITS).log2().round()), 1.0)
    shared = torch.exp2(size.log2().floor()).clamp(1, membrane)
    return torch.where((shared > 1) & (size <= shared * USUAL), shared, own)


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
