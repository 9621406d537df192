"""Surrogate gradients: a spike is a step forward and something smooth backward."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

Spike = Callable[[Tensor], Tensor]
"""A spike function: 1 where its argument is positive, with a gradient of its own."""


@dataclass(frozen=True)
class Surrogate:
    """A spike whose gradient is that of a smooth function.

    Attributes:
        name: as it is chosen by.
        slope: of x, the membrane above its threshold, to what the gradient of the spikes is divided or multiplied by.
        divides: whether it is divided.
        widths: of the gradient, by what membranes reach; None where that is 1 for all.

    """

    name: str
    slope: Callable[[Tensor], Tensor]
    divides: bool
    widths: Tensor | None = field(default=None, compare=False)

    def as_wide_as(self, widths: Tensor) -> Surrogate:
        """The same over membranes that are so many times as large, all or each neuron's `[*shape]`: of x / width."""
        return replace(self, widths=widths)

    def slopes(self, x: Tensor) -> Tensor:
        """What the gradient of spikes is divided or multiplied by."""
        if self.widths is None:
            return self.slope(x)
        widths = self.widths.to(x)
        found = self.slope(x / widths)
        return found.mul_(widths) if self.divides else found.div_(widths)

    def gradient(self, gradient: Tensor, x: Tensor) -> Tensor:
        """From the gradient of the spikes to that of x."""
        return self.through(gradient, self.slopes(x))

    def through(self, gradient: Tensor, slope: Tensor, out: Tensor | None = None) -> Tensor:
        """The same where the slope is known."""
        return (torch.div if self.divides else torch.mul)(gradient, slope, out=out)

    def __call__(self, x: Tensor) -> Tensor:
        """1 where x > 0."""
        spikes: Tensor = _Step.apply(x, self.gradient)  # type: ignore[no-untyped-call]
        return spikes


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gradient: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(x)
        ctx.gradient = gradient
        return x.gt(0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor, None]:
        return ctx.gradient(above, ctx.saved_tensors[0]), None


def _atan(x: Tensor) -> Tensor:
    return (x * math.pi).square_().add_(1)


def _fast_sigmoid(x: Tensor) -> Tensor:
    return (x.abs() * _SLOPE).add_(1).square_()


def _sigmoid(x: Tensor) -> Tensor:
    s = torch.sigmoid(x * _SLOPE)
    return (s * (1 - s)).mul_(_SLOPE)


_SLOPE = 25.0
"""Steepness of both sigmoids, snnTorch's default."""

atan = Surrogate("atan", _atan, divides=True)
"""ds/dx = 1 / (1 + (pi x)^2), snnTorch's default with alpha = 2. Source: Fang et al., ICCV 2021."""

fast_sigmoid = Surrogate("fast_sigmoid", _fast_sigmoid, divides=True)
"""ds/dx = 1 / (1 + 25 |x|)^2. Source: Zenke & Ganguli, Neural Computation 30, 2018 (SuperSpike)."""

sigmoid = Surrogate("sigmoid", _sigmoid, divides=False)
"""ds/dx = 25 sigma(25 x) (1 - sigma(25 x)), the derivative of the logistic function."""

SURROGATES = {surrogate.name: surrogate for surrogate in (atan, fast_sigmoid, sigmoid)}
