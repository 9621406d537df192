"""SpikingJelly's neurons and layers, known by where they come from: the library itself is not needed here.

    v[t] = v[t-1] + x[t]                                (IFNode)
    v[t] = v[t-1] + (x[t] - (v[t-1] - v_reset)) / tau   (LIFNode, ParametricLIFNode; decay_input)
    v[t] = v[t-1] - (v[t-1] - v_reset) / tau + x[t]     (without decay_input)
    s[t] = v[t] >= v_threshold
    v[t] <- v_reset, or v[t] - v_threshold where v_reset is None

ParametricLIFNode's 1 / tau is sigmoid(w). NonSpikingIFNode and NonSpikingLIFNode give v, from 0 and without a
threshold, and decode it over time. Source: SpikingJelly 2.0, activation_based.functional.neuron.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spear_deploy.errors import ModelError
from spear_deploy.network.neuron import Neuron, Reset

Shape = tuple[int, ...]

_PACKAGE = "spikingjelly"
_SPIKING = ("IFNode", "LIFNode", "ParametricLIFNode")
_MEMBRANES = ("NonSpikingIFNode", "NonSpikingLIFNode")
NEURONS = (*_SPIKING, *_MEMBRANES)
"""Those that are converted."""

_DECODED: dict[str | None, Callable[[Tensor], Any]] = {
    None: list,
    "max-mem": lambda membranes: membranes.max(0).values,
    "mean-mem": lambda membranes: membranes.mean(0),
    "last_mem": lambda membranes: membranes[-1],
}
_DROPOUTS = ("Dropout", "Dropout2d")
_TDBN = "ThresholdDependent"


def comes_from(module: nn.Module) -> bool:
    """Whether a module's class is SpikingJelly's own."""
    return type(module).__module__.split(".")[0] == _PACKAGE


def is_neuron(module: nn.Module) -> bool:
    """Whether a module is a neuron that is converted."""
    return comes_from(module) and type(module).__name__ in NEURONS


def gives_membranes(module: nn.Module) -> bool:
    """Whether a neuron gives its membrane instead of spikes."""
    return comes_from(module) and type(module).__name__ in _MEMBRANES


def is_other_neuron(module: nn.Module) -> bool:
    """Whether a module is a neuron that is not converted: another of SpikingJelly's or derived from one."""
    places = (kind.__module__.split(".") for kind in type(module).__mro__)
    return any(place[0] == _PACKAGE and place[2:3] == ["neuron"] for place in places) and not is_neuron(module)


def is_dropout(module: nn.Module) -> bool:
    """Whether a module does nothing in eval mode."""
    return comes_from(module) and type(module).__name__ in _DROPOUTS


def is_voting(module: nn.Module) -> bool:
    """Whether a module averages the outputs that stand for each class."""
    return comes_from(module) and type(module).__name__ == "VotingLayer"


def torch_layer(module: nn.Module, known: Collection[type[nn.Module]]) -> type[nn.Module] | None:
    """The torch layer that one of SpikingJelly's wrappers calls, on one step or on all."""
    if not comes_from(module):
        return None
    base = type(module).__bases__[0]
    name = type(module).__name__
    if name.startswith(_TDBN):  # differs while it trains: in what its weight starts from
        base = next((each for each in known if each.__name__ == name.removeprefix(_TDBN)), base)
    return base if base in known else None


def takes_sequences(module: nn.Module) -> bool:
    """Whether a module runs all time steps in one call, `[T, B, *shape]`."""
    return comes_from(module) and (getattr(module, "step_mode", "s") == "m" or gives_membranes(module))


def check(module: Any, name: str) -> None:
    """Refuse what cannot be said.

    Raises:
        ModelError: names the neuron and the setting, with the way out.

    """
    if gives_membranes(module):
        if module.decode not in _DECODED:
            known = ", ".join(filter(None, _DECODED))
            raise ModelError(f"{name}: decode={module.decode!r} is no read-out; use one of {known}, or None")
        return
    least = 0.0 if module.v_reset is None else float(module.v_reset)
    if not float(module.v_threshold) > least:
        raise ModelError(f"{name}: its threshold {float(module.v_threshold):g} must exceed its start {least:g}")


def reset(module: Any) -> None:
    """Set a module's state to its start, as `functional.reset_net` does between samples."""
    if hasattr(module, "reset"):
        module.reset()


def neuron_of(module: Any, shape: Shape, dt_s: float) -> Neuron:
    """The discrete-time constants of a neuron, spread over the layer.

    It fires where its membrane equals the threshold, ours where it exceeds it: the threshold is
    the next smaller number in single precision, so that both are the same there. Its membrane starts
    at v_reset and leaks towards it, ours is what it exceeds that by.
    """

    def full(value: float) -> Any:
        return np.full(shape, value, dtype=np.float64)

    loss = 0.0
    if type(module).__name__ in ("LIFNode", "NonSpikingLIFNode"):
        loss = 1.0 / float(module.tau)
    elif type(module).__name__ == "ParametricLIFNode":
        loss = float(torch.sigmoid(module.w.detach().double()))
    if gives_membranes(module):
        gain = loss or 1.0
        return Neuron(full(1.0 - loss), full(gain), threshold=None, reset=Reset.NONE, dt_s=dt_s)
    gain = loss if loss and module.decay_input else 1.0
    start = 0.0 if module.v_reset is None else float(module.v_reset)
    threshold = np.nextafter(np.float32(float(module.v_threshold) - start), np.float32(0))
    return Neuron(
        beta=full(1.0 - loss),
        gain=full(gain),
        threshold=full(float(threshold)),
        reset=Reset.SUBTRACT_ONCE if module.v_reset is None else Reset.ZERO,
        dt_s=dt_s,
    )


def steps_of(module: nn.Module, run: Any, sequence: Tensor) -> Tensor:
    """All time steps of a neuron, `[T, B, *shape]`: one call a step, or where it gives membranes one call."""
    if gives_membranes(module):
        before, module.decode = module.decode, None  # type: ignore[assignment]
        try:
            return torch.stack(run(sequence))
        finally:
            module.decode = before
    before, module.step_mode = module.step_mode, "s"  # type: ignore[assignment]
    try:
        return torch.stack([run(step) for step in sequence])
    finally:
        module.step_mode = before


def decoded(module: Any, values: Tensor) -> Any:
    """What a neuron returns of its outputs over time `[T, B, *shape]`."""
    return _DECODED[module.decode](values) if gives_membranes(module) else values
