"""Where time lies in a tensor: on an axis of its own, folded into the batch, or nowhere (one step)."""

from __future__ import annotations

from math import prod

from spear_deploy.network.importing.expression import INPUT, Expression, Leaf

TIME_MAJOR = -1
"""A time axis that is folded into the batch, `[T * B, ...]`: all samples of a step stand together."""

BATCH_MAJOR = -2
"""The same as `[B * T, ...]`: all steps of a sample stand together."""

Shape = tuple[int, ...]

_UNFOLDED = {0: 0, TIME_MAJOR: 0, 1: 1, BATCH_MAJOR: 1}
_FOLDED = {0: TIME_MAJOR, TIME_MAJOR: TIME_MAJOR, 1: BATCH_MAJOR, BATCH_MAJOR: BATCH_MAJOR}


def leading(axis: int | None) -> int:
    """How many axes stand before the shape of one time step of one sample."""
    return 1 if axis is None or axis < 0 else 2


def reshaped(shape: Shape, axis: int | None, steps: int, result: Shape) -> tuple[int | None, Shape] | None:
    """Where time lies after a change of shape, and the shape of one step then; None if it tore them apart.

    Args:
        shape: before, with its time axis at `axis`.
        axis: 0, 1, `TIME_MAJOR`, `BATCH_MAJOR` or None.
        steps: T.
        result: the shape after.

    """
    rest = shape[leading(axis) :]
    for found, lead in _forms(shape, axis, steps):
        after = result[len(lead) :]
        without_ones = after == rest[: len(after)] and prod(rest) == prod(after)  # nothing but axes of one place go
        if result[: len(lead)] == lead and (after in (rest, (prod(rest),)) or (after and without_ones)):
            return found, after
    return None


def maps_of(before: Shape, axis: int | None, steps: int, after: Shape) -> tuple[int | None, Shape] | None:
    """Where time lies after a change of shape that makes maps of samples, and their shape; arguments as `reshaped`'."""
    for found, lead in _forms(before, axis, steps):
        maps = after[len(lead) :]
        if after[: len(lead)] == lead and prod(before[leading(axis) :]) == prod(maps) and len(maps) in (2, 3):
            return found, maps
    return None


def maps_of_input(expression: Expression, axis: int | None, before: Shape, after: Shape) -> str:
    """The way out where forward makes maps of the network's input, which may come as maps; elsewhere nothing."""
    lead = leading(axis)
    given = isinstance(expression, Leaf) and expression.node == INPUT
    if not given or before[:lead] != after[:lead] or len(after) <= len(before):
        return ""
    return f"give input_shape={after[lead:]} and samples of that shape"


def _forms(shape: Shape, axis: int | None, steps: int) -> list[tuple[int | None, Shape]]:
    """Every way in which time and batch can stand in front, with the axes that they then take."""
    if axis is None:
        return [(None, shape[:1])]
    samples = shape[0] // steps if axis < 0 else shape[1 - axis]
    both = (steps, samples) if _UNFOLDED[axis] == 0 else (samples, steps)
    return [(_UNFOLDED[axis], both), (_FOLDED[axis], (steps * samples,))]
