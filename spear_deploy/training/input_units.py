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
from spear_deploy.training.recipe import Recipe

SAMPLES = 256
"""Drawn of the training samples, to see where inputs lie and how far apart: so many, if they are not large."""

VALUES = 2**22
"""Looked at in all."""

USUAL = 16.0
"""Features of a root mean square up to this are usual by themselves, as are weights for one of them up to this norm."""

MOST_MOVED = 128.0
"""What a layer hears where its inputs are at their mean and all weights of a row are 1, up to which inputs are usual.

Weights for inputs that lie away from zero move a membrane all together. Digits and MNIST, shifted and scaled, take no
harm of Adam's usual steps (5e-3) up to some 200, and are wiped out from 300 on: a step moves membranes by their way to
the threshold, 1.
"""

FOLLOWED = 4.0
"""A unit is at most this many times what makes weights for an input as heavy as those for others: a pixel that hardly
ever differs from a constant would have a very large one, and its weights would be anything where it does."""


@dataclass(frozen=True)
class Columns:
    """What a layer's weights for each of its inputs are multiples of, as its rows see them: `[R, C]`.

    Attributes:
        unit: a power of two, one over how far samples lie apart.
        mean: where samples lie.

    """

    unit: Tensor
    mean: Tensor


def columns_of(
    network: Network, name: str, weight: Tensor, data: EncodedSplit, *, centred: bool, membrane: float
) -> Columns | None:
    """Those of a layer that hears analog inputs alone; None of any other, and where inputs are usual.

    Nor are there any where weights leave inputs as large as they are, for membranes with a unit (`membrane`) that is
    smaller: a neuron's gain or another layer may have taken theirs. `centred` is whether what the layer adds can make
    up for a mean; without, an input's size stands for its spread.
    """
    if not data.analog or not _hears_inputs(network, name):
        return None
    inputs = drawn(data, max(1, min(SAMPLES, VALUES // drawn(data, 1).inputs.numel()))).inputs
    samples = as_float64((inputs[:1] if inputs.stride(0) == 0 else inputs).flatten(0, 1))
    places = samples.flatten(1) if weight.ndim == 2 else samples.transpose(0, 1).flatten(1).T
    groups = getattr(network.nodes[name], "groups", 1)
    if places.shape[1] != groups * weight.shape[1]:  # what lies between takes some together
        return None
    mean, size = (each.reshape(groups, -1) for each in (places.mean(0), places.square().mean(0).sqrt()))
    each = as_float64(weight).reshape(groups, -1, weight.shape[1], weight[0, 0].numel())
    column = torch.linalg.vector_norm(each, dim=(1, 3))
    moved = weight[0, 0].numel() * mean.abs().sum(1).max() * min(1.0, Recipe.full_rate_fan_in / weight[0].numel())
    apart = (size > USUAL) | (size > 0) & (column > USUAL * membrane)
    if not bool((apart.any() | (moved > MOST_MOVED * membrane)) & size.isfinite().all()):
        return None
    spread = places.std(0, correction=0).reshape(groups, -1) if centred else size
    if float((each.square().sum(3) @ spread.square()[..., None]).mean().sqrt()) > USUAL * membrane:
        return None
    heard = column * spread
    others = heard[heard > 0].square().mean().sqrt().nan_to_num(1.0)
    largest = FOLLOWED * column / others
    unit = torch.where(column > 0, torch.exp2((1 / spread).minimum(largest).log2().round()), 1.0)
    rows = weight.shape[0] // groups
    return Columns(unit.repeat_interleave(rows, 0), mean.repeat_interleave(rows, 0))


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
        return ((weight.flatten(2).sum(2) if weight.ndim > 2 else weight) * self.mean).sum(1)


def _hears_inputs(network: Network, name: str) -> bool:
    """Whether a layer hears inputs alone, and what lies between holds no weights."""
    ways = [way for way in network.connections if name in way.path]
    return bool(ways) and all(
        way.source == network.input
        and not any(isinstance(network.nodes[each], Weighted) for each in way.path[: way.path.index(name)])
        for way in ways
    )
