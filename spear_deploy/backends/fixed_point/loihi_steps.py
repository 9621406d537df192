"""The steps of a layer in Loihi's integers, one by one, in torch operations on whole batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spear_deploy.network import Reset

if TYPE_CHECKING:
    from spear_deploy.backends.fixed_point.loihi import LayerExecution


class Run:
    """A layer in the middle of its time steps; states `[B, *shape]` are changed in place.

    The membrane is held with its sign turned, w = -v: resetting is then one `threshold_`, and
    the chip's arithmetic is symmetric.
    """

    def __init__(
        self, layer: LayerExecution, inputs: Tensor, outputs: Tensor, seen: tuple[Tensor, ...], *, alone: bool
    ) -> None:
        self.layer, self.outputs, self.seen = layer, outputs, seen
        self.u = torch.zeros_like(outputs[0], dtype=torch.float64)
        self.w = torch.zeros_like(self.u)
        self.room = torch.empty_like(self.u)
        self.memoryless = layer.slowest_u == 0
        self.biased = layer.bias_range != (0.0, 0.0)
        self.below = None if layer.threshold is None else -layer.threshold
        self.uniform = float(layer.threshold) if layer.threshold is not None and layer.threshold.ndim == 0 else None
        self.wraps, self.clips = layer.overflows(layer.reach, len(outputs))
        if self.clips and alone:  # not ruled out for any input: these inputs may do it
            least, most = torch.aminmax(inputs.movedim(2, -1))  # in the order of memory
            self.wraps, self.clips = layer.overflows((min(0.0, float(least)), max(0.0, float(most))), len(outputs))
        if inputs.stride(0) == 0:
            inputs = inputs[:1].double().expand(inputs.shape)
        if self.biased and self.memoryless and not self.wraps and not seen:
            # Below 2^24 even with the bias, and thus as exact before the sum as after it.
            once = inputs[:1] if inputs.stride(0) == 0 else inputs
            inputs = once.add_(layer.bias.to(inputs.dtype)).expand(inputs.shape)
            self.biased = False
        self.inputs = inputs

    def step(self, t: int, fed_back: Tensor | None = None) -> None:
        """One time step; `fed_back` comes beside the inputs, shifted as they are."""
        self._current(self.inputs[t] if fed_back is None else self.inputs[t] + fed_back)
        self._membrane(t)
        if self.seen:
            self.seen[0][t] = self.u
            torch.neg(self.w, out=self.seen[1][t]).add_(0.0)  # a membrane of 0 has no sign

    def _current(self, shifted: Tensor) -> None:
        """Decay u, truncated towards zero, and add the input; wraps at 24 bits as Lava does.

        A division that truncates is done in a fraction of the time of `trunc_`.
        """
        layer = self.layer
        if self.memoryless and not self.wraps and shifted.dtype is torch.float64:
            self.u = shifted
            return
        u = self.u
        if self.memoryless:
            u.copy_(shifted)
        else:
            u.mul_(layer.keep_u).div_(1.0, rounding_mode="trunc").add_(self.room.copy_(shifted))
        if self.wraps:
            once = torch.where(u > layer.limit, u - 2 * layer.limit, u)
            u.copy_(torch.where(once <= -layer.limit, u + 2 * layer.limit, once))

    def _membrane(self, t: int) -> None:
        layer, w, below = self.layer, self.w, self.below
        subtract = below is not None and layer.values.reset is Reset.SUBTRACT
        pending = (w < below).double() if subtract and below is not None else None
        w.mul_(layer.keep_v).div_(1.0, rounding_mode="trunc").sub_(self.u)
        if self.biased:
            w.sub_(layer.bias)
        if self.clips:
            w.clamp_(1 - layer.limit, layer.limit - 1)
        if below is None:
            torch.neg(w, out=self.outputs[t])
            return
        if pending is not None:
            w.sub_(pending * below).clamp_(1 - layer.limit, layer.limit - 1)
        # Comparing into float64 and converting then is twice as fast as both at once.
        fired = torch.lt(w, below if self.uniform is None else -self.uniform, out=self.room)
        self.outputs[t] = fired
        if pending is not None:
            if not layer.values.reset_delay:
                w.sub_((fired - pending) * below)
        elif self.uniform is None:
            w.addcmul_(w, fired, value=-1.0)
        else:
            torch.threshold_(w, -self.uniform - 0.5, 0.0)
