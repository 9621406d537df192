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


class Columns:
    """What is seen of the columns `[N]` of an array `[N, ...]`, of which some samples are shown at a time.

    Of numbers of one or two bytes, which float32 holds, only the `largest` is kept, which is 0 at least.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.largest = 0.0
        self.least: NDArray[np.float64] | None = None
        self.most: NDArray[np.float64] | None = None
        self.changed: NDArray[np.bool_] | None = None

    def see(self, samples: NDArray[Any]) -> None:
        """Look at some of the samples."""
        if not samples.size:
            return
        if samples.dtype.itemsize <= 2:
            self.largest = max(self.largest, float(samples.max()))
            return
        least, most = (np.asarray(each, dtype=np.float64) for each in (samples.min(0), samples.max(0)))
        self.largest = max(self.largest, float(most.max()))
        self.least = least if self.least is None else np.minimum(self.least, least)
        self.most = most if self.most is None else np.maximum(self.most, most)
        if samples.dtype.kind in "iu" or samples.dtype.itemsize > 4:
            changed = np.asarray((samples.astype(np.float32) != samples).any(0))
            self.changed = changed if self.changed is None else self.changed | changed

    @property
    def span(self) -> NDArray[np.float64]:
        """From the least value of each column to its most; 0 where none was looked at."""
        return np.zeros(()) if self.least is None or self.most is None else self.most - self.least

    def rounded(self, train: Columns | None = None) -> Rounded | None:
        """The first column that float32 rounds so much that its values are not told apart.

        Columns that differ by what float64 itself rounds hold one value and are none, nor are those of another split
        that is small beside what is learned: they differ by little there, and `train` by many steps.
        """
        if self.changed is None or self.least is None or self.most is None:
            return None
        largest = np.maximum(np.abs(self.least), np.abs(self.most))
        step = np.spacing(largest.astype(np.float32)).astype(np.float64)
        span = self.span if train is None else np.maximum(self.span, train.span)
        doubted = self.changed & (span >= FEWEST_STEPS * np.spacing(largest)) & (span < FEWEST_STEPS * step)
        for place in map(tuple, np.argwhere(doubted).tolist()):
            called = f"{self.name}[:, {', '.join(map(str, place))}]" if place else self.name
            return Rounded(called, float(self.least[place]), float(self.most[place]), float(step[place]))
        return None


def columns(name: str, array: NDArray[Any]) -> Columns:
    """What is seen of an array in memory."""
    found = Columns(name)
    found.see(array)
    return found
