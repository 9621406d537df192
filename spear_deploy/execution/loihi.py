"""Executes a quantised network as Loihi does, in whole batches, bit for bit.

Weighted sums are products of small integers, exact in float32 below 2^24; the states are
integers held in float64, where v (4096 - dv) / 4096 is exact and truncation is the chip's
rounding towards zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import nir
import numpy as np
import torch
from torch import Tensor, nn

from spear_deploy.errors import BackendError
from spear_deploy.execution.formats import Format
from spear_deploy.execution.quantize import input_integers
from spear_deploy.execution.quantized import QuantizedLayer, QuantizedNetwork, QuantizedSynapses
from spear_deploy.network import Reset, Trace
from spear_deploy.network.linear import linear_module

EXACT_FLOAT32 = 1 << 24
"""Integers up to this are exact in float32, so are their sums while none exceeds it."""


CACHED_STATES = 1 << 16
"""States that are advanced together: half a megabyte, which stays in a core's own cache."""


@dataclass
class States:
    """What a run with `watch` saw of every layer, integers in float64, `[T, B, *shape]` each."""

    u: dict[str, Tensor] = field(default_factory=dict)
    v: dict[str, Tensor] = field(default_factory=dict)


class LoihiExecution:
    """A quantised network, ready to run.

    Raises:
        BackendError: a sum could leave the integers that float64 holds exactly.

    """

    def __init__(self, quantized: QuantizedNetwork) -> None:
        self.quantized = quantized
        network = quantized.network
        largest = {network.input: 1.0 if quantized.levels is None else float((1 << 8) - 1)}
        for layer in quantized.layers:
            largest[layer.name] = 1.0 if layer.spikes else float(quantized.format.state_limit)
        self.layers = {
            layer.name: _Layer(
                layer, quantized.format, [_Synapses(s, largest[s.connection.source]) for s in layer.synapses]
            )
            for layer in quantized.layers
        }

    def run(self, inputs: Tensor, *, watch: States | None = None) -> Trace:
        """Run a batch `[T, B, *input_shape]` of the float network's inputs.

        Outputs are spikes (float32), or the membrane (float64) in the units of the float
        network for a layer that does not spike. `watch` receives u and v of every step, v
        after the reset.
        """
        network = self.quantized.network
        self._check(inputs)
        with torch.no_grad():
            values = {network.input: input_integers(self.quantized, inputs)}
            for stage in network.stages:
                names = [name for name in stage if name in self.layers]
                loop = len(names) > 1 or any(
                    synapses.values.connection.source == name
                    for name in names
                    for synapses in self.layers[name].synapses
                )
                if loop:
                    self._run_loop(names, values, watch)
                elif names:
                    values[names[0]] = self.layers[names[0]].run(values, watch)
            outputs = {
                name: values[name] if self.layers[name].spikes else values[name] / self.layers[name].unit
                for name in network.layers
            }
        return Trace(outputs, network.read_out)

    def _check(self, inputs: Tensor) -> None:
        expected = self.quantized.network.input_shape
        if inputs.ndim < 2 or tuple(inputs.shape[2:]) != expected:
            raise BackendError(
                f"Loihi: the network takes inputs [T, B, {', '.join(map(str, expected))}], found {list(inputs.shape)}"
            )
        if self.quantized.levels is None and not bool(((inputs == 0) | (inputs == 1)).all()):
            raise BackendError(
                "Loihi: the network was quantised for an input of spikes (0 or 1), and this input holds other values;"
                " quantise it with samples of this kind"
            )

    def _run_loop(self, names: list[str], values: dict[str, Tensor], watch: States | None) -> None:
        """Layers that feed each other, one time step after the other."""
        steps, batch = values[self.quantized.network.input].shape[:2]
        layers = [self.layers[name] for name in names]
        outside = {layer.name: layer.inputs(values, batch, steps, skip=names) for layer in layers}
        runs = {layer.name: layer.start(outside[layer.name], steps, watch, bounded=False) for layer in layers}
        for t in range(steps):
            for layer in layers:
                run = runs[layer.name]
                total = outside[layer.name][t].clone()
                for synapses in layer.synapses:
                    source, late = synapses.values.connection.source, synapses.values.late
                    if source in runs and t >= late:
                        total += synapses(runs[source].outputs[t - late][None])[0].reshape(total.shape)
                run.step(t, total)
        for name, run in runs.items():
            values[name] = run.outputs


class _Synapses:
    """One connection as torch modules with integer weights."""

    def __init__(self, values: QuantizedSynapses, largest: float) -> None:
        self.values = values
        reach = largest * _largest_row(values.nodes)
        if reach >= 2**53:
            raise BackendError(
                f"{values.connection.source} -> {values.connection.target}: its sums may reach {reach:.3g},"
                " more than can be computed exactly"
            )
        self.dtype = torch.float32 if reach < EXACT_FLOAT32 else torch.float64
        self.modules = [_bare(node, self.dtype) for node in values.nodes]

    def __call__(self, source: Tensor) -> Tensor:
        """Sums for `[T, B, *source_shape]`, shifted by the exponent."""
        static = len(source) > 1 and source.stride(0) == 0
        x = source[0] if static else source.flatten(0, 1)
        x = x.to(self.dtype)
        for module in self.modules:
            x = module(x)
        exponent = self.values.exponent
        if exponent:
            x = x * 2.0**exponent
        if exponent < 0:
            x = x.floor_()
        if static:
            return x.expand(len(source), *x.shape)
        return x.reshape(*source.shape[:2], *x.shape[1:])


class _Layer:
    """The neurons of one layer: their constants, and what leads into them."""

    def __init__(self, values: QuantizedLayer, chip: Format, synapses: list[_Synapses]) -> None:
        self.values = values
        self.name, self.shape, self.spikes = values.name, values.shape, values.spikes
        self.synapses = synapses
        self.shift = float(1 << chip.input_shift)
        self.unit = values.scale * self.shift
        self.limit = float(chip.state_limit)
        self.keep_u = _constant((chip.unity - chip.current_decay_offset - values.du) / chip.unity)
        self.keep_v = _constant((chip.unity - values.dv) / chip.unity)
        self.bias = _constant(values.bias)
        self.threshold = None if values.vth is None else _constant(values.vth * int(self.shift))
        self.axon = None
        if values.axon is not None:
            self.axon = _constant(np.floor(values.axon * 2.0**values.axon_exponent)).float()

    def inputs(self, values: dict[str, Tensor], batch: int, steps: int, skip: list[str]) -> Tensor:
        """What synapses hand over in every step, `[T, B, *shape]`, from all sources but `skip`."""
        parts = []
        for synapses in self.synapses:
            if synapses.values.connection.source not in skip:
                found = synapses(values[synapses.values.connection.source])
                parts.append(_late(found.reshape(*found.shape[:2], *self.shape), synapses.values.late))
        if self.axon is not None:
            parts.append(self.axon.expand(steps, batch, *self.shape))
        if not parts:
            return torch.zeros((1, 1, *self.shape)).expand(steps, batch, *self.shape)
        return sum(parts[1:], start=parts[0])

    def run(self, values: dict[str, Tensor], watch: States | None) -> Tensor:
        """All time steps of a layer whose sources are all known, a few samples at a time."""
        steps, batch = next(iter(values.values())).shape[:2]
        inputs = self.inputs(values, batch, steps, skip=[])
        size = max(1, CACHED_STATES // int(np.prod(self.shape)))
        whole = self.start(inputs, steps, watch, bounded=True)
        for first in range(0, batch, size):
            part = whole.part(slice(first, first + size))
            for t in range(steps):
                part.step(t, inputs[t, first : first + size])
        return whole.outputs

    def start(self, inputs: Tensor, steps: int, watch: States | None, *, bounded: bool) -> _Run:
        """The state before the first step.

        `bounded` says that `inputs` are all that the layer will get: then their largest tells
        whether a state can overflow at all.
        """
        shape = (steps, *inputs.shape[1:])
        outputs = torch.zeros(shape, dtype=torch.float32 if self.spikes else torch.float64)
        wraps = clips = True
        if bounded:
            keep_u, keep_v = float(self.keep_u.max()), float(self.keep_v.max())
            current = self.shift * float(inputs.abs().max()) / (1 - keep_u)
            wraps = current >= self.limit
            membrane = (current + float(self.bias.abs().max())) / max(1 - keep_v, 1e-9)
            clips = wraps or membrane >= self.limit or self.values.reset is Reset.SUBTRACT
        u = torch.zeros(shape[1:], dtype=torch.float64)
        run = _Run(self, u, torch.zeros_like(u), outputs, wraps, clips)
        if watch is not None:
            run.seen = watch.u[self.name], watch.v[self.name] = u.new_zeros(shape), u.new_zeros(shape)
        return run


@dataclass
class _Run:
    """A layer in the middle of its time steps; states `[B, *shape]` are changed in place."""

    layer: _Layer
    u: Tensor
    v: Tensor
    outputs: Tensor
    wraps: bool
    clips: bool
    seen: tuple[Tensor, ...] = ()

    def part(self, samples: slice) -> _Run:
        """A view of some samples."""
        seen = tuple(states[:, samples] for states in self.seen)
        return replace(self, u=self.u[samples], v=self.v[samples], outputs=self.outputs[:, samples], seen=seen)

    def step(self, t: int, a: Tensor) -> None:
        """One time step with the input `a`."""
        self._current(a)
        self._membrane(t)
        for states, state in zip(self.seen, (self.u, self.v), strict=False):
            states[t] = state

    def _current(self, a: Tensor) -> None:
        """Decay u, truncated towards zero, and add the shifted input; wraps at 24 bits as Lava does."""
        layer, u = self.layer, self.u
        if layer.keep_u.ndim == 0 and layer.keep_u == 0:
            torch.mul(a, layer.shift, out=u)
        else:
            u.mul_(layer.keep_u).trunc_().add_(a, alpha=layer.shift)
        if self.wraps:
            once = torch.where(u > layer.limit, u - 2 * layer.limit, u)
            u.copy_(torch.where(once <= -layer.limit, u + 2 * layer.limit, once))

    def _membrane(self, t: int) -> None:
        layer, v, threshold = self.layer, self.v, self.layer.threshold
        pending = None
        if threshold is not None and layer.values.reset is Reset.SUBTRACT:
            pending = (v > threshold).double()
        v.mul_(layer.keep_v).trunc_().add_(self.u).add_(layer.bias)
        if self.clips:
            v.clamp_(1 - layer.limit, layer.limit - 1)
        if threshold is None:
            self.outputs[t] = v
            return
        if pending is not None:
            v.sub_(pending * threshold).clamp_(1 - layer.limit, layer.limit - 1)
        spikes = v > threshold
        self.outputs[t] = spikes
        if pending is None:
            v.masked_fill_(spikes, 0.0)
        elif not layer.values.reset_delay:
            v.sub_((spikes.double() - pending) * threshold)


def _constant(values: object) -> Tensor:
    tensor = torch.as_tensor(values).double()
    first = tensor.flatten()[0]
    return first.clone() if bool((tensor == first).all()) else tensor


def _late(x: Tensor, steps: int) -> Tensor:
    if not steps:
        return x
    shifted = torch.zeros_like(x)
    shifted[steps:] = x[:-steps]
    return shifted


def _bare(node: nir.NIRNode, dtype: torch.dtype) -> nn.Module:
    module = linear_module(node, "synapses", dtype)
    if getattr(module, "bias", None) is not None:
        module.register_parameter("bias", None)
    return module.requires_grad_(False)


def _largest_row(nodes: tuple[nir.NIRNode, ...]) -> float:
    """The largest sum of magnitudes into one target."""
    reach = 1.0
    for node in nodes:
        if isinstance(node, nir.SumPool2d):
            window = torch.as_tensor(node.kernel_size).flatten().long()
            reach *= float(window[0] * window[-1])
        elif hasattr(node, "weight"):
            weight = torch.as_tensor(node.weight).double()
            reach *= float(weight.abs().flatten(1).sum(1).max())
    return reach
