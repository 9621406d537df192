"""The equation of `Neuron` in torch: step by step, or over all steps in one pass of memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from spear_deploy.network.device import CPU
from spear_deploy.network.neuron import Neuron, Reset
from spear_deploy.network.neuron_kernels import kernels_for
from spear_deploy.network.surrogate import Spike, Surrogate, atan

if TYPE_CHECKING:
    from spear_deploy.network.recurrence import Echo

TRAINABLE = ("beta", "alpha", "threshold")
"""Constants that may be trained; decays are held in [0, 1]."""

_PIECE = 65_536
"""Neurons that a CPU runs over time at once: their state then stays in the cache of a core."""


class NeuronLayer(nn.Module):
    """Runs the equation of `Neuron` over time, for a batch.

    Input currents `[T, B, *shape]` in, spikes (or membranes, without a threshold) of the
    same shape out. Constants that do not change the result (a gain of 1, no offset) cost nothing.

    Args:
        neuron: the constants of the layer.
        dtype: precision.
        spike: the spike function; a `Surrogate` runs all steps in one function.
        trainable: which of `TRAINABLE` become parameters.

    """

    beta: Tensor
    gain: Tensor | None
    alpha: Tensor | None
    offset: Tensor | None
    threshold: Tensor | None
    reset_value: Tensor | None

    def __init__(
        self, neuron: Neuron, dtype: torch.dtype, spike: Spike = atan, trainable: frozenset[str] = frozenset()
    ) -> None:
        super().__init__()
        self.neuron = neuron
        self.spike = spike
        self.dtype = dtype
        self.trainable = trainable
        self._constant("beta", neuron.beta)
        self._constant("gain", None if (neuron.gain == 1).all() else neuron.gain)
        self._constant("alpha", neuron.alpha)
        self._constant("offset", neuron.offset)
        self._constant("threshold", neuron.threshold)
        self._constant("reset_value", neuron.reset_value)

    @property
    def width(self) -> Tensor | None:
        """Of the surrogate gradient, where it is not that of thresholds near 1."""
        return self.spike.widths if isinstance(self.spike, Surrogate) else None

    def _constant(self, name: str, value: Any) -> None:
        if value is None:
            self.register_buffer(name, None)
            return
        uniform = value.size and (value == value.flat[0]).all()
        kept = torch.as_tensor(np.array(value.flat[0] if uniform else value), dtype=self.dtype, device=CPU)
        if name in self.trainable:
            self.register_parameter(name, nn.Parameter(kept))
        else:
            self.register_buffer(name, kept)

    def trained(self) -> Neuron:
        """The neuron with the constants that the layer has now."""
        shape = self.neuron.shape
        changes: dict[str, Any] = {
            key: np.broadcast_to(self._now(key).detach().cpu().double().numpy(), shape).copy()
            for key in self.trainable
            if getattr(self.neuron, key) is not None
        }
        return replace(self.neuron, **changes)

    def _now(self, name: str) -> Tensor:
        value: Tensor = getattr(self, name)
        return value.clamp(0, 1) if name in self.trainable and name != "threshold" else value

    def start(self, current: Tensor) -> tuple[Tensor, Tensor]:
        """The state before the first step, for one step's current `[B, *shape]`."""
        zero = torch.zeros_like(current)
        return zero, zero

    def step(self, current: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """One time step: output and new state (u, v)."""
        u, v = state
        u = current if self.gain is None else self.gain * current
        if self.alpha is not None:
            u = self._now("alpha") * state[0] + u
        late = self._pending_reset(v)
        if late is not None and self.neuron.reset is Reset.ZERO:
            v = self._to_reset_value(v, late)
        v = self._now("beta") * v + u
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
        if self.threshold is None or self.neuron.reset in (Reset.NONE, Reset.SUBTRACT_ONCE):
            return None
        if self.neuron.reset is Reset.ZERO and not self.neuron.reset_delay:
            return None
        return (v.detach() > self.threshold).to(v.dtype)

    def _reset_now(self, v: Tensor, spikes: Tensor, late: Tensor | None, threshold: Tensor) -> Tensor:
        if self.neuron.reset is Reset.SUBTRACT_ONCE:
            return v - spikes * threshold
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
        if isinstance(self.spike, Surrogate) and not self.trainable:
            fused: Tensor = _OverTime.apply(currents, self)  # type: ignore[no-untyped-call]
            return fused
        state = self.start(currents[0])
        outputs = []
        for current in currents:
            output, state = self.step(current, state)
            outputs.append(output)
        return torch.stack(outputs)


class _OverTime(torch.autograd.Function):
    """All steps of a layer whose constants are fixed, in pieces of the batch.

    Forward keeps one tensor, the membrane above its threshold, from which spikes and surrogate
    gradients follow. Resets are not differentiated, as in `NeuronLayer.step`.
    """

    @staticmethod
    def forward(ctx: Any, currents: Tensor, layer: NeuronLayer) -> Tensor:
        spikes, kernels = layer.threshold is not None, kernels_for(layer, currents)
        # Products in half precision: spikes lose nothing by it, membranes are kept in the layer's own.
        states = torch.promote_types(currents.dtype, torch.float32)
        kept = currents.dtype if spikes and kernels is not None else states
        outputs = torch.empty(currents.shape, dtype=kept, device=currents.device)
        needed = ctx.needs_input_grad[0] and spikes
        above = torch.empty(currents.shape, dtype=states, device=currents.device) if needed else None
        ctx.given = currents.dtype
        if kernels is None:
            currents = currents.to(states)
        if kernels is not None:
            kernels.run(layer, currents, outputs, above)
        else:
            for piece in _pieces(currents):
                run_over_time(layer, currents[:, piece], outputs[:, piece], None if above is None else above[:, piece])
        ctx.layer = layer
        ctx.save_for_backward(above)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (above,) = ctx.saved_tensors
        result = torch.empty(gradient.shape, dtype=ctx.given, device=gradient.device)
        if (kernels := kernels_for(ctx.layer, gradient)) is not None:
            kernels.run_back(ctx.layer, gradient, result, above)
            return result, None
        for piece in _pieces(gradient):
            seen = None if above is None else above[:, piece]
            run_back_over_time(ctx.layer, gradient[:, piece], result[:, piece], seen)
        return result, None


def _pieces(values: Tensor) -> list[slice]:
    """The batch in pieces that a core's cache holds; whole elsewhere, where each kernel's start costs."""
    batch = values.shape[1]
    if values.device.type != "cpu":
        return [slice(0, batch)]
    size = max(1, _PIECE // max(1, values[0, 0].numel()))
    return [slice(start, start + size) for start in range(0, batch, size)]


ResetWhere = Callable[["NeuronLayer", Tensor, Tensor], None]
"""Sets a membrane to its reset value where spikes `[B, *shape]` are 1."""


def run_over_time(
    layer: NeuronLayer, currents: Tensor, outputs: Tensor, above: Tensor | None, echo: Echo | None = None
) -> None:
    """The equation, in place: operation by operation what `NeuronLayer.step` computes.

    Currents `[T, B, *shape]` to outputs, and to membranes above their threshold where there is room for them; with an
    `echo` the layer hears its own outputs too.
    """
    if currents.device.type != "cpu" or not _run_with(_multiplied, layer, currents, outputs, above, echo):
        _run_with(_filled, layer, currents, outputs, above, echo)


def _run_with(
    reset_where: ResetWhere,
    layer: NeuronLayer,
    currents: Tensor,
    outputs: Tensor,
    above: Tensor | None,
    echo: Echo | None = None,
) -> bool:
    """Whether all membranes are finite at the end; a number that is none stays in its neuron, so none was before."""
    reset, delayed, threshold = layer.neuron.reset, layer.neuron.reset_delay, layer.threshold
    v = torch.zeros(currents.shape[1:], dtype=currents.dtype, device=currents.device)
    u, room, scaled, still = (torch.zeros_like(v) for _ in range(4))
    late: Tensor | None = None
    for t, given in enumerate(currents):
        given = given if echo is None else echo.heard(given, outputs[t - 1] if t else None)
        current = given if layer.gain is None else torch.mul(given, layer.gain, out=scaled)
        if layer.alpha is not None:
            current = u.mul_(layer.alpha).add_(current)
        v.mul_(layer.beta).add_(current)
        if layer.offset is not None:
            v.add_(layer.offset)
        if threshold is None:
            outputs[t] = v
            continue
        if late is not None and reset is Reset.ZERO_HOLD:
            reset_where(layer, v, late)
        if late is not None and reset is Reset.SUBTRACT:
            v.addcmul_(late, threshold, value=-1)
        x = torch.sub(v, threshold, out=room if above is None else above[t])
        spikes = torch.gt(x, 0, out=outputs[t])
        if reset is Reset.ZERO:
            reset_where(layer, v, spikes)
        elif reset is Reset.SUBTRACT_ONCE:
            v.addcmul_(spikes, threshold, value=-1)
        elif reset is Reset.SUBTRACT and not delayed:
            v.addcmul_(spikes if late is None else torch.sub(spikes, late, out=room), threshold, value=-1)
            spikes = torch.gt(v, threshold, out=still)
        late = spikes
    return v.device.type == "cpu" and math.isfinite(float(v.sum()))


def _multiplied(layer: NeuronLayer, v: Tensor, spikes: Tensor) -> None:
    """Reset by v - v s + r s: many times as fast on a CPU as by a mask, and equal while v is finite."""
    v.addcmul_(v, spikes, value=-1)
    if layer.reset_value is not None:
        v.addcmul_(spikes, layer.reset_value)


def _filled(layer: NeuronLayer, v: Tensor, spikes: Tensor) -> None:
    """Reset by a mask."""
    if layer.reset_value is None:
        v.masked_fill_(spikes.bool(), 0)
    else:
        torch.where(spikes.bool(), layer.reset_value, v, out=v)


def run_back_over_time(
    layer: NeuronLayer, gradient: Tensor, result: Tensor, above: Tensor | None, echo: Echo | None = None
) -> None:
    """From the gradient of the outputs to that of the currents, from the last step to the first."""
    if gradient.device.type != "cpu" or not _run_back_with(_silenced, layer, gradient, result, above, echo):
        _run_back_with(_masked, layer, gradient, result, above, echo)


def _run_back_with(
    clear: Callable[[Tensor, Tensor], Tensor],
    layer: NeuronLayer,
    gradient: Tensor,
    result: Tensor,
    above: Tensor | None,
    echo: Echo | None = None,
) -> bool:
    """Whether what was carried to the first step is finite; see `_run_with`."""
    reset, surrogate, steps = layer.neuron.reset, layer.spike, len(gradient)
    assert isinstance(surrogate, Surrogate)
    clears = reset in (Reset.ZERO, Reset.ZERO_HOLD)
    carried: Tensor | None = None
    synaptic: Tensor | None = None
    room, flags = torch.empty_like(gradient[0]), torch.empty_like(gradient[0])
    slopes: Tensor | None = None
    at_once = max(1, _PIECE // max(1, room.numel()))
    for t in reversed(range(steps)):
        v = gradient[t] if echo is None else echo.blamed(gradient[t], result[t + 1] if t + 1 < steps else None)
        if above is not None:
            if slopes is None or (t + 1) % at_once == 0:
                first = t // at_once * at_once
                slopes = surrogate.slopes(above[first : t + 1])
            v = surrogate.through(v, slopes[t % at_once], out=room)
        if carried is not None:
            v = torch.add(v, carried, out=room)
        fired = torch.gt(above[t - 1], 0, out=flags) if above is not None and clears and t > 0 else None
        if fired is not None and reset is Reset.ZERO_HOLD:
            v = clear(v, fired)
        carried = torch.mul(v, layer.beta, out=carried)
        if fired is not None and reset is Reset.ZERO:
            carried = clear(carried, fired)
        if layer.alpha is not None:
            v = synaptic = v.clone() if synaptic is None else synaptic.mul_(layer.alpha).add_(v)
        if layer.gain is None:
            result[t] = v
        else:
            torch.mul(v, layer.gain, out=result[t])
    return carried is not None and carried.device.type == "cpu" and math.isfinite(float(carried.sum()))


def _silenced(values: Tensor, fired: Tensor) -> Tensor:
    """Values where nothing fired, else 0; in place. Equal to the mask while they are finite."""
    return values.addcmul_(values, fired, value=-1)


def _masked(values: Tensor, fired: Tensor) -> Tensor:
    return values.masked_fill_(fired.bool(), 0)
