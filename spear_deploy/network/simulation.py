"""The torch simulation of a network: batched, differentiable, trainable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor, nn

from spear_deploy.network.graph import Network, module_of
from spear_deploy.network.linear import Delay
from spear_deploy.network.neuron import Neuron, Reset

Surrogate = Callable[[Tensor], Tensor]
"""A spike function: 1 where its argument is positive, with a gradient of its own."""


class ATan(torch.autograd.Function):
    """Spike with the arctangent's derivative as gradient.

    ds/dx = 1 / (1 + (pi x)^2), the form of snnTorch's default with alpha = 2.
    Source: Fang et al., ICCV 2021, eq. for the arctan surrogate.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """1 where x > 0."""
        ctx.save_for_backward(x)
        return x.gt(0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Gradient times the derivative of the arctangent."""
        x: Tensor = ctx.saved_tensors[0]
        return gradient / (1 + (torch.pi * x).square_())


def atan(x: Tensor) -> Tensor:
    """Spike where x > 0, with the arctangent surrogate gradient."""
    spikes: Tensor = ATan.apply(x)  # type: ignore[no-untyped-call]
    return spikes


class NeuronLayer(nn.Module):
    """Runs the equation of `Neuron` over time, for a batch.

    Input currents `[T, B, *shape]` in, spikes (or membranes, without a threshold) of the
    same shape out. Constants that do not change the result (a gain of 1, no offset) cost nothing.
    """

    beta: Tensor
    gain: Tensor | None
    alpha: Tensor | None
    offset: Tensor | None
    threshold: Tensor | None
    reset_value: Tensor | None

    def __init__(self, neuron: Neuron, dtype: torch.dtype, spike: Surrogate = atan) -> None:
        super().__init__()
        self.neuron = neuron
        self.spike = spike
        self.dtype = dtype
        self._constant("beta", neuron.beta)
        self._constant("gain", None if (neuron.gain == 1).all() else neuron.gain)
        self._constant("alpha", neuron.alpha)
        self._constant("offset", neuron.offset)
        self._constant("threshold", neuron.threshold)
        self._constant("reset_value", neuron.reset_value)

    def _constant(self, name: str, value: Any) -> None:
        if value is None:
            self.register_buffer(name, None)
            return
        uniform = value.size and (value == value.flat[0]).all()
        kept = value.flat[0] if uniform else value
        self.register_buffer(name, torch.as_tensor(np.array(kept), dtype=self.dtype))

    def start(self, current: Tensor) -> tuple[Tensor, Tensor]:
        """The state before the first step, for one step's current `[B, *shape]`."""
        zero = torch.zeros_like(current)
        return zero, zero

    def step(self, current: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """One time step: output and new state (u, v)."""
        u, v = state
        u = current if self.gain is None else self.gain * current
        if self.alpha is not None:
            u = self.alpha * state[0] + u
        late = self._pending_reset(v)
        if late is not None and self.neuron.reset is Reset.ZERO:
            v = self._to_reset_value(v, late)
        v = self.beta * v + u
        if self.offset is not None:
            v = v + self.offset
        if self.threshold is None:
            return v, (u, v)
        if late is not None and self.neuron.reset is Reset.ZERO_HOLD:
            v = self._to_reset_value(v, late)
        if late is not None and self.neuron.reset is Reset.SUBTRACT:
            v = v - late * self.threshold
        spikes = self.spike(v - self.threshold)
        return spikes, (u, self._reset_now(v, spikes.detach(), late, self.threshold))

    def _pending_reset(self, v: Tensor) -> Tensor | None:
        """Where the membrane still stands above the threshold when a step begins."""
        if self.threshold is None or self.neuron.reset is Reset.NONE:
            return None
        if self.neuron.reset is Reset.ZERO and not self.neuron.reset_delay:
            return None
        return (v.detach() > self.threshold).to(v.dtype)

    def _reset_now(self, v: Tensor, spikes: Tensor, late: Tensor | None, threshold: Tensor) -> Tensor:
        if self.neuron.reset_delay or self.neuron.reset in (Reset.NONE, Reset.ZERO_HOLD):
            return v
        if self.neuron.reset is Reset.ZERO:
            return self._to_reset_value(v, spikes)
        return v if late is None else v - (spikes - late) * threshold

    def _to_reset_value(self, v: Tensor, where: Tensor) -> Tensor:
        v = v * (1 - where)
        return v if self.reset_value is None else v + where * self.reset_value

    def forward(self, currents: Tensor) -> Tensor:
        """Currents `[T, B, *shape]` to outputs of the same shape."""
        state = self.start(currents[0])
        outputs = []
        for current in currents:
            output, state = self.step(current, state)
            outputs.append(output)
        return torch.stack(outputs)


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

    Runs inputs `[T, B, *input_shape]`. Weights and biases are parameters. An input that is
    expanded over time (stride 0, as a static image is) passes its first connections once.
    """

    def __init__(self, graph: nir.NIRGraph, dtype: torch.dtype = torch.float32, spike: Surrogate = atan) -> None:
        super().__init__()
        self.network = Network(graph)
        self.dtype = dtype
        self.names = {name: f"node_{index}" for index, name in enumerate(sorted(self.network.nodes))}
        for name in self.network.nodes:
            if name in (self.network.input, self.network.output):
                continue
            if name in self.network.neurons:
                module: nn.Module = NeuronLayer(self.network.neurons[name], dtype, spike)
            else:
                module = module_of(self.network, name, dtype)
            self.add_module(self.names[name], module)

    def module(self, name: str) -> nn.Module:
        """The module of one node."""
        return self.get_submodule(self.names[name])

    def forward(self, x: Tensor) -> Trace:
        """Run the network; x is `[T, B, *input_shape]`."""
        values: dict[str, Tensor] = {self.network.input: x}
        for stage in self.network.stages:
            if len(stage) == 1 and not self.network.edges.has_edge(stage[0], stage[0]):
                self._run_node(stage[0], values)
            else:
                self._run_loop(stage, values)
        read_out = self.network.read_out
        return Trace({name: values[name] for name in self.network.layers}, read_out)

    def _run_node(self, name: str, values: dict[str, Tensor]) -> None:
        if name == self.network.input:
            return
        total = _sum([values[source] for source in self.network.sources(name)])
        if name == self.network.output:
            values[name] = total
        elif name in self.network.neurons or isinstance(self.module(name), Delay):
            values[name] = self.module(name)(total)
        else:
            values[name] = _over_time(self.module(name), total)

    def _run_loop(self, stage: list[str], values: dict[str, Tensor]) -> None:
        """Nodes that depend on each other, one time step after the other."""
        inside = set(stage)
        steps = len(values[self.network.input])
        history: dict[str, list[Tensor]] = {name: [] for name in stage}
        received: dict[str, list[Tensor]] = {name: [] for name in stage if name in self.network.delays}
        states: dict[str, tuple[Tensor, Tensor]] = {}
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
                if name in received:
                    received[name].append(total)
                    late = _late(received[name], t, self.network.delays[name])
                    history[name].append(late[0] if late else torch.zeros_like(total))
                else:
                    history[name].append(self._step_node(name, total, states))
        for name in stage:
            values[name] = torch.stack(history[name])

    def _silence(self, name: str, values: dict[str, Tensor]) -> Tensor:
        """What a node receives in the first step when only feedback leads into it."""
        batch = values[self.network.input].shape[1]
        shape = self.network.shapes[self.network.sources(name)[0]]
        return torch.zeros((batch, *shape), dtype=self.dtype)

    def _step_node(self, name: str, total: Tensor, states: dict[str, tuple[Tensor, Tensor]]) -> Tensor:
        module = self.module(name)
        if isinstance(module, NeuronLayer):
            output, states[name] = module.step(total, states.get(name, module.start(total)))
            return output
        stepped: Tensor = module(total)
        return stepped


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
