"""SpikingJelly's neurons and layers, known by where they come from: the library itself is not needed here.

    v[t] = v[t-1] + x[t]                                (IFNode)
    v[t] = v[t-1] + (x[t] - (v[t-1] - v_reset)) / tau   (LIFNode, ParametricLIFNode; decay_input)
    v[t] = v[t-1] - (v[t-1] - v_reset) / tau + x[t]     (without decay_input)
    s[t] = v[t] >= v_threshold
    v[t] <- v_reset, or v[t] - v_threshold where v_reset is None

ParametricLIFNode's 1 / tau is sigmoid(w). Source: SpikingJelly 2.0, activation_based.functional.neuron.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spear_deploy.errors import ModelError
from spear_deploy.network.neuron import Neuron, Reset

Shape = tuple[int, ...]

_PACKAGE = "spikingjelly"
_NEURONS = ("IFNode", "LIFNode", "ParametricLIFNode")
_DROPOUTS = ("Dropout", "Dropout2d")
_TDBN = "ThresholdDependent"


def comes_from(module: nn.Module) -> bool:
    """Whether a module's class is SpikingJelly's own."""
    return type(module).__module__.split(".")[0] == _PACKAGE


def is_neuron(module: nn.Module) -> bool:
    """Whether a module is a neuron that is converted."""
    return comes_from(module) and type(module).__name__ in _NEURONS


def is_other_neuron(module: nn.Module) -> bool:
    """Whether a module is a neuron that is not converted."""
    own = comes_from(module) and type(module).__module__.split(".")[2:3] == ["neuron"]
    return own and not is_neuron(module)


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
    return comes_from(module) and getattr(module, "step_mode", "s") == "m"


def check(module: Any, name: str) -> None:
    """Refuse what cannot be said.

    Raises:
        ModelError: names the neuron and the setting, with the way out.

    """
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
    if type(module).__name__ == "LIFNode":
        loss = 1.0 / float(module.tau)
    elif type(module).__name__ == "ParametricLIFNode":
        loss = float(torch.sigmoid(module.w.detach().double()))
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
    """All time steps of a neuron, one call a step."""
    before, module.step_mode = module.step_mode, "s"  # type: ignore[assignment]
    try:
        return torch.stack([run(step) for step in sequence])
    finally:
        module.step_mode = before
