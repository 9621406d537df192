"""Executes a quantised network as Loihi does, in whole batches, bit for bit.

Weighted sums are products of small integers, exact in float32 below 2^24; the states are
integers held in float64, where v (4096 - dv) / 4096 is exact and truncation is the chip's
rounding towards zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import nir
import numpy as np
import torch
from torch import Tensor, nn

from spear_deploy.errors import BackendError
from spear_deploy.execution.formats import Format
from spear_deploy.execution.quantized import QuantizedLayer, QuantizedNetwork, QuantizedSynapses, input_integers
from spear_deploy.network import Reset, Trace
from spear_deploy.network.linear import linear_module

EXACT_FLOAT32 = 1 << 24
EXACT_FLOAT64 = 1 << 53
"""Integers up to this are exact, and so are their sums while none exceeds it."""


CACHED_STATES = 1 << 15
"""States of the largest layer that are advanced together: a quarter of a megabyte, which stays in cache."""


@dataclass
class States:
    """What a run saw of every layer, integers in float64, `[T, B, *shape]` each.

    Attributes:
        u: current after each step.
        v: membrane after each step, after the reset.

    """

    u: dict[str, Tensor] = field(default_factory=dict)
    v: dict[str, Tensor] = field(default_factory=dict)


class LoihiExecution:
    """A quantised network, ready to run.

    Raises:
        BackendError: a sum could leave the integers that float64 holds exactly.

    """

    def __init__(self, quantized: QuantizedNetwork) -> None:
        self.quantized = quantized
        network, chip = quantized.network, quantized.format
        self.layers = {layer.name: LayerExecution(layer, chip) for layer in quantized.layers}
        self.at_once = max(1, CACHED_STATES // max(int(np.prod(layer.shape)) for layer in quantized.layers))
        self.stages = [[name for name in stage if name in self.layers] for stage in network.stages]

    def run(self, inputs: Tensor, *, watch: States | None = None) -> Trace:
        """Run a batch `[T, B, *input_shape]` of the float network's inputs.

        Outputs are spikes (float32), or the membrane (float64) in the units of the float
        network for a layer that does not spike. `watch` receives all states.

        Raises:
            BackendError: the inputs do not suit the network.

        """
        self._check_shape(inputs)
        steps, batch = inputs.shape[:2]
        outputs = {name: layer.empty(steps, batch, layer.output_type) for name, layer in self.layers.items()}
        if watch is not None:
            for name, layer in self.layers.items():
                watch.u[name], watch.v[name] = (layer.empty(steps, batch, torch.float64) for _ in "uv")
        with torch.no_grad():
            for first in range(0, batch, self.at_once):
                part = slice(first, first + self.at_once)
                values = {name: output[:, part] for name, output in outputs.items()}
                values[self.quantized.network.input] = self._integers(inputs[:, part])
                seen = (
                    {}
                    if watch is None
                    else {name: (watch.u[name][:, part], watch.v[name][:, part]) for name in outputs}
                )
                for names in self.stages:
                    self._run_stage(names, values, seen)
            for name, layer in self.layers.items():
                if not layer.spikes:
                    outputs[name] /= layer.unit
        return Trace({name: outputs[name] for name in self.quantized.network.layers}, self.quantized.network.read_out)

    def _check_shape(self, inputs: Tensor) -> None:
        expected = self.quantized.network.input_shape
        if inputs.ndim < 2 or tuple(inputs.shape[2:]) != expected:
            raise BackendError(
                f"Loihi: the network takes inputs [T, B, {', '.join(map(str, expected))}], found {list(inputs.shape)}"
            )

    def _integers(self, inputs: Tensor) -> Tensor:
        static = len(inputs) > 1 and inputs.stride(0) == 0
        found = input_integers(self.quantized, inputs[:1] if static else inputs)
        return found.expand(inputs.shape) if static else found

    def _run_stage(self, names: list[str], values: dict[str, Tensor], seen: dict[str, tuple[Tensor, Tensor]]) -> None:
        """Layers that feed each other, one time step after the other; a single layer as well."""
        layers = [self.layers[name] for name in names]
        outside = {layer.name: layer.inputs(values, skip=names) for layer in layers}
        inside = [(layer, layer.synapses_from(names)) for layer in layers]
        runs = {
            layer.name: _Run(layer, outside[layer.name], values[layer.name], seen.get(layer.name, ()), alone=not back)
            for layer, back in inside
        }
        for t in range(len(values[self.quantized.network.input]) if names else 0):
            for layer, back in inside:
                total = outside[layer.name][t]
                for synapses in back:
                    late = synapses.values.late
                    if t >= late:
                        total = total + synapses(values[synapses.source][t - late][None])[0].reshape(total.shape)
                runs[layer.name].step(t, total)


class _Synapses:
    """One connection as torch modules with integer weights; gives inputs already shifted left."""

    def __init__(self, values: QuantizedSynapses, largest: float, shift: int) -> None:
        self.values = values
        self.source = values.connection.source
        reach = largest * _largest_row(values.nodes)
        if reach >= EXACT_FLOAT64:
            raise BackendError(
                f"{self.source} -> {values.connection.target}: its sums may reach {reach:.3g},"
                " more than can be computed exactly"
            )
        self.reach = reach * 2.0 ** (values.exponent + shift)
        self.dtype = torch.float32 if reach < EXACT_FLOAT32 else torch.float64
        self.down = 2.0 ** min(values.exponent, 0)
        self.up = 2.0 ** (max(values.exponent, 0) + shift)
        # A power of two in the weights scales every sum and leaves it exact.
        inner = self.up if self.down == 1 else 1.0
        self.modules = [_bare(node, self.dtype, inner) for node in values.nodes]

    def __call__(self, source: Tensor) -> Tensor:
        """Inputs `[T, B, *target_shape]`, perhaps flat, for outputs `[T, B, *source_shape]` of the source."""
        static = len(source) > 1 and source.stride(0) == 0
        x = source[0] if static else source.flatten(0, 1)
        x = x.to(self.dtype)
        for module in self.modules:
            x = module(x)
        if self.down != 1:
            x = x.mul_(self.down).floor_().mul_(self.up)
        x = x.float()
        return x.expand(len(source), *x.shape) if static else x.reshape(*source.shape[:2], *x.shape[1:])


class LayerExecution:
    """The neurons of one layer: their constants, and what leads into them."""

    def __init__(self, values: QuantizedLayer, chip: Format) -> None:
        graded = float((1 << chip.graded_bits) - 1)
        self.values = values
        self.name, self.shape, self.spikes = values.name, values.shape, values.spikes
        self.output_type = torch.float32 if values.spikes else torch.float64
        self.synapses = [
            _Synapses(found, graded if found.graded else 1.0, chip.input_shift) for found in values.synapses
        ]
        shift = 1 << chip.input_shift
        self.unit = values.scale * shift
        self.limit = float(chip.state_limit)
        self.keep_u = _constant((chip.unity - chip.current_decay_offset - values.du) / chip.unity)
        self.keep_v = _constant((chip.unity - values.dv) / chip.unity)
        self.bias = _constant(values.bias)
        self.threshold = None if values.vth is None else _constant(values.vth * shift)
        self.axon = None
        if values.axon is not None:
            self.axon = _constant(np.floor(values.axon * 2.0**values.axon_exponent) * shift).float()
        self.reach = sum(found.reach for found in self.synapses)
        self.reach += 0.0 if self.axon is None else float(self.axon.abs().max())

    def empty(self, steps: int, batch: int, dtype: torch.dtype) -> Tensor:
        """Room for all steps of a batch."""
        return torch.empty((steps, batch, *self.shape), dtype=dtype)

    def synapses_from(self, names: list[str]) -> list[_Synapses]:
        """The connections that come from these layers."""
        return [synapses for synapses in self.synapses if synapses.source in names]

    def inputs(self, values: dict[str, Tensor], skip: list[str]) -> Tensor:
        """What synapses hand over in every step, shifted, `[T, B, *shape]`, from all sources but `skip`."""
        steps, batch = next(iter(values.values())).shape[:2]
        total = None if self.axon is None else self.axon.expand(steps, batch, *self.shape)
        for synapses in self.synapses:
            if synapses.source not in skip:
                found = synapses(values[synapses.source])
                found = _late(found.reshape(*found.shape[:2], *self.shape), synapses.values.late)
                total = found if total is None else total + found
        return torch.zeros((1, *self.shape)).expand(steps, batch, *self.shape) if total is None else total

    def respond(self, values: dict[str, Tensor]) -> Tensor:
        """What the layer sends when all its sources, itself included, send `values` `[T, B, *shape]`."""
        inputs = self.inputs(values, skip=[])
        outputs = self.empty(inputs.shape[0], inputs.shape[1], self.output_type)
        run = _Run(self, inputs, outputs, (), alone=True)
        for t, shifted in enumerate(inputs):
            run.step(t, shifted)
        return outputs

    def overflows(self, largest: float) -> tuple[bool, bool]:
        """Whether u could wrap and v saturate when no input exceeds `largest`."""
        current = largest / (1 - float(self.keep_u.max()))
        membrane = (current + float(self.bias.abs().max())) / max(1 - float(self.keep_v.max()), 1e-9)
        wraps = current >= self.limit
        return wraps, wraps or membrane >= self.limit or self.values.reset is Reset.SUBTRACT


class _Run:
    """A layer in the middle of its time steps; states `[B, *shape]` are changed in place.

    The membrane is held with its sign turned, w = -v: resetting is then one `threshold_`, and
    the chip's arithmetic is symmetric.
    """

    def __init__(
        self, layer: LayerExecution, inputs: Tensor, outputs: Tensor, seen: tuple[Tensor, ...], *, alone: bool
    ) -> None:
        self.layer, self.outputs, self.seen = layer, outputs, seen
        self.u = torch.zeros(outputs.shape[1:], dtype=torch.float64)
        self.w = torch.zeros_like(self.u)
        self.entering = torch.zeros_like(self.u)
        self.memoryless = layer.keep_u.ndim == 0 and float(layer.keep_u) == 0
        self.biased = bool(layer.bias.any())
        self.wraps, self.clips = layer.overflows(layer.reach)
        if self.clips and alone:  # not ruled out for any input: these inputs may do it
            least, most = torch.aminmax(inputs)
            self.wraps, self.clips = layer.overflows(max(-float(least), float(most)))

    def step(self, t: int, shifted: Tensor) -> None:
        """One time step with the shifted input."""
        self._current(shifted)
        self._membrane(t)
        if self.seen:
            self.seen[0][t] = self.u
            torch.neg(self.w, out=self.seen[1][t])

    def _current(self, shifted: Tensor) -> None:
        """Decay u, truncated towards zero, and add the input; wraps at 24 bits as Lava does."""
        layer, u = self.layer, self.u
        if self.memoryless:
            u.copy_(shifted)
        else:
            u.mul_(layer.keep_u).trunc_().add_(self.entering.copy_(shifted))
        if self.wraps:
            once = torch.where(u > layer.limit, u - 2 * layer.limit, u)
            u.copy_(torch.where(once <= -layer.limit, u + 2 * layer.limit, once))

    def _membrane(self, t: int) -> None:
        layer, w, threshold = self.layer, self.w, self.layer.threshold
        subtract = threshold is not None and layer.values.reset is Reset.SUBTRACT
        pending = (w < -threshold).double() if subtract and threshold is not None else None
        w.mul_(layer.keep_v).trunc_().sub_(self.u)
        if self.biased:
            w.sub_(layer.bias)
        if self.clips:
            w.clamp_(1 - layer.limit, layer.limit - 1)
        output = self.outputs[t]
        if threshold is None:
            torch.neg(w, out=output)
            return
        if pending is not None:
            w.add_(pending * threshold).clamp_(1 - layer.limit, layer.limit - 1)
        torch.lt(w, -threshold, out=output)
        if pending is not None:
            if not layer.values.reset_delay:
                w.add_((output - pending) * threshold)
        elif threshold.ndim == 0:
            torch.threshold_(w, -float(threshold) - 0.5, 0.0)
        else:
            w.masked_fill_(output > 0, 0.0)


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


def _bare(node: nir.NIRNode, dtype: torch.dtype, scale: float) -> nn.Module:
    module = linear_module(node, "synapses", dtype)
    if getattr(module, "bias", None) is not None:
        module.register_parameter("bias", None)
    if isinstance(weight := getattr(module, "weight", None), nn.Parameter):
        weight.data *= scale
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
