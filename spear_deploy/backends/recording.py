"""What a backend recorded of a run: outputs, ranges of states, synapses reached, integers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from spear_deploy.backends.fixed_point.quantized import QuantizedNetwork
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
class Recording:
    """What a backend did with some samples.

    Attributes:
        outputs: of every layer, `[T, B, *shape]`: spikes, or the membrane of a layer that does not spike.
        states: their ranges by layer, where they were observed.
        fan_out: synapses that a spike reached there, by connection `[*source_shape]`; None where they are the model's.
        integers: the rounded network that ran; None in floating point.

    """

    outputs: Mapping[str, Tensor]
    states: Mapping[str, LayerStates] = field(default_factory=dict)
    fan_out: Mapping[Connection, Tensor] | None = None
    integers: QuantizedNetwork | None = None

    @property
    def samples(self) -> int:
        """How many samples were run: the first ones of those that were given."""
        return next(iter(self.outputs.values())).shape[1]

    def after(self, host: Recording) -> Recording:
        """With the layers that ran on the host before; where fewer samples were run, those of the host alike."""
        before = {layer: output[:, : self.samples] for layer, output in host.outputs.items()}
        return replace(
            self,
            outputs={**before, **self.outputs},
            states={**host.states, **self.states},
            fan_out={**(host.fan_out or {}), **(self.fan_out or {})},
        )


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
