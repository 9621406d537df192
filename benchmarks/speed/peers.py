"""The same network in the libraries that are installed, each as its users run it."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import snntorch
import torch
from torch import Tensor, nn

from benchmarks.speed.nets import BETA, Net
from spear_deploy.network import Simulation

Run = Callable[[Tensor], Tensor]
"""From inputs `[T, B, *input_shape]` to outputs `[T, B, classes]`."""


def ours(net: Net) -> tuple[nn.Module, Run]:
    """Our simulation."""
    simulation = Simulation(net.model().graph)
    return simulation, lambda x: simulation(x).output


def by_snntorch(net: Net) -> tuple[nn.Module, Run]:
    """snnTorch's loop over time."""
    module = net.made()

    def run(x: Tensor) -> Tensor:
        for part in module:
            if _is_neuron(part):
                part.reset_mem()
        return torch.stack([module(step) for step in x])

    return module, run


def by_spikingjelly(net: Net) -> tuple[nn.Module, Run]:
    """SpikingJelly in its multi-step mode."""
    from spikingjelly.activation_based import functional, neuron
    from spikingjelly.activation_based import surrogate as theirs

    def neurons() -> nn.Module:
        made: nn.Module = neuron.LIFNode(
            tau=1 / (1 - BETA), decay_input=False, v_reset=0.0, detach_reset=True, surrogate_function=theirs.ATan()
        )
        made.step_mode = "m"
        return made

    module = _with_neurons(net, neurons)

    def run(x: Tensor) -> Tensor:
        functional.reset_net(module)
        return _layer_by_layer(module, x)

    return module, run


def by_sinabs(net: Net) -> tuple[nn.Module, Run]:
    """sinabs, whose neurons take all steps at once, samples first."""
    import math

    from sinabs.activation import MembraneReset
    from sinabs.layers import LIF

    class TimeSecond(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.neurons = LIF(tau_mem=-1 / math.log(BETA), norm_input=False, reset_fn=MembraneReset())

        def forward(self, x: Tensor) -> Tensor:
            self.neurons.reset_states()
            sent: Tensor = self.neurons(x.transpose(0, 1)).transpose(0, 1)
            return sent

    module = _with_neurons(net, TimeSecond)
    return module, lambda x: _layer_by_layer(module, x)


def by_norse(net: Net) -> tuple[nn.Module, Run]:
    """norse's loop: its recurrent layer for a recurrent network, its box neurons for the others."""
    import norse.torch as norse

    class Stepped(nn.Module):
        def __init__(self, cell: nn.Module) -> None:
            super().__init__()
            self.cell = cell

        def forward(self, x: Tensor) -> Tensor:
            state, sent = None, []
            for step in x:
                output, state = self.cell(step, state)
                sent.append(output)
            return torch.stack(sent)

    parts: list[nn.Module] = []
    for part in net.made():
        if isinstance(part, snntorch.RSynaptic):
            size = part.linear_features
            parts[-1:] = [Stepped(norse.LIFRecurrentCell(parts[-1].in_features, size))]
        else:
            parts.append(Stepped(norse.LIFBoxCell()) if _is_neuron(part) else part)
    module = nn.Sequential(*parts)
    return module, lambda x: _layer_by_layer(module, x)


class _Changing(nn.Module):
    """In a neuron's place: an image that every step shows leaves it as neurons would, step by step."""

    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous()


def products_alone(net: Net) -> tuple[nn.Module, Run]:
    """The network's products and pools without its neurons: no library can be faster."""
    module = nn.Sequential(*(_Changing() if _is_neuron(part) else part for part in net.made()))
    return module, lambda x: _layer_by_layer(module, x)


def _is_neuron(part: nn.Module) -> bool:
    return isinstance(part, snntorch.SpikingNeuron)


def _with_neurons(net: Net, neurons: Callable[[], nn.Module]) -> nn.Sequential:
    made = net.made()
    if any(isinstance(part, snntorch.RSynaptic) for part in made):
        raise NotImplementedError("has no such recurrent layer")
    return nn.Sequential(*(neurons() if _is_neuron(part) else part for part in made))


def _layer_by_layer(module: nn.Sequential, x: Tensor) -> Tensor:
    """All steps of a layer before the next; what has no memory sees steps as samples, and a static image once."""
    for part in module:
        if any(True for _ in part.parameters(recurse=False)) or isinstance(part, nn.AvgPool2d | nn.Flatten):
            static = len(x) > 1 and x.stride(0) == 0
            seen = part(x[0] if static else x.flatten(0, 1))
            x = seen.expand(len(x), *seen.shape) if static else seen.reshape(*x.shape[:2], *seen.shape[1:])
        else:
            x = part(x)
    return x


PEERS: dict[str, Callable[[Net], tuple[nn.Module, Run]]] = {
    "snntorch": by_snntorch,
    "spikingjelly": by_spikingjelly,
    "sinabs": by_sinabs,
    "norse": by_norse,
}


def installed() -> dict[str, str]:
    """The peers that are there, and their versions."""
    found = {}
    for name in PEERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
