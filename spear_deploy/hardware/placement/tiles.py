"""Rectangles of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

Volume = tuple[int, int, int]
Bounds = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Tile:
    """A rectangle of a layer: channels, rows and columns, each from the first up to before the second."""

    channels: tuple[int, int]
    rows: tuple[int, int]
    columns: tuple[int, int]

    @property
    def neurons(self) -> int:
        """Neurons in the rectangle."""
        return prod(stop - start for start, stop in (self.channels, self.rows, self.columns))

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The rectangle as an index."""
        return slice(*self.channels), slice(*self.rows), slice(*self.columns)


@dataclass(frozen=True)
class Grid:
    """A layer cut along channels, rows and columns."""

    channels: Bounds
    rows: Bounds
    columns: Bounds

    @property
    def size(self) -> int:
        """Number of rectangles."""
        return len(self.channels) * len(self.rows) * len(self.columns)

    def tiles(self) -> list[Tile]:
        """The rectangles, channels first."""
        return [Tile(c, y, x) for c in self.channels for y in self.rows for x in self.columns]


def whole(volume: Volume) -> Tile:
    """All of a layer as one rectangle."""
    channels, rows, columns = volume
    return Tile((0, channels), (0, rows), (0, columns))


def bounds_of(size: int, step: int) -> Bounds:
    """A length cut into pieces of at most `step`."""
    return tuple((start, min(start + step, size)) for start in range(0, size, step))
