"""Surrogate gradients: a spike is a step forward and something smooth backward."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
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
        gradient: `(gradient of the spikes, x)` to the gradient of x, where x is the membrane
            above its threshold.

    """

    name: str
    gradient: Callable[[Tensor, Tensor], Tensor]

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


def _atan(gradient: Tensor, x: Tensor) -> Tensor:
    return gradient / (x * math.pi).square_().add_(1)


def _fast_sigmoid(gradient: Tensor, x: Tensor) -> Tensor:
    return gradient / (x.abs() * _SLOPE).add_(1).square_()


def _sigmoid(gradient: Tensor, x: Tensor) -> Tensor:
    s = torch.sigmoid(x * _SLOPE)
    return gradient * (s * (1 - s)).mul_(_SLOPE)


_SLOPE = 25.0
"""Steepness of both sigmoids, snnTorch's default."""

atan = Surrogate("atan", _atan)
"""ds/dx = 1 / (1 + (pi x)^2), snnTorch's default with alpha = 2. Source: Fang et al., ICCV 2021."""

fast_sigmoid = Surrogate("fast_sigmoid", _fast_sigmoid)
"""ds/dx = 1 / (1 + 25 |x|)^2. Source: Zenke & Ganguli, Neural Computation 30, 2018 (SuperSpike)."""

sigmoid = Surrogate("sigmoid", _sigmoid)
"""ds/dx = 25 sigma(25 x) (1 - sigma(25 x)), the derivative of the logistic function."""

SURROGATES = {surrogate.name: surrogate for surrogate in (atan, fast_sigmoid, sigmoid)}
