"""What a backend lets us see of a run beside its outputs: the ranges of states, and synapses reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from spear_deploy.network import Connection


@dataclass(frozen=True)
class StateRange:
    """From the smallest to the largest value of a state, in the units of the float network."""

    low: float
    high: float

    def __or__(self, other: StateRange) -> StateRange:
        return StateRange(min(self.low, other.low), max(self.high, other.high))

    @property
    def size(self) -> float:
        """The largest magnitude."""
        return max(abs(self.low), abs(self.high))


@dataclass(frozen=True)
class LayerStates:
    """What the states of a layer were after the steps, resets included.

    Attributes:
        u: the synaptic current; None for neurons without one.
        v: the membrane.
        filled: largest share of the chip's range that the membrane took before a reset; None in
            floating point, and where the backend does not show it.

    """

    u: StateRange | None
    v: StateRange
    filled: float | None = None

    def __or__(self, other: LayerStates) -> LayerStates:
        u = self.u if self.u is None or other.u is None else self.u | other.u
        filled = None if self.filled is None or other.filled is None else max(self.filled, other.filled)
        return LayerStates(u, self.v | other.v, filled)


@dataclass(frozen=True)
class Watched:
    """A batch that a backend ran under observation.

    Attributes:
        outputs: of every layer, `[T, B, *shape]`.
        states: by layer.
        fan_out: synapses that a spike reached there; None where they are the model's own.

    """

    outputs: Mapping[str, Tensor]
    states: Mapping[str, LayerStates]
    fan_out: Mapping[Connection, Tensor] | None = None


def range_of(values: Tensor, unit: float = 1.0) -> StateRange:
    """The range of a state, given what 1 in the float network is in it."""
    low, high = values.aminmax()
    return StateRange(float(low) / unit, float(high) / unit)


def joined(parts: Iterable[Mapping[str, LayerStates]]) -> dict[str, LayerStates]:
    """The ranges over several batches."""
    found: dict[str, LayerStates] = {}
    for part in parts:
        for layer, states in part.items():
            found[layer] = found[layer] | states if layer in found else states
    return found
