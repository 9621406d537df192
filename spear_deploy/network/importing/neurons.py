"""The neurons of snnTorch and SpikingJelly as values: which state they keep, and their constants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import snntorch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spear_deploy.errors import ModelError
from spear_deploy.network.importing import spikingjelly
from spear_deploy.network.neuron import Neuron, Reset

Shape = tuple[int, ...]

_STATE_FUNCTIONS = {"_base_sub": Reset.SUBTRACT, "_base_zero": Reset.ZERO, "_base_int": Reset.NONE}


@dataclass(frozen=True)
class Kind:
    """What `forward` of a neuron class takes after its input, and what it returns."""

    states: tuple[str, ...]
    outputs: tuple[str, ...]
    recurrent: bool = False


KINDS: dict[type[nn.Module], Kind] = {
    snntorch.Leaky: Kind(("mem",), ("spk", "mem")),
    snntorch.Lapicque: Kind(("mem",), ("spk", "mem")),
    snntorch.Synaptic: Kind(("syn", "mem"), ("spk", "syn", "mem")),
    snntorch.RLeaky: Kind(("spk", "mem"), ("spk", "mem"), recurrent=True),
    snntorch.RSynaptic: Kind(("spk", "syn", "mem"), ("spk", "syn", "mem"), recurrent=True),
}


_SPIKINGJELLY = Kind((), ("spk",))
"""Its neurons keep their state to themselves, and give spikes."""

_SPIKINGJELLY_READ_OUT = Kind((), ("mem",))
"""Those without a threshold give their membranes."""


def kind_of(module: nn.Module) -> Kind | None:
    """The kind of a neuron, also of a subclass that runs as its parent does."""
    if spikingjelly.is_neuron(module):
        return _SPIKINGJELLY_READ_OUT if spikingjelly.gives_membranes(module) else _SPIKINGJELLY
    base = runs_as(module, KINDS)
    return None if base is None else KINDS[base]


def runs_as(module: nn.Module, known: Iterable[type[nn.Module]]) -> type[nn.Module] | None:
    """The known class whose `forward` a module runs: its own or, if it changes nothing there, its parent's."""
    known = set(known)
    base = next((base for base in type(module).__mro__ if base in known), None)
    return base if base is not None and type(module).forward is base.forward else None


def heaviside(x: Tensor) -> Tensor:
    """1 where x > 0, in the precision of x (snnTorch's surrogates all return float32)."""
    return (x > 0).to(x.dtype)


def check_neuron(module: Any, name: str) -> None:
    """Refuse settings that change what the neuron does in a way NIR cannot say.

    Raises:
        ModelError: names the neuron and the setting, with the way out.

    """
    if spikingjelly.is_neuron(module):
        spikingjelly.check(module, name)
        return
    if module.state_quant:
        raise ModelError(f"{name}: state_quant is not supported; train without it and let the chip's format do it")
    if module.inhibition:
        raise ModelError(f"{name}: inhibition (one winner a step) has no NIR node; train without it")
    if isinstance(module, snntorch.RSynaptic) and not module.reset_delay:
        raise ModelError(
            f"{name}: RSynaptic(reset_delay=False) does not run in snnTorch 1.0 itself; use reset_delay=True"
        )
    if not (size := spike_size(module)).gt(0).all():
        raise ModelError(
            f"{name}: graded_spikes_factor must be positive, found {float(size[~size.gt(0)].flatten()[0]):g}"
        )
    run = _STATE_FUNCTIONS[module.state_function.__name__]
    if run is not Reset(module.reset_mechanism) or int(module.reset_mechanism_val) != _value_of(run):
        raise ModelError(
            f"{name}: it was built with reset {run} and later set to {module.reset_mechanism}"
            f" ({int(module.reset_mechanism_val)}), which snnTorch does not follow; build it with the reset it has"
        )
    probe = torch.tensor([-2.0, -1e-3, 0.0, 1e-3, 2.0]).repeat(16)
    try:
        spikes = module.spike_grad(probe)
    except Exception as error:  # a user's function may raise anything
        raise ModelError(f"{name}: its spike_grad failed on a plain tensor ({type(error).__name__})") from None
    if not torch.equal(spikes.double(), heaviside(probe).double()):
        raise ModelError(f"{name}: its spike_grad does not spike exactly where the membrane exceeds the threshold")


def neuron_of_module(module: Any, name: str, shape: Shape, dt_s: float, *, spiking: bool = True) -> Neuron:
    """The discrete-time constants of an snnTorch neuron, spread over the layer.

    Args:
        module: one of `KINDS` or of SpikingJelly, already in float64.
        name: for messages.
        shape: shape of the layer.
        dt_s: seconds that one time step stands for.
        spiking: False for a read-out whose membrane is used and whose spikes are not.

    Raises:
        ModelError: a setting that NIR cannot say.

    """
    if spikingjelly.is_neuron(module):
        return spikingjelly.neuron_of(module, shape, dt_s)
    reset = Reset(module.reset_mechanism)
    if not spiking and reset is not Reset.NONE:
        raise ModelError(
            f"{name}: its membrane is read, but spikes reset it (reset_mechanism {reset});"
            " build a read-out with reset_mechanism='none', or read its spikes"
        )
    delay = bool(getattr(module, "reset_delay", True))
    # All but Leaky lose the input of the step in which they are reset to zero.
    hold = reset is Reset.ZERO and delay and not isinstance(module, snntorch.Leaky)
    beta, gain = _membrane(module)
    if isinstance(module, snntorch.Lapicque) and not 0 <= float(beta) <= 1:
        raise ModelError(
            f"{name}: its membrane keeps 1 - time_step / (R C) = {float(beta):.4g} of itself a step, outside [0, 1]"
        )
    alpha = getattr(module, "alpha", None)
    return Neuron(
        beta=spread(beta, shape, name, "beta"),
        gain=spread(gain, shape, name, "gain"),
        threshold=spread(module.threshold, shape, name, "threshold") if spiking else None,
        alpha=None if alpha is None else spread(alpha.clamp(0, 1), shape, name, "alpha"),
        reset=Reset.ZERO_HOLD if hold else reset,
        reset_delay=delay and reset is not Reset.NONE,
        dt_s=dt_s,
    )


def keeps_state(module: Any) -> bool:
    """Whether a neuron's state is its own, and not what its caller hands it and takes back."""
    kind = kind_of(module)
    return kind is None or not kind.states or kind.recurrent or bool(module.init_hidden)


def ready(module: Any) -> None:
    """Make a neuron of the copy run in double precision."""
    if not spikingjelly.is_neuron(module):
        module.spike_grad = heaviside


def start(module: nn.Module) -> None:
    """Set a neuron's hidden state to its start."""
    if spikingjelly.is_neuron(module):
        spikingjelly.reset(module)
        return
    kind = kind_of(module)
    for state in () if kind is None else kind.states:
        setattr(module, state, torch.zeros(0, dtype=torch.float64))


def spike_size(module: Any) -> Tensor:
    """The value that a spike carries on, one for all neurons or one of each."""
    return torch.as_tensor(getattr(module, "graded_spikes_factor", 1.0)).detach()


def learns_spike_size(module: Any) -> bool:
    """Whether that value is a parameter."""
    return bool(getattr(getattr(module, "graded_spikes_factor", None), "requires_grad", False))


def spread(value: Tensor, shape: Shape, name: str, key: str) -> NDArray[np.float64]:
    """A parameter spread over the layer as torch broadcasts it against `[B, *shape]`."""
    array = value.detach().cpu().double().numpy()
    try:
        full: NDArray[np.float64] = np.broadcast_to(array, (1, *shape))[0].copy()
        return full
    except ValueError:
        raise ModelError(f"{name}: {key} has shape {array.shape}, the layer {shape}") from None


def _membrane(module: Any) -> tuple[Tensor, Tensor]:
    """Decay and input gain of the membrane."""
    if isinstance(module, snntorch.Lapicque):
        step = module.time_step / (module.R * module.C)
        return 1 - step, module.R * (1 / (module.R * module.C)) * module.time_step
    return module.beta.clamp(0, 1), torch.ones(())


def _value_of(reset: Reset) -> int:
    values: dict[str, int] = snntorch.SpikingNeuron.reset_dict
    return values[str(reset)]
