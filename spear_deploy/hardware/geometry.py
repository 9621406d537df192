"""Which synapses of a connection fall on which rectangle of a layer, without writing them all out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spear_deploy.hardware.packing import Integers, SynapseLists

Mask = NDArray[np.bool_]
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
        return int(np.prod([stop - start for start, stop in (self.channels, self.rows, self.columns)]))

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


@dataclass(frozen=True)
class Incoming:
    """What one connection brings to one rectangle of neurons."""

    axons: int
    synapses: int
    lists: SynapseLists


class Reach(Protocol):
    """A connection, seen from the layer that it leads to."""

    @property
    def source(self) -> Volume:
        """Shape of the layer that spikes."""

    @property
    def target(self) -> Volume:
        """Shape of the layer that receives."""

    @property
    def uniform(self) -> bool:
        """Whether rectangles that differ in which channels they hold, but not in how many, get the same."""

    def into(self, tile: Tile, shared: bool) -> Incoming:
        """What a rectangle of the target receives; `shared` stores equal lists once."""

    def cores_reached(self, grid: Grid) -> Integers:
        """How many rectangles of the target each source neuron reaches, broadcasts to the source volume."""

    def fan_in(self) -> Integers:
        """Synapses into each target neuron, broadcasts to the target volume."""


@dataclass(frozen=True)
class OneToOne:
    """Each neuron to the one at its place."""

    source: Volume
    target: Volume
    delay_bits: int = 0
    uniform: bool = True

    def into(self, tile: Tile, shared: bool) -> Incoming:
        """One axon and one synapse a neuron."""
        count = tile.neurons
        lists = SynapseLists(np.array([1]), np.array([1 if shared else count]), count, self.delay_bits)
        return Incoming(count, count, lists)

    def cores_reached(self, grid: Grid) -> Integers:
        """One each."""
        return np.ones((1, 1, 1), dtype=np.int64)

    def fan_in(self) -> Integers:
        """One each."""
        return np.ones((1, 1, 1), dtype=np.int64)


@dataclass(frozen=True)
class Dense:
    """A weight matrix onto a flat layer, over pooled or plain sources.

    Attributes:
        sources: source neurons behind each column, `[F]`: more than one where a pool lies between.
        feature: the column that each source neuron feeds, `[*source]`, -1 for none.
        mask: synapses that are not zero, `[N, F]`; None where all are there.

    """

    source: Volume
    target: Volume
    sources: Integers
    feature: Integers
    mask: Mask | None
    delay_bits: int = 0

    @property
    def uniform(self) -> bool:
        """Without zeros every neuron has the same synapses."""
        return self.mask is None

    @cached_property
    def _before(self) -> NDArray[np.int32] | None:
        """Synapses of each column into the neurons before the n-th, `[N + 1, F]`; None without zeros."""
        if self.mask is None:
            return None
        total = np.zeros((self.mask.shape[0] + 1, self.mask.shape[1]), dtype=np.int32)
        np.cumsum(self.mask, axis=0, out=total[1:])
        return total

    def _lengths(self, start: int, stop: int) -> Integers:
        before = self._before
        if before is None:
            return np.full(len(self.sources), stop - start, dtype=np.int64)
        lengths: Integers = (before[stop] - before[start]).astype(np.int64)
        return lengths

    def into(self, tile: Tile, shared: bool) -> Incoming:
        """One list per column that reaches the rectangle."""
        lengths = self._lengths(*tile.channels)
        axons = int(self.sources[lengths > 0].sum())
        counts = np.minimum(self.sources, 1) if shared else self.sources
        lists = _grouped(lengths, counts, tile.neurons, self.delay_bits)
        return Incoming(axons, int(lengths @ self.sources), lists)

    def cores_reached(self, grid: Grid) -> Integers:
        """Counted column by column."""
        reached = np.zeros(len(self.sources) + 1, dtype=np.int64)
        for start, stop in grid.channels:
            reached[:-1] += self._lengths(start, stop) > 0
        if self.mask is None and (self.feature >= 0).all():
            return np.full((1, 1, 1), len(grid.channels), dtype=np.int64)
        return reached[self.feature].reshape(self.source)

    def fan_in(self) -> Integers:
        """Non-zero weights of each row, times the sources behind a column."""
        if self.mask is None:
            return np.full((1, 1, 1), self.sources.sum(), dtype=np.int64)
        return (self.mask @ self.sources).reshape(self.target)


@dataclass(frozen=True)
class Windowed:
    """A convolution, with or without pools around it, or a pool alone.

    Attributes:
        rows: whether kernel row k joins input row i to output row o, `[O, I, K]`.
        columns: the same along the other axis.
        channels_in: source channels of one group.
        channels_out: target channels of one group.
        mask: kernel weights that are not zero, `[C_out, C_in / groups, K, K]`; None where all
            are there. Needs `rows` and `columns` with one kernel row for each pair at most.

    """

    source: Volume
    target: Volume
    rows: Mask
    columns: Mask
    channels_in: int
    channels_out: int
    mask: NDArray[np.int64] | None = None
    delay_bits: int = 0
    _patterns: dict[tuple[str, int, int], tuple[Mask, Integers]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def uniform(self) -> bool:
        """One group without zeros treats all channels alike."""
        return self.mask is None and self.channels_out == self.target[0]

    def _overlaps(self, channels: tuple[int, int]) -> list[tuple[int, int, int]]:
        """The groups that a range of target channels touches: group, first and last channel in it."""
        start, stop = channels
        size = self.channels_out
        return [
            (group, max(start, group * size), min(stop, (group + 1) * size))
            for group in range(start // size, -(-stop // size))
        ]

    def _axis(self, axis: str, bounds: tuple[int, int]) -> tuple[Mask, Integers]:
        """Distinct patterns `[P, o, K]` in which inputs meet outputs within bounds, and how often each, `[P]`."""
        key = (axis, *bounds)
        if key not in self._patterns:
            relation = self.rows if axis == "rows" else self.columns
            self._patterns[key] = _patterns(relation[bounds[0] : bounds[1]])
        return self._patterns[key]

    def into(self, tile: Tile, shared: bool) -> Incoming:
        """Lists by the pattern of their row, the pattern of their column, and their channel."""
        row_patterns, row_counts = self._axis("rows", tile.rows)
        column_patterns, column_counts = self._axis("columns", tile.columns)
        times = np.multiply.outer(row_counts, column_counts)
        lengths, counts = [], []
        for group, first, last in self._overlaps(tile.channels):
            length = self._lengths(group, (first, last), row_patterns, column_patterns)
            lengths.append(length)
            counts.append(np.broadcast_to(times[..., None], length.shape))
        # Without zeros the source channels of a group are alike: one entry stands for all of them.
        repeat = self.channels_in if self.mask is None else 1
        flat = np.concatenate([length.ravel() for length in lengths]).astype(np.int64)
        sources = np.concatenate([count.ravel() for count in counts]).astype(np.int64) * repeat
        stored = np.full_like(sources, repeat) if shared else sources
        lists = _grouped(flat, stored, tile.neurons, self.delay_bits)
        return Incoming(int(sources[flat > 0].sum()), int(flat @ sources), lists)

    def _lengths(self, group: int, channels: tuple[int, int], rows: Mask, columns: Mask) -> Integers:
        """Length of the list for each row pattern, column pattern and source channel, `[Py, Px, C or 1]`."""
        if self.mask is None:
            tall = rows.any(2).sum(1)
            wide = columns.any(2).sum(1)
            area: Integers = np.multiply.outer(tall, wide) * (channels[1] - channels[0])
            return area[..., None]
        kernel = self.mask[slice(*channels)].sum(0)
        found: Integers = np.einsum(
            "ikl,yk,xl->yxi", kernel, rows.sum(1, dtype=np.int64), columns.sum(1, dtype=np.int64), optimize=True
        )
        return found

    def cores_reached(self, grid: Grid) -> Integers:
        """Separable without zeros: channel ranges x row ranges x column ranges."""
        tall = np.stack([self.rows[a:b].any((0, 2)) for a, b in grid.rows])
        wide = np.stack([self.columns[a:b].any((0, 2)) for a, b in grid.columns])
        if self.mask is None:
            per_channel = np.zeros(self.source[0], dtype=np.int64)
            for bounds in grid.channels:
                for group, _, _ in self._overlaps(bounds):
                    per_channel[group * self.channels_in : (group + 1) * self.channels_in] += 1
            reached: Integers = per_channel[:, None, None] * tall.sum(0)[None, :, None] * wide.sum(0)[None, None, :]
            return reached
        return self._cores_reached_with_zeros(grid)

    def _cores_reached_with_zeros(self, grid: Grid) -> Integers:
        reached = np.zeros(self.source, dtype=np.int64)
        tall = [self.rows[a:b].sum(0, dtype=np.int64) for a, b in grid.rows]
        wide = [self.columns[a:b].sum(0, dtype=np.int64) for a, b in grid.columns]
        for bounds in grid.channels:
            for group, first, last in self._overlaps(bounds):
                kernel = self.mask[first:last].sum(0)  # type: ignore[index]
                sources = slice(group * self.channels_in, (group + 1) * self.channels_in)
                for y in tall:
                    for x in wide:
                        reached[sources] += np.einsum("ikl,yk,xl->iyx", kernel, y, x, optimize=True) > 0
        return reached

    def fan_in(self) -> Integers:
        """Sources in the window of each neuron."""
        if self.mask is None:
            tall = self.rows.any(2).sum(1)
            wide = self.columns.any(2).sum(1)
            area: Integers = np.multiply.outer(tall, wide)[None] * self.channels_in
            return area
        found: Integers = np.einsum(
            "okl,yk,xl->oyx",
            self.mask.sum(1),
            self.rows.sum(1, dtype=np.int64),
            self.columns.sum(1, dtype=np.int64),
            optimize=True,
        )
        return found


@dataclass(frozen=True)
class Written:
    """Any connection at all, from its matrix `[targets, sources]`: exact, but every synapse is written out."""

    source: Volume
    target: Volume
    matrix: Any
    delay_bits: int = 0
    uniform: bool = False

    def _columns(self, tile: Tile) -> Integers:
        index = np.arange(int(np.prod(self.target))).reshape(self.target)[tile.slices].ravel()
        rows = self.matrix[index]
        return np.bincount(rows.indices, minlength=self.matrix.shape[1])

    def into(self, tile: Tile, shared: bool) -> Incoming:
        """One list per source that reaches the rectangle; nothing is shared."""
        lengths = self._columns(tile)
        lists = _grouped(lengths, np.ones_like(lengths), tile.neurons, self.delay_bits)
        return Incoming(int((lengths > 0).sum()), int(lengths.sum()), lists)

    def cores_reached(self, grid: Grid) -> Integers:
        """Counted source by source."""
        reached = sum((self._columns(tile) > 0).astype(np.int64) for tile in grid.tiles())
        return np.asarray(reached).reshape(self.source)

    def fan_in(self) -> Integers:
        """Non-zero weights of each row."""
        counts: Integers = np.diff(self.matrix.indptr).astype(np.int64).reshape(self.target)
        return counts


def _grouped(lengths: Integers, counts: Integers, targets: int, delay_bits: int) -> SynapseLists:
    """Lists of equal length counted together, empty ones left out."""
    present = (lengths > 0) & (counts > 0)
    values, where = np.unique(lengths[present], return_inverse=True)
    summed = np.bincount(where, weights=counts[present], minlength=len(values)).astype(np.int64)
    return SynapseLists(values, summed, targets, delay_bits)


def _patterns(relation: Mask) -> tuple[Mask, Integers]:
    """Distinct patterns of inputs over outputs `[o, I, K]`, moved to a common start, and their number."""
    active = np.flatnonzero(relation.any((0, 2)))
    if not len(active):
        return np.zeros((0, relation.shape[0], relation.shape[2]), dtype=np.bool_), np.zeros(0, dtype=np.int64)
    columns = relation[:, active].transpose(1, 0, 2)
    first = columns.any(2).argmax(1)
    order = (np.arange(relation.shape[0])[None, :] + first[:, None]) % relation.shape[0]
    # What precedes the first output is empty, so moving round the end moves nothing but zeros.
    moved = np.take_along_axis(columns, order[:, :, None], axis=1)
    packed = np.packbits(moved.reshape(len(active), -1), axis=1)
    _, index, counts = np.unique(packed, axis=0, return_index=True, return_counts=True)
    return moved[index], counts.astype(np.int64)


def bounds_of(size: int, step: int) -> Bounds:
    """A length cut into pieces of at most `step`."""
    return tuple((start, min(start + step, size)) for start in range(0, size, step))


def compose(steps: Sequence[Mask]) -> Mask:
    """Relations `[O, I]` along one axis, first to last, as one."""
    total = steps[0].astype(np.int64)
    for step in steps[1:]:
        total = (step.astype(np.int64) @ total > 0).astype(np.int64)
    return total > 0
