"""The torch simulation of a network: batched, differentiable, trainable."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import nir
import torch
from torch import Tensor, nn

from spear_deploy.errors import ModelError
from spear_deploy.network.batching import batches
from spear_deploy.network.constants import constants
from spear_deploy.network.graph import Network, module_of
from spear_deploy.network.linear import Delay
from spear_deploy.network.neuron import Neuron
from spear_deploy.network.neuron_layer import TRAINABLE, NeuronLayer
from spear_deploy.network.recurrence import echoing, run_echoing
from spear_deploy.network.sharing import shared_weights
from spear_deploy.network.surrogate import Spike, atan

__all__ = ["Adjust", "Heard", "NeuronLayer", "Simulation", "Trace", "Watch"]

Watch = Callable[[str, Tensor, Tensor], None]
"""Told the layer, its current u and its membrane v `[B, *shape]` after each step, after the reset."""

Change = Callable[[Tensor], Tensor]
"""From what a layer receives, `[T, B, *shape]`, to what it is to receive; may change it in place."""

Adjust = Callable[[str, Iterable[Tensor]], Change]
"""From a layer and what it receives, some samples after the others, to how that is to be changed."""

HELD_CURRENTS = 1 << 24
"""Values that a layer receives from all samples which are kept while they are looked at: 64 MiB. More are computed
twice."""

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
    are parameters; those that stand in several places are one. An input that is expanded over
    time (stride 0, as a static image is) passes its first connections once.

    Args:
        graph: the network, or the view of it where there is one.
        dtype: precision of everything.
        spike: the surrogate gradient, one of `SURROGATES` or a function of one's own.
        trainable: constants of neurons that become parameters too: beta, alpha, threshold.

    """

    def __init__(
        self,
        graph: nir.NIRGraph | Network,
        dtype: torch.dtype = torch.float32,
        spike: Spike = atan,
        trainable: Iterable[str] = (),
    ) -> None:
        super().__init__()
        learned = frozenset(trainable)
        if not learned <= set(TRAINABLE):
            unknown = ", ".join(sorted(learned - set(TRAINABLE)))
            raise ModelError(f"{unknown} of a neuron cannot be trained, only {', '.join(TRAINABLE)}")
        self.network = graph if isinstance(graph, Network) else Network(graph)
        self.dtype = dtype
        self.names: dict[str, str] = {}
        self._name_modules()
        for name in self.network.nodes:
            if name in (self.network.input, self.network.output):
                continue
            if name in self.network.neurons:
                module: nn.Module = NeuronLayer(self.network.neurons[name], dtype, spike, learned)
            else:
                module = module_of(self.network, name, dtype)
            self.add_module(self.names[name], module)
        for name in constants(self.network.nodes):
            self.module(name).requires_grad_(False)
        self.shared = shared_weights(self.network.nodes)
        for first, *others in self.shared:
            for key, parameter in self.module(first).named_parameters():
                for other in others:
                    setattr(self.module(other), key, parameter)

    def _name_modules(self) -> None:
        """By node, a name that torch takes for a module: its own, where that has no dot and is free."""
        for index, name in enumerate(sorted(self.network.nodes)):
            plain = name.replace(".", "_")
            free = not hasattr(self, plain) and plain not in self.names.values()
            self.names[name] = plain if free else f"node_{index}_{plain}"

    @cached_property
    def _read_last(self) -> list[list[str]]:
        """By stage, the connections whose values no later stage reads: what they gave need not stay in memory."""
        network, last = self.network, dict[str, int]()
        for place, stage in enumerate(network.stages):
            last |= {source: place for name in stage for source in network.sources(name)}
        kept = {network.input, network.output, *network.layers}
        return [
            [name for name, place in last.items() if place == number and name not in kept]
            for number in range(len(network.stages))
        ]

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
        for stage, read in zip(self.network.stages, self._read_last, strict=True):
            if len(stage) == 1 and not self.network.edges.has_edge(stage[0], stage[0]):
                self._run_node(stage[0], values, watch, heard)
            else:
                self._run_loop(stage, values, watch, heard)
            for name in read:
                values.pop(name, None)
        return Trace({name: values[name] for name in self.network.layers}, self.network.read_out)

    def in_stages(self, x: Tensor, size: int, adjust: Adjust, *, traces: bool = True) -> Trace:
        """Run layer after layer, each on all samples before the next: what it receives may follow from all of them.

        Of floating-point numbers only the currents of one layer stand in memory, of `size` samples where they are
        more than `HELD_CURRENTS`, and the states of `size` samples; spikes are kept as uint8: of all layers where
        the trace is wanted, else of those that later ones hear, and the trace is empty. Layers in a loop run
        together, and are not adjusted.
        """
        values: dict[str, Tensor] = {self.network.input: x}
        to_run = set(self.network.layers)
        for stage in self.network.stages:
            if len(stage) > 1 or self.network.edges.has_edge(stage[0], stage[0]):
                for name, output in self._loop_in_parts(stage, values, size).items():
                    values[name] = self._kept(name, output)
            elif stage[0] in self.network.neurons:
                values[stage[0]] = self._layer_in_parts(stage[0], values, size, adjust)
            to_run -= set(stage)
            if not traces:
                heard = {each.source for each in self.network.connections if each.target in to_run}
                values = {name: value for name, value in values.items() if name in {self.network.input, *heard}}
        return Trace({name: values[name] for name in self.network.layers if name in values}, self.network.read_out)

    def _layer_in_parts(self, name: str, values: dict[str, Tensor], size: int, adjust: Adjust) -> Tensor:
        x = values[self.network.input]

        def received(part: slice) -> Tensor:
            return self._received(name, values, part)

        if math.prod((*x.shape[:2], *self.network.shapes[name])) <= HELD_CURRENTS:
            whole = _in_parts(received, x, size)
            adjusted = adjust(name, [whole])(whole)
            return _in_parts(lambda part: self._kept(name, self.module(name)(adjusted[:, part])), x, size)
        change = adjust(name, map(received, batches(x.shape[1], size)))
        return _in_parts(lambda part: self._kept(name, self.module(name)(change(received(part)))), x, size)

    def _kept(self, name: str, output: Tensor) -> Tensor:
        spikes = name in self.network.neurons and self.network.neurons[name].spikes
        return output.to(torch.uint8) if spikes else output

    def _received(self, name: str, values: dict[str, Tensor], part: slice) -> Tensor:
        """What a node receives for some samples, from what layers sent."""
        return _sum([self._sent(source, values, part) for source in self.network.sources(name)])

    def _sent(self, name: str, values: dict[str, Tensor], part: slice) -> Tensor:
        if name in values:
            return cast(values[name][:, part], self.dtype)
        module, total = self.module(name), self._received(name, values, part)
        return module(total) if isinstance(module, Delay) else _over_time(module, total)

    def _loop_in_parts(self, stage: list[str], values: dict[str, Tensor], size: int) -> dict[str, Tensor]:
        inside, x = set(stage), values[self.network.input]
        parts: dict[str, list[Tensor]] = {name: [] for name in stage}
        for part in batches(x.shape[1], size):
            around = {source for name in stage for source in self.network.sources(name)} - inside
            local = {name: self._sent(name, values, part) for name in {self.network.input, *around}}
            self._run_loop(stage, local, None, None)
            for name, found in parts.items():
                if name in local:
                    found.append(self._kept(name, local[name]))
        return {name: torch.cat(found, dim=1) for name, found in parts.items() if found}

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
        if watch is None and heard is None and self._run_echo(stage, values):
            return
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

    def _run_echo(self, stage: list[str], values: dict[str, Tensor]) -> bool:
        """Whether a loop is one that runs in one function; then it has run."""
        found = echoing(self.network, stage)
        if found is None:
            return False
        layer, matrix = found
        given = _sum([values[source] for source in self.network.sources(layer) if source != matrix])
        sent = run_echoing(self.module(layer), self.module(matrix), given)
        if sent is not None:
            values[layer] = sent
        return sent is not None

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


def _in_parts(found: Callable[[slice], Tensor], x: Tensor, size: int) -> Tensor:
    """What is found for some samples at a time, `[T, N, *shape]`; what is the same in every step stays one step."""
    steps, count = x.shape[:2]
    whole: Tensor | None = None
    for part in batches(count, size):
        values = found(part)
        kept = values[:1] if steps > 1 and values.stride(0) == 0 else values
        if whole is None:
            whole = kept.new_empty((len(kept), count, *kept.shape[2:]))
        whole[:, part] = kept
    assert whole is not None  # there is a sample at least
    return whole.expand(steps, *whole.shape[1:])


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
