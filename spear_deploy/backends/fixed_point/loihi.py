"""Executes a quantised network as Loihi does, in whole batches, bit for bit.

Weighted sums are products of small integers, exact in float32 below 2^24; the states are
integers held in float64, where v (4096 - dv) / 4096 is exact and truncation is the chip's
rounding towards zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from spear_deploy.backends.fixed_point.formats import Format
from spear_deploy.backends.fixed_point.loihi_steps import Run
from spear_deploy.backends.fixed_point.products import EXACT_FLOAT32, Synapses, channels_last
from spear_deploy.backends.fixed_point.quantized import QuantizedLayer, QuantizedNetwork, input_integers
from spear_deploy.errors import BackendError
from spear_deploy.network import Reset, Trace
from spear_deploy.network.compilers import where_installed
from spear_deploy.network.device import CPU, holds_float64

CACHED_STATES = 1 << 18
"""States of the largest layer that are advanced together, two megabytes: starting costs more than a cache saves."""


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
    """A quantised network, ready to run: where its inputs are, or on the CPU where that device holds no float64.

    Raises:
        BackendError: a sum could leave the integers that float64 holds exactly.

    """

    def __init__(self, quantized: QuantizedNetwork, device: torch.device = CPU) -> None:
        self.quantized, self.device = quantized, device
        network, chip = quantized.network, quantized.format
        self._elsewhere: dict[torch.device, LoihiExecution] = {}
        self.layers = {layer.name: LayerExecution(layer, chip, self.device) for layer in quantized.layers}
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
        if holds_float64(inputs.device) and inputs.device != self.device:
            return self._on(inputs.device).run(inputs, watch=watch)
        inputs = inputs.to(self.device)
        steps, batch = inputs.shape[:2]
        outputs = {name: layer.empty(steps, batch, layer.output_type) for name, layer in self.layers.items()}
        if watch is not None:
            for name, layer in self.layers.items():
                watch.u[name], watch.v[name] = (layer.empty(steps, batch, torch.float64) for _ in "uv")
        at_once = self.at_once if self.device.type == "cpu" else batch
        size = min(at_once, batch)
        # What a piece sends is written where the next layer finds it in the cache; a single piece where it belongs.
        rooms = (
            outputs
            if size == batch
            else {name: layer.empty(steps, size, layer.output_type) for name, layer in self.layers.items()}
        )
        with torch.no_grad():
            for first in range(0, batch, at_once):
                part = slice(first, min(first + at_once, batch))
                values = {name: room[:, : part.stop - first] for name, room in rooms.items()}
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
                        outputs[name][:, part] = values[name] / layer.unit
                    elif rooms is not outputs:
                        outputs[name][:, part] = values[name]
        return Trace({name: outputs[name] for name in self.quantized.network.layers}, self.quantized.network.read_out)

    def _on(self, device: torch.device) -> LoihiExecution:
        if device not in self._elsewhere:
            self._elsewhere[device] = LoihiExecution(self.quantized, device)
        return self._elsewhere[device]

    def _check_shape(self, inputs: Tensor) -> None:
        expected = self.quantized.network.input_shape
        if inputs.ndim < 2 or tuple(inputs.shape[2:]) != expected:
            raise BackendError(
                f"Loihi: the network takes inputs [T, B, {', '.join(map(str, expected))}], found {list(inputs.shape)}"
            )

    def _integers(self, inputs: Tensor) -> Tensor:
        static = len(inputs) > 1 and inputs.stride(0) == 0
        found = input_integers(self.quantized, inputs[:1] if static else inputs.contiguous())
        return found.expand(inputs.shape) if static else found

    def _run_stage(self, names: list[str], values: dict[str, Tensor], seen: dict[str, tuple[Tensor, Tensor]]) -> None:
        """Layers that feed each other, one time step after the other; a single layer as well."""
        layers = [self.layers[name] for name in names]
        if len(layers) == 1 and not seen and not layers[0].synapses_from(names):
            layers[0].run(layers[0].inputs(values, skip=[]), values[names[0]])
            return
        outside = {layer.name: layer.inputs(values, skip=names) for layer in layers}
        inside = [(layer, layer.synapses_from(names)) for layer in layers]
        runs = {
            layer.name: Run(layer, outside[layer.name], values[layer.name], seen.get(layer.name, ()), alone=not back)
            for layer, back in inside
        }
        for t in range(len(values[self.quantized.network.input]) if names else 0):
            for layer, back in inside:
                runs[layer.name].step(t, layer.fed_back(back, values, t))


class LayerExecution:
    """The neurons of one layer: their constants, and what leads into them."""

    def __init__(self, values: QuantizedLayer, chip: Format, device: torch.device = CPU) -> None:
        graded = float((1 << chip.graded_bits) - 1)
        self.values, self.device = values, device
        self.name, self.shape, self.spikes = values.name, values.shape, values.spikes
        self.output_type = torch.float32 if values.spikes else torch.float64
        self.synapses = [
            Synapses(found, (-graded, graded) if found.graded else (0.0, 1.0), chip.input_shift, device)
            for found in values.synapses
        ]
        shift = 1 << chip.input_shift
        self.unit = values.scale * shift
        self.limit = float(chip.state_limit)
        self.keep_u = _constant((chip.unity - chip.current_decay_offset - values.du) / chip.unity, device)
        self.keep_v = _constant((chip.unity - values.dv) / chip.unity, device)
        self.bias = _constant(values.bias, device)
        self.threshold = None if values.vth is None else _constant(values.vth * shift, device)
        self.slowest_u, self.slowest_v = float(self.keep_u.max()), float(self.keep_v.max())
        self.bias_range = min(0.0, float(self.bias.min())), max(0.0, float(self.bias.max()))
        self.highest_threshold = 0.0 if self.threshold is None else float(self.threshold.max())
        self.axon = None
        if values.axon is not None:
            self.axon = _constant(np.floor(values.axon * 2.0**values.axon_exponent) * shift, device).float()
        ends = [] if self.axon is None else [(float(self.axon.min()), float(self.axon.max()))]
        ends += [(found.lowest, found.highest) for found in self.synapses]
        self.reach = min(0.0, sum(low for low, _ in ends)), max(0.0, sum(high for _, high in ends))
        exact = max(self.reach[1], -self.reach[0]) < EXACT_FLOAT32 * shift
        exact = exact and all(found.dtype is torch.float32 for found in self.synapses)
        self.input_type = torch.float32 if exact else torch.float64

    def empty(self, steps: int, batch: int, dtype: torch.dtype) -> Tensor:
        """Room for all steps of a batch."""
        shape = self.shape if len(self.shape) != 3 else (*self.shape[1:], self.shape[0])
        whole = (steps, batch, *shape)
        if self.device.type == "cpu":
            # Unlike torch, numpy asks the system for large pages, which are filled in far less time.
            room = torch.from_numpy(np.empty(whole, dtype=str(dtype).removeprefix("torch."))).to(CPU)
        else:
            room = torch.empty(whole, dtype=dtype, device=self.device)
        return room if len(self.shape) != 3 else room.movedim(-1, 2)

    def synapses_from(self, names: list[str]) -> list[Synapses]:
        """The connections that come from these layers."""
        return [synapses for synapses in self.synapses if synapses.source in names]

    def inputs(self, values: dict[str, Tensor], skip: list[str]) -> Tensor:
        """What synapses hand over in every step, shifted, `[T, B, *shape]`, from all sources but `skip`."""
        steps, batch = next(iter(values.values())).shape[:2]
        total = None if self.axon is None else self.axon.to(self.input_type).expand(steps, batch, *self.shape)
        for synapses in self.synapses:
            if synapses.source not in skip:
                found = synapses(values[synapses.source]).to(self.input_type)
                found = _late(found.reshape(*found.shape[:2], *self.shape), synapses.values.late)
                total = found if total is None else total + found
        return torch.zeros((steps, batch, *self.shape), device=self.device) if total is None else total

    def fed_back(self, back: list[Synapses], values: dict[str, Tensor], t: int) -> Tensor | None:
        """What connections hand over in one step, shifted, from layers in the same loop; None for nothing."""
        total = None
        for synapses in back:
            late = synapses.values.late
            if t >= late:
                found = synapses(values[synapses.source][t - late][None])[0].reshape(-1, *self.shape)
                total = found if total is None else total + found
        return total

    def respond(self, values: dict[str, Tensor], *, free: bool = False) -> Tensor:
        """What the layer sends when its sources send `values` `[T, B, *shape]`.

        Its own spikes come back as given in `values`, too, or, if `free`, as it sends them.
        """
        own = [self.name] if free else []
        steps, batch = next(iter(values.values())).shape[:2]
        outputs = self.empty(steps, batch, self.output_type)
        size = max(1, CACHED_STATES // int(np.prod(self.shape)))
        for first in range(0, batch, size):
            part = slice(first, first + size)
            inputs = self.inputs({name: sent[:, part] for name, sent in values.items()}, skip=own)
            if not self.synapses_from(own):
                self.run(inputs, outputs[:, part])
                continue
            run = Run(self, inputs, outputs[:, part], (), alone=False)
            for t in range(steps):
                run.step(t, self.fed_back(self.synapses_from(own), {self.name: outputs[:, part]}, t))
        return outputs

    def run(self, inputs: Tensor, outputs: Tensor) -> None:
        """All time steps where nothing comes back: inputs as `inputs` gives them to outputs, `[T, B, *shape]` each."""
        loop = where_installed("spear_deploy.backends.fixed_point.loihi_loop")
        if loop is not None and self.device.type == "cpu":
            loop.run(self, inputs, outputs)
            return
        run = Run(self, inputs, outputs, (), alone=True)
        for t in range(len(outputs)):
            run.step(t)

    def overflows(self, reach: tuple[float, float], steps: int) -> tuple[bool, bool]:
        """Whether u could wrap and v saturate in so many steps of inputs that lie within `reach`.

        A membrane that is reset stands no higher than the threshold when a step begins.
        """
        low, high = (end * _longest_sum(self.slowest_u, steps) for end in reach)
        wraps = max(-low, high) >= self.limit
        low, high = low + self.bias_range[0], high + self.bias_range[1]
        kept = _longest_sum(self.slowest_v, steps)
        if self.threshold is None:
            high *= kept
        elif self.values.reset is Reset.ZERO:
            high += self.highest_threshold
        else:
            return wraps, True
        return wraps, wraps or max(-low * kept, high) >= self.limit


def _constant(values: object, device: torch.device) -> Tensor:
    tensor = torch.as_tensor(values).double().to(device)
    first = tensor.flatten()[0]
    if bool((tensor == first).all()):
        return first.clone()
    return channels_last(tensor, tensor.ndim)


def _longest_sum(keep: float, steps: int) -> float:
    """The sum of a state that is given 1 in each of so many steps, of which it keeps a share."""
    return min(float(steps), 1 / max(1 - keep, 1e-9))


def _late(x: Tensor, steps: int) -> Tensor:
    if not steps:
        return x
    shifted = torch.zeros_like(x)
    shifted[steps:] = x[:-steps]
    return shifted
