"""How near each membrane lies to its threshold, in float64."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spear_deploy.exporting.exporter import Outputs
from spear_deploy.network import Model, Simulation
from spear_deploy.network.linear import Delay
from spear_deploy.network.simulation import NeuronLayer


def margins(model: Model, inputs: Tensor, outputs: Outputs) -> dict[str, Tensor]:
    """Relative distance of the membrane from the threshold, `[T, B, *shape]` for each spiking layer.

    Every layer gets the outputs that are given, of the layers before it and its own, so that a
    spike that fell differently in float64 does not spoil what follows.
    """
    network = model.network
    modules = Simulation(model.graph, torch.float64)
    given = {name: output.double() for name, output in outputs.items()}
    found = {}
    with torch.no_grad():
        for name, neuron in network.neurons.items():
            if neuron.threshold is None:
                continue
            forced = _Forced(given[name])
            layer = NeuronLayer(neuron, torch.float64, forced)
            layer(_current(modules, name, inputs.double(), given))
            threshold = torch.as_tensor(neuron.threshold, dtype=torch.float64)
            found[name] = torch.stack(forced.margins).abs() / threshold
    return found


class _Forced:
    """A spike function that fires as it is told and keeps what it was asked."""

    def __init__(self, spikes: Tensor) -> None:
        self.spikes = spikes
        self.margins: list[Tensor] = []

    def __call__(self, margin: Tensor) -> Tensor:
        self.margins.append(margin)
        return self.spikes[len(self.margins) - 1]


def _current(modules: Simulation, name: str, inputs: Tensor, outputs: Outputs) -> Tensor:
    """The sum at a node's input over time, from outputs that are known, `[T, B, *shape]`."""
    network = modules.network
    total = None
    for source in network.sources(name):
        if source == network.input:
            term = inputs
        elif source in network.neurons:
            term = outputs[source]
        else:
            term = _over_time(modules.module(source), _current(modules, source, inputs, outputs))
        if (source, name) in network.feedback:
            term = torch.cat([torch.zeros_like(term[:1]), term[:-1]])
        total = term if total is None else total + term
    assert total is not None  # every node has a source: Network has checked it
    return total


def _over_time(module: nn.Module, x: Tensor) -> Tensor:
    if isinstance(module, Delay):
        late: Tensor = module(x)
        return late
    out: Tensor = module(x.flatten(0, 1))
    return out.reshape(*x.shape[:2], *out.shape[1:])
