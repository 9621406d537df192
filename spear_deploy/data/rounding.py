"""What float32, in which samples and values are kept, does not tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST_STEPS = 256
"""Numbers of float32 that a column has to span: 8 of the 24 bits that it holds are left, which rounds by .1 % of a
deviation."""


@dataclass(frozen=True)
class Rounded:
    """A column of an array whose values differ by too little beside their size.

    Attributes:
        column: its name, such as `y_train[:, 1]`.
        least, most: of its values.
        step: between the two numbers of float32 next to its largest value.

    """

    column: str
    least: float
    most: float
    step: float

    def __str__(self) -> str:
        """What is told of it."""
        return (
            f"{self.column} goes from {self.least!r} to {self.most!r}, which float32, of 24 bits, rounds to steps of"
            f" {self.step:g}; subtract what all have in common"
        )


def rounded(name: str, array: NDArray[Any]) -> Rounded | None:
    """The first column `[N]` of an array `[N, ...]` that float32 rounds so much that its values are not told apart.

    Columns that differ by what float64 itself rounds hold one value and are none.
    """
    wide = array.dtype.itemsize > (2 if array.dtype.kind in "iu" else 4)
    if not wide or not len(array):
        return None
    least, most = (np.asarray(each, dtype=np.float64) for each in (array.min(0), array.max(0)))
    largest = np.maximum(np.abs(least), np.abs(most))
    step = np.spacing(largest.astype(np.float32)).astype(np.float64)
    span = most - least
    doubted = (span >= FEWEST_STEPS * np.spacing(largest)) & (span < FEWEST_STEPS * step)
    for place in map(tuple, np.argwhere(doubted).tolist()):
        column = np.moveaxis(array, 0, -1)[place]
        if (column.astype(np.float32) != column).any():
            called = f"{name}[:, {', '.join(map(str, place))}]" if place else name
            return Rounded(called, float(least[place]), float(most[place]), float(step[place]))
    return None
