"""The geometry of convolutions and pools, axis by axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spear_deploy.hardware.placement.geometry import Fan, Incoming
from spear_deploy.hardware.placement.packing import Integers, grouped
from spear_deploy.hardware.placement.repeated import crossed, first_of_equal, tap_tells_place
from spear_deploy.hardware.placement.tiles import Grid, Tile, Volume

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Patterns:
    """Ways in which inputs meet the outputs of a range.

    Attributes:
        masks: distinct patterns, moved to a common start, `[P, o, K]`.
        counts: how many inputs have each, `[P]`.
        key: what tells it from others.

    """

    masks: Mask
    counts: Integers
    key: bytes

    @cached_property
    def steady(self) -> bool:
        """Whether a tap tells the place in all of them."""
        return tap_tells_place(self.masks)


@dataclass
class _Memory:
    """What was worked out once: rectangles in the middle of a map are alike."""

    by_bounds: dict[tuple[str, int, int], _Patterns] = field(default_factory=dict)
    known: dict[bytes, _Patterns] = field(default_factory=dict)
    incoming: dict[tuple[bytes, bytes, tuple[int, int], bool], Incoming] = field(default_factory=dict)


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
    _memory: _Memory = field(default_factory=lambda: _Memory(), init=False, repr=False, compare=False)

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

    def _axis(self, axis: str, bounds: tuple[int, int]) -> _Patterns:
        """How inputs meet outputs within bounds; equal ones are the same object."""
        key = (axis, *bounds)
        if key not in self._memory.by_bounds:
            relation = self.rows if axis == "rows" else self.columns
            patterns = _patterns(relation[bounds[0] : bounds[1]])
            self._memory.by_bounds[key] = self._memory.known.setdefault(patterns.key, patterns)
        return self._memory.by_bounds[key]

    def into(self, tile: Tile, shared: bool) -> Incoming:
        """Lists by the pattern of their row, the pattern of their column, and their channel."""
        rows, columns = self._axis("rows", tile.rows), self._axis("columns", tile.columns)
        first, stop = tile.channels
        channels = (0, stop - first) if self.uniform else tile.channels
        key = (rows.key, columns.key, channels, shared)
        if key not in self._memory.incoming:
            self._memory.incoming[key] = self._into(rows, columns, channels, tile.neurons, shared)
        return self._memory.incoming[key]

    def _into(
        self, rows: _Patterns, columns: _Patterns, channels: tuple[int, int], neurons: int, shared: bool
    ) -> Incoming:
        groups = self._overlaps(channels)
        first: Mask | bool = True
        if self.mask is None:
            # The source channels of a group are alike: one entry stands for all of them.
            repeat = self.channels_in
            area = np.multiply.outer(rows.masks.any(2).sum(1), columns.masks.any(2).sum(1))
            lengths = np.multiply.outer([stop - start for _, start, stop in groups], area.ravel())
        else:
            repeat = 1
            kernel = np.concatenate([self.mask[start:stop].sum(0) for _, start, stop in groups])
            reached = crossed(rows.masks.sum(1, dtype=np.int64), columns.masks.sum(1, dtype=np.int64))
            lengths = kernel.reshape(len(kernel), -1) @ reached.T
            if shared:
                first = first_of_equal(kernel > 0, rows.masks, columns.masks, steady=rows.steady and columns.steady)
        times = np.multiply.outer(rows.counts, columns.counts).ravel()
        sources = np.broadcast_to(times * repeat, lengths.shape).ravel()
        stored = np.broadcast_to(first, lengths.shape).ravel() * repeat if shared else sources
        flat = lengths.ravel()
        lists = grouped(flat, stored, neurons, self.delay_bits)
        return Incoming(int(sources[flat > 0].sum()), int(flat @ sources), lists)

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

    def fan(self, tile: Tile) -> Fan:
        """Rows x columns x channels that the window of a source covers in the rectangle."""
        tall, wide = self.rows[slice(*tile.rows)], self.columns[slice(*tile.columns)]
        groups = self._overlaps(tile.channels)
        first, last = groups[0][0] * self.channels_in, (groups[-1][0] + 1) * self.channels_in
        region = Tile((first, last), _extent(tall), _extent(wide))
        tall, wide = tall[:, slice(*region.rows)], wide[:, slice(*region.columns)]
        if self.mask is None:
            each = np.repeat([stop - start for _, start, stop in groups], self.channels_in)
            high, broad = tall.any(2).sum(0), wide.any(2).sum(0)
            return Fan(region, each[:, None, None] * high[None, :, None] * broad[None, None, :])
        kernel = np.concatenate([self.mask[start:stop].sum(0) for _, start, stop in groups])
        taps = (tall.sum(0, dtype=np.int64), wide.sum(0, dtype=np.int64))
        return Fan(region, np.einsum("ikl,yk,xl->iyx", kernel, *taps, optimize=True))

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


def _patterns(relation: Mask) -> _Patterns:
    """The patterns of a relation `[o, I, K]`."""
    outputs, _, taps = relation.shape
    size = outputs.to_bytes(4) + taps.to_bytes(4)
    active = np.flatnonzero(relation.any((0, 2)))
    if not len(active):
        return _Patterns(np.zeros((0, outputs, taps), dtype=np.bool_), np.zeros(0, dtype=np.int64), size)
    columns = relation[:, active].transpose(1, 0, 2)
    first = columns.any(2).argmax(1)
    order = (np.arange(outputs)[None, :] + first[:, None]) % outputs
    # What precedes the first output is empty, so moving round the end moves nothing but zeros.
    moved = np.take_along_axis(columns, order[:, :, None], axis=1)
    packed = np.packbits(moved.reshape(len(active), -1), axis=1)
    distinct, index, counts = np.unique(packed, axis=0, return_index=True, return_counts=True)
    key = b"|".join([size, distinct.tobytes(), counts.tobytes()])
    return _Patterns(moved[index], counts.astype(np.int64), key)


def _extent(relation: Mask) -> tuple[int, int]:
    """From the first to behind the last input that any output sees, `[O, I, K]`."""
    seen = np.flatnonzero(relation.any((0, 2)))
    return (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 0)


def compose(steps: Sequence[Mask]) -> Mask:
    """Relations `[O, I]` along one axis, first to last, as one."""
    total = steps[0].astype(np.int64)
    for step in steps[1:]:
        total = (step.astype(np.int64) @ total > 0).astype(np.int64)
    return total > 0
