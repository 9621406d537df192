"""What rounding a network cost, connection by connection, and how much room is left."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from spear_deploy.execution.quantized import QuantizedNetwork


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
        clipped: weights that lay outside the range.
        vanished: weights that became zero.
        headroom_bits: bits of the layer's membrane that the samples left free; None without samples.

    """

    layer: str
    source: str
    weight_bits: int
    scale: float
    exponent: int
    worst_error: float
    mean_error: float
    clipped: int
    vanished: int
    headroom_bits: float | None


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
            weight_bits=layer.weight_bits,
            scale=layer.scale,
            exponent=found.exponent,
            worst_error=found.rounding.worst,
            mean_error=found.rounding.mean,
            clipped=found.rounding.clipped,
            vanished=found.rounding.vanished,
            headroom_bits=_headroom(filled.get(layer.name), quantized.format.state_bits),
        )
        for layer in quantized.layers
        for found in layer.synapses
    )


def _headroom(filled: float | None, state_bits: int) -> float | None:
    """-log2 of the share that was filled, at most all bits but the sign; negative where it saturated."""
    if filled is None:
        return None
    return float(state_bits - 1) if filled == 0 else min(-math.log2(filled), float(state_bits - 1))
