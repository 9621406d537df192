"""Sums, differences, products and quotients of tensors that depend on the input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from spear_deploy.network.importing.expression import Cat, Expression, Opaque, add
from spear_deploy.network.importing.layout import leading
from spear_deploy.network.linear import Scale

if TYPE_CHECKING:
    from spear_deploy.network.importing.recorder import Recorder

Found = tuple[Expression, int | None]
"""Where a result comes from, and its axis of time."""


def add_terms(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> Found:
    """A sum of two terms of one shape; a constant beside zero has no node."""
    if kwargs.get("alpha", 1) != 1:
        return Opaque("an addition with alpha; multiply first"), None
    if not all(isinstance(term, Tensor) for term in args[:2]):
        changed = [term for term in args[:2] if not isinstance(term, Tensor) and term != 0]
        if changed:
            return Opaque(f"the constant {changed[0]} that is added; put it into a bias, or into the data"), None
    terms = tuple(term for term in args[:2] if isinstance(term, Tensor))
    axes = {recorder.time_axis(term) for term in terms if recorder.knows(term)}
    if len(axes) > 1:
        return Opaque("an addition of one step to a whole sequence"), None
    wide = [term for term in terms if term.shape == result.shape]
    if len(wide) != len(terms):
        return Opaque("an addition of tensors that differ in shape"), None
    values = [recorder.expression(term) for term in terms]
    if any(isinstance(value, Cat) for value in values):
        return Opaque("a sum with a concatenation; add the branches before they are concatenated"), None
    return add(tuple(values)), axes.pop()


def subtract(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> Found:
    """The second term times -1 is added."""
    if kwargs.get("alpha", 1) != 1:
        return Opaque("a subtraction with alpha; multiply first"), None
    first, second = args[:2]
    if not isinstance(second, Tensor) or not recorder.knows(second):
        return add_terms(recorder, (first, second), {}, result)
    turned = second.detach().clone()
    recorder.mark(turned, *negate(recorder, (second,), {}, second))
    return add_terms(recorder, (first, turned), {}, result)


def subtracted(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> Found:
    """The same, the second term before the first."""
    return subtract(recorder, (args[1], args[0]), kwargs, result)


def negate(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> Found:
    """A factor of -1."""
    return _scaled(recorder, args[0], -1.0, result, inverse=False)


def multiply(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> Found:
    """A factor for each element, or one for all."""
    return _scaled(recorder, args[0], args[1], result, inverse=False)


def divide(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> Found:
    """The inverse of such a factor."""
    if kwargs.get("rounding_mode") is not None or (isinstance(args[1], Tensor) and recorder.knows(args[1])):
        return Opaque("a division by or rounding of what depends on the input, which no synapse does"), None
    return _scaled(recorder, args[0], args[1], result, inverse=True)


def _scaled(recorder: Recorder, a: Any, b: Any, result: Tensor, *, inverse: bool) -> Found:
    value, factor = (a, b) if isinstance(a, Tensor) and recorder.knows(a) else (b, a)
    if isinstance(factor, Tensor) and recorder.knows(factor):
        return Opaque("a product of two values that depend on the input, which no synapse does; add them"), None
    axis = recorder.time_axis(value)
    single = not isinstance(factor, Tensor) or factor.numel() == 1
    if value.shape != result.shape or (axis is not None and not single):
        return Opaque("a product over a whole sequence or of another shape"), None
    with recorder.quiet():
        scale = torch.as_tensor(factor, dtype=torch.float64).detach()
        scale = 1 / scale if inverse else scale
        if scale.dim() == result.dim() and len(scale) not in (0, 1):
            return Opaque("a product that differs between samples"), None
        shape = result.shape[leading(axis) :]
        scale = scale.flatten()[0].expand(shape).clone() if single else scale.expand(1, *shape)[0].clone()
    learned = isinstance(factor, Tensor) and recorder.is_learned(factor)
    key = (scale.numpy().tobytes(), learned)
    if bool((scale == 1).all()):
        return recorder.expression(value), axis
    return recorder.applied("scale", key, Scale(scale, learned=learned), value), axis
