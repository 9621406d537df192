"""One time step of a neuron layer in ONNX: the equation of `Neuron`, operator by operator."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from spear_deploy.exporters.onnx.graph import GraphBuilder
from spear_deploy.network import Neuron, Reset

RESETS = (Reset.ZERO, Reset.ZERO_HOLD, Reset.SUBTRACT, Reset.SUBTRACT_ONCE, Reset.NONE)
"""The kinds of reset that this module can write."""


def add_neuron(
    builder: GraphBuilder, name: str, neuron: Neuron, current: str, states: dict[str, str]
) -> tuple[str, dict[str, str]]:
    """Add one step of a layer.

    Operators and their order are those of the torch simulation, so that float32 rounds alike.

    Args:
        builder: what to add to.
        name: the layer; its output is called so.
        neuron: its constants.
        current: what leads in, `[B, *shape]`.
        states: values of `<name>.v`, and of `<name>.u` with a synaptic current.

    Returns:
        The output (float32 spikes, or the membrane without a threshold) and the new states.

    """
    layer = _Layer(builder, name, neuron)
    u = layer.current(current, states.get(f"{name}.u"))
    late = layer.pending(states[f"{name}.v"])
    v = layer.membrane(states[f"{name}.v"], u, late)
    new = {f"{name}.u": u} if neuron.alpha is not None else {}
    if neuron.threshold is None:
        return builder.add("Identity", [v], name), new | {f"{name}.v": v}
    above = builder.add("Greater", [v, layer.constant("threshold", neuron.threshold)], f"{name}.fires")
    spikes = builder.add("Cast", [above], name, to=TensorProto.FLOAT)
    return spikes, new | {f"{name}.v": layer.reset(v, above, spikes, late)}


class _Layer:
    def __init__(self, builder: GraphBuilder, name: str, neuron: Neuron) -> None:
        self.builder = builder
        self.name = name
        self.neuron = neuron

    def constant(self, key: str, value: Any) -> str:
        """A constant of the layer; one number where it is the same for all neurons."""
        array = np.asarray(value)
        uniform = array.size and (array == array.flat[0]).all()
        return self.builder.constant(f"{self.name}.{key}", array.flat[0] if uniform else array)

    def current(self, current: str, before: str | None) -> str:
        """The synaptic current u."""
        add, neuron = self.builder.add, self.neuron
        u = current
        if not (neuron.gain == 1).all():
            u = add("Mul", [self.constant("gain", neuron.gain), u], f"{self.name}.input")
        if neuron.alpha is not None and before is not None:
            kept = add("Mul", [self.constant("alpha", neuron.alpha), before], f"{self.name}.kept_current")
            u = add("Add", [kept, u], f"{self.name}.current")
        return u

    def pending(self, v: str) -> str | None:
        """Where the membrane still stands above the threshold when the step begins, as a condition."""
        reset = self.neuron.reset
        if self.neuron.threshold is None or reset in (Reset.NONE, Reset.SUBTRACT_ONCE):
            return None
        if reset is Reset.ZERO and not self.neuron.reset_delay:
            return None
        threshold = self.constant("threshold", self.neuron.threshold)
        return self.builder.add("Greater", [v, threshold], f"{self.name}.pending")

    def membrane(self, v: str, u: str, late: str | None) -> str:
        """The membrane after leak, input and a reset that was pending."""
        add, neuron, name = self.builder.add, self.neuron, self.name
        if late is not None and neuron.reset is Reset.ZERO:
            v = self._to_reset_value(v, late, f"{name}.start")
        kept = add("Mul", [self.constant("beta", neuron.beta), v], f"{name}.kept")
        v = add("Add", [kept, u], self._last("leaked", neuron.offset is None and late is None))
        if neuron.offset is not None:
            v = add("Add", [v, self.constant("offset", neuron.offset)], f"{name}.shifted")
        if late is not None and neuron.reset is Reset.ZERO_HOLD:
            v = self._to_reset_value(v, late, f"{name}.held")
        if late is not None and neuron.reset is Reset.SUBTRACT:
            taken = self._times_threshold(late, "taken")
            v = add("Sub", [v, taken], f"{name}.membrane")
        return v

    def reset(self, v: str, above: str, spikes: str, late: str | None) -> str:
        """The membrane that is kept for the next step."""
        neuron = self.neuron
        if neuron.reset_delay or neuron.reset in (Reset.NONE, Reset.ZERO_HOLD):
            return v
        if neuron.reset is Reset.ZERO:
            return self._to_reset_value(v, above, f"{self.name}.reset")
        if neuron.reset is Reset.SUBTRACT_ONCE:
            threshold = self.constant("threshold", neuron.threshold)
            amount = self.builder.add("Mul", [spikes, threshold], f"{self.name}.amount")
            return self.builder.add("Sub", [v, amount], f"{self.name}.reset")
        assert late is not None  # a subtraction always looks at the membrane before the step
        add = self.builder.add
        earlier = add("Cast", [late], f"{self.name}.earlier", to=TensorProto.FLOAT)
        change = add("Sub", [spikes, earlier], f"{self.name}.change")
        threshold = self.constant("threshold", neuron.threshold)
        amount = add("Mul", [change, threshold], f"{self.name}.amount")
        return add("Sub", [v, amount], f"{self.name}.reset")

    def _last(self, word: str, last: bool) -> str:
        return f"{self.name}.membrane" if last else f"{self.name}.{word}"

    def _times_threshold(self, where: str, word: str) -> str:
        number = self.builder.add("Cast", [where], f"{self.name}.{word}_mask", to=TensorProto.FLOAT)
        threshold = self.constant("threshold", self.neuron.threshold)
        return self.builder.add("Mul", [number, threshold], f"{self.name}.{word}")

    def _to_reset_value(self, v: str, where: str, output: str) -> str:
        value = 0.0 if self.neuron.reset_value is None else self.neuron.reset_value
        return self.builder.add("Where", [where, self.constant("reset_value", value), v], output)
