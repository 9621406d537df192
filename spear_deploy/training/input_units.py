"""Units of analog inputs that a fine-tune does not depend on: of each feature or channel its own, and its offset.

A network that is trained on standardised measurements carries what standardised them in its first weights: a pressure
of 1013 +- 5 has small ones and a large bias beside them. A step of the usual size there moves membranes by a thousand.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spear_deploy.data import EncodedSplit
from spear_deploy.data.drawing import drawn
from spear_deploy.network import Network
from spear_deploy.network.device import as_float64
from spear_deploy.network.linear import Weighted

SAMPLES = 256
"""Drawn of the training samples, to see where inputs lie and how far apart: so many, if they are not large."""

VALUES = 2**22
"""Looked at in all."""

USUAL = 16.0
"""Features of a root mean square up to this are left as they are, unless their weights are above it."""

_FINEST = 2.0**-12
"""Of a feature's size: less than that is no difference between samples, but how its numbers are rounded."""


@dataclass(frozen=True)
class Columns:
    """What a layer's weights for each of its inputs are multiples of, `[C]`: 1 where all is usual.

    Attributes:
        unit: a power of two, one over how far samples lie apart.
        mean: where samples lie, of inputs that are not usual.

    """

    unit: Tensor
    mean: Tensor


def columns_of(
    network: Network, name: str, weight: Tensor, data: EncodedSplit, *, centred: bool, membrane: float
) -> Columns | None:
    """Those of a layer that hears analog inputs alone; None of any other, and where all inputs are usual.

    Nor are there any where weights leave inputs as large as they are, for membranes with a unit (`membrane`) that is
    smaller: a neuron's gain or another layer may have taken theirs. `centred` is whether what the layer adds can make
    up for a mean; without, an input's size stands for its spread.
    """
    if not data.analog or not _hears_inputs(network, name):
        return None
    inputs = drawn(data, max(1, min(SAMPLES, VALUES // drawn(data, 1).inputs.numel()))).inputs
    samples = as_float64((inputs[:1] if inputs.stride(0) == 0 else inputs).flatten(0, 1))
    places = samples.flatten(1) if weight.ndim == 2 else samples.transpose(0, 1).flatten(1).T
    if places.shape[1] != weight.shape[1]:  # the channels of grouped convolutions are told apart by no column
        return None
    mean, size = places.mean(0), places.square().mean(0).sqrt()
    column = torch.linalg.vector_norm(as_float64(weight).transpose(0, 1).flatten(1), dim=1)
    unusual = (size > USUAL) | (size > 0) & (column > USUAL * membrane)
    unusual &= size.isfinite()
    if not bool(unusual.any()):
        return None
    spread = places.std(0, correction=0).maximum(_FINEST * size) if centred else size
    heard = (as_float64(weight).flatten(2) if weight.ndim > 2 else as_float64(weight)[..., None]).square().sum(2)
    if float((heard @ spread.square()).mean().sqrt()) > USUAL * membrane:
        return None
    unit = torch.where(unusual, torch.exp2(-spread.log2().round()), 1.0)
    return Columns(unit, torch.where(unusual, mean, 0.0))


class Centred(nn.Module):
    """A bias that is held as what a layer adds where its inputs are at their mean, in multiples of a unit."""

    mean: Tensor
    unit: Tensor

    def __init__(self, layer: nn.Module, mean: Tensor, unit: Tensor) -> None:
        super().__init__()
        self._layer = (layer,)  # in a tuple it is no part of its own part
        self.register_buffer("mean", mean)
        self.register_buffer("unit", unit)

    def forward(self, multiples: Tensor) -> Tensor:
        """The bias."""
        return multiples * self.unit - self._heard()

    def right_inverse(self, bias: Tensor) -> Tensor:
        """What it is held as."""
        return (bias + self._heard()) / self.unit

    def _heard(self) -> Tensor:
        weight: Tensor = self._layer[0].weight  # type: ignore[assignment]
        return weight.flatten(2).sum(2) @ self.mean if weight.ndim > 2 else weight @ self.mean


def _hears_inputs(network: Network, name: str) -> bool:
    """Whether a layer hears inputs alone, and what lies between holds no weights."""
    ways = [way for way in network.connections if name in way.path]
    return bool(ways) and all(
        way.source == network.input
        and not any(isinstance(network.nodes[each], Weighted) for each in way.path[: way.path.index(name)])
        for way in ways
    )
