"""What rounding a network cost, connection by connection, and how much room is left."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from spear_deploy.backends.fixed_point.quantized import QuantizedNetwork


@dataclass(frozen=True)
class RoundingLoss:
    """One connection into a layer, rounded.

    Attributes:
        layer: the neuron layer.
        source: where the connection comes from.
        weight_bits: of its weights, with sign.
        scale: k of the layer: a weight w becomes k w / 2^exponent.
        exponent: of the connection's weights.
        worst_error: largest error of a weight, relative to the largest weight.
        mean_error: mean error of a weight that is not zero, relative to the largest weight.
        weights: weights that were not zero.
        clipped: weights that lay outside the range.
        vanished: weights that became zero.
        headroom: share of the membrane's range that the samples left free before resets; negative where
            it saturated, None without samples.

    """

    layer: str
    source: str
    weight_bits: int
    scale: float
    exponent: int
    worst_error: float
    mean_error: float
    weights: int
    clipped: int
    vanished: int
    headroom: float | None

    @property
    def headroom_bits(self) -> float | None:
        """The same in bits; a membrane that never moved left all of them."""
        if self.headroom is None:
            return None
        return math.inf if self.headroom == 1 else -math.log2(1 - self.headroom)


def rounding_losses(quantized: QuantizedNetwork, filled: Mapping[str, float | None]) -> tuple[RoundingLoss, ...]:
    """The losses of all connections.

    Args:
        quantized: the network.
        filled: by layer, the largest share of the range that its membrane took before a reset.

    """
    return tuple(
        RoundingLoss(
            layer=layer.name,
            source=found.connection.source,
            weight_bits=found.weight_bits,
            scale=layer.scale,
            exponent=found.exponent,
            worst_error=found.rounding.worst,
            mean_error=found.rounding.mean,
            weights=found.rounding.weights,
            clipped=found.rounding.clipped,
            vanished=found.rounding.vanished,
            headroom=None if (share := filled.get(layer.name)) is None else 1 - share,
        )
        for layer in quantized.layers
        for found in layer.synapses
    )
