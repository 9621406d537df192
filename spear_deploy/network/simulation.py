"""The torch simulation of a network: batched, differentiable, trainable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import nir
import torch
from torch import Tensor, nn

from spear_deploy.errors import ModelError
from spear_deploy.network.graph import Network, module_of
from spear_deploy.network.linear import Delay
from spear_deploy.network.neuron import Neuron
from spear_deploy.network.neuron_layer import TRAINABLE, NeuronLayer
from spear_deploy.network.surrogate import Spike, atan

__all__ = ["Heard", "NeuronLayer", "Simulation", "Trace", "Watch"]

Watch = Callable[[str, Tensor, Tensor], None]
"""Told the layer, its current u and its membrane v `[B, *shape]` after each step, after the reset."""

Heard = Callable[[str, Tensor, Tensor], None]
"""Told the layer, what connections hand it, biases included, and what it sends, `[T, B, *shape]` each."""


@dataclass(frozen=True)
class Trace:
    """What a simulation saw: the output of every neuron layer, `[T, B, *shape]`."""

    outputs: dict[str, Tensor]
    read_out: str

    @property
    def output(self) -> Tensor:
        """The network's own output, `[T, B, *shape]`."""
        return self.outputs[self.read_out]


class Simulation(nn.Module):
    """A network in torch.

    Runs inputs `[T, B, *input_shape]` on the device that they and it are on. Weights and biases
    are parameters. An input that is expanded over time (stride 0, as a static image is) passes
    its first connections once.

    Args:
        graph: the network.
        dtype: precision of everything.
        spike: the surrogate gradient, one of `SURROGATES` or a function of one's own.
        trainable: constants of neurons that become parameters too: beta, alpha, threshold.

    """

    def __init__(
        self,
        graph: nir.NIRGraph,
        dtype: torch.dtype = torch.float32,
        spike: Spike = atan,
        trainable: Iterable[str] = (),
    ) -> None:
        super().__init__()
        constants = frozenset(trainable)
        if not constants <= set(TRAINABLE):
            unknown = ", ".join(sorted(constants - set(TRAINABLE)))
            raise ModelError(f"{unknown} of a neuron cannot be trained, only {', '.join(TRAINABLE)}")
        self.network = Network(graph)
        self.dtype = dtype
        self.names: dict[str, str] = {}
        self._name_modules()
        for name in self.network.nodes:
            if name in (self.network.input, self.network.output):
                continue
            if name in self.network.neurons:
                module: nn.Module = NeuronLayer(self.network.neurons[name], dtype, spike, constants)
            else:
                module = module_of(self.network, name, dtype)
            self.add_module(self.names[name], module)

    def _name_modules(self) -> None:
        """By node, a name that torch takes for a module: its own, where that has no dot and is free."""
        for index, name in enumerate(sorted(self.network.nodes)):
            plain = name.replace(".", "_")
            free = not hasattr(self, plain) and plain not in self.names.values()
            self.names[name] = plain if free else f"node_{index}_{plain}"

    def module(self, name: str) -> nn.Module:
        """The module of one node."""
        return self.get_submodule(self.names[name])

    def trained_neurons(self) -> dict[str, Neuron]:
        """Every neuron layer with the constants that it has now."""
        layers = {name: self.module(name) for name in self.network.neurons}
        return {name: layer.trained() for name, layer in layers.items() if isinstance(layer, NeuronLayer)}

    def forward(self, x: Tensor, watch: Watch | None = None, heard: Heard | None = None) -> Trace:
        """Run the network; x is `[T, B, *input_shape]`, of any type.

        `watch` is told of all states, `heard` of all currents.
        """
        values: dict[str, Tensor] = {self.network.input: cast(x, self.dtype)}
        for stage in self.network.stages:
            if len(stage) == 1 and not self.network.edges.has_edge(stage[0], stage[0]):
                self._run_node(stage[0], values, watch, heard)
            else:
                self._run_loop(stage, values, watch, heard)
        read_out = self.network.read_out
        return Trace({name: values[name] for name in self.network.layers}, read_out)

    def _run_node(self, name: str, values: dict[str, Tensor], watch: Watch | None, heard: Heard | None) -> None:
        if name == self.network.input:
            return
        total = _sum([values[source] for source in self.network.sources(name)])
        if name == self.network.output:
            values[name] = total
        elif name in self.network.neurons and watch is not None:
            states: dict[str, tuple[Tensor, Tensor]] = {}
            values[name] = torch.stack([self._step_node(name, current, states, watch) for current in total])
        elif name in self.network.neurons or isinstance(self.module(name), Delay):
            values[name] = self.module(name)(total)
        else:
            values[name] = _over_time(self.module(name), total)
        if heard is not None and name in self.network.neurons:
            heard(name, total, values[name])

    def _run_loop(self, stage: list[str], values: dict[str, Tensor], watch: Watch | None, heard: Heard | None) -> None:
        """Nodes that depend on each other, one time step after the other."""
        inside = set(stage)
        steps = len(values[self.network.input])
        history: dict[str, list[Tensor]] = {name: [] for name in stage}
        received: dict[str, list[Tensor]] = {name: [] for name in stage if name in self.network.delays}
        states: dict[str, tuple[Tensor, Tensor]] = {}
        currents: dict[str, list[Tensor]] = {name: [] for name in stage if name in self.network.neurons}
        for t in range(steps):
            for name in stage:
                terms = []
                for source in self.network.sources(name):
                    if source not in inside:
                        terms.append(values[source][t])
                    elif source in received:
                        terms += _late(received[source], t, self.network.delays[source])
                    elif (source, name) in self.network.feedback:
                        terms += _late(history[source], t, 1)
                    else:
                        terms.append(history[source][t])
                total = _sum(terms) if terms else self._silence(name, values)
                if heard is not None and name in currents:
                    currents[name].append(total)
                if name in received:
                    received[name].append(total)
                    late = _late(received[name], t, self.network.delays[name])
                    history[name].append(late[0] if late else torch.zeros_like(total))
                else:
                    history[name].append(self._step_node(name, total, states, watch))
        for name in stage:
            values[name] = torch.stack(history[name])
            if heard is not None and name in currents:
                heard(name, torch.stack(currents[name]), values[name])

    def _silence(self, name: str, values: dict[str, Tensor]) -> Tensor:
        """What a node receives in the first step when only feedback leads into it."""
        x = values[self.network.input]
        shape = self.network.shapes[self.network.sources(name)[0]]
        return torch.zeros((x.shape[1], *shape), dtype=self.dtype, device=x.device)

    def _step_node(
        self, name: str, total: Tensor, states: dict[str, tuple[Tensor, Tensor]], watch: Watch | None
    ) -> Tensor:
        module = self.module(name)
        if isinstance(module, NeuronLayer):
            output, states[name] = module.step(total, states.get(name, module.start(total)))
            if watch is not None:
                watch(name, *states[name])
            return output
        stepped: Tensor = module(total)
        return stepped


def cast(inputs: Tensor, dtype: torch.dtype) -> Tensor:
    """Inputs `[T, B, *input_shape]` in another type; a static image stays one image, shown T times."""
    static = len(inputs) > 1 and inputs.stride(0) == 0
    return inputs[0].to(dtype).expand(inputs.shape) if static else inputs.to(dtype)


def _over_time(module: nn.Module, x: Tensor) -> Tensor:
    """A module without memory on `[T, B, *shape]`, with time folded into the batch."""
    if len(x) > 1 and x.stride(0) == 0:
        once: Tensor = module(x[0])
        return once.expand(len(x), *once.shape)
    out: Tensor = module(x.flatten(0, 1))
    return out.reshape(*x.shape[:2], *out.shape[1:])


def _late(past: list[Tensor], t: int, steps: int) -> list[Tensor]:
    """What was there some steps before t; nothing before the first step."""
    return [past[t - steps]] if t >= steps else []


def _sum(terms: list[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
