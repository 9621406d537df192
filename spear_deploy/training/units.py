"""Units that a fine-tune does not depend on: those that a network's weights have, as labels or inputs give them.

An optimiser's steps are numbers, fit for weights of the size that layers are initialised with. Weights of another unit
are learned as multiples of their own size.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from spear_deploy.data import EncodedSplit
from spear_deploy.data.drawing import drawn
from spear_deploy.network import Network, Simulation
from spear_deploy.network.linear import Weighted

SAMPLES = 64
"""Drawn of the training samples, to see how large inputs are."""

USUAL = 16.0
"""Rows of weights have a norm of .6 where they are initialised, and of .2 to 4.5 in trained networks. Up to so
many times 1 and down to one over it they are left as they are."""

IN_UNITS = 4.0
"""The norm of a row in its unit: the upper end of what is usual, so that relative steps are rather small ones."""


@torch.no_grad()
def learn_in_units(simulation: Simulation, data: EncodedSplit) -> None:
    """Make the optimiser see weights as multiples of their size, where that is unusual, and their biases with them.

    The size is the root mean square of the norms of a layer's rows, the unit a power of two, so that products with it
    are exact; before a read-out that does not spike each row, which tells a value of its own, has its own. A bias has
    the unit of its weights times that of what these hear: of analog inputs their root mean square where it is above 1.
    Weights that stand in several places, and parameters that are not trained, stay as they are.
    """
    network, shared = simulation.network, {name for places in simulation.shared for name in places}
    telling = _before_values(network)
    for name in sorted(
        name for name, node in network.nodes.items() if isinstance(node, Weighted) and name not in shared
    ):
        module = simulation.module(name)
        unit = _unit(module.get_parameter("weight"), by_row=name in telling)
        if bool((unit == 1).all()):
            continue
        heard = _size_of_inputs(data) if network.input in network.sources(name) else 1.0
        for key, own in (("weight", unit), ("bias", torch.where(unit == 1, unit, unit * heard))):
            values = getattr(module, key, None)
            if values is not None and values.requires_grad:
                register_parametrization(module, key, _Multiples(own.to(values).reshape(-1, *[1] * (values.ndim - 1))))


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


def _unit(weight: Tensor, *, by_row: bool) -> Tensor:
    """The unit of each row of weights `[R, ...]`: `[R]`, or `[1]` for all."""
    size = torch.linalg.vector_norm(weight.flatten(1), dim=1, dtype=torch.float64)
    if not by_row:
        size = size[size > 0].square().mean(0, keepdim=True).sqrt()
    unusual = (size > USUAL) | (size < 1 / USUAL) & (size > 0)
    return torch.where(unusual & size.isfinite(), torch.exp2((size / IN_UNITS).log2().round()), 1.0)


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
