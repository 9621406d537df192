"""Which synapses of a connection fall on which rectangle of a layer, without writing them all out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spear_deploy.hardware.placement.packing import Integers, SynapseLists, grouped
from spear_deploy.hardware.placement.tiles import Grid, Tile, Volume, whole

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Incoming:
    """What one connection brings to one rectangle of neurons."""

    axons: int
    synapses: int
    lists: SynapseLists


@dataclass(frozen=True)
class Fan:
    """Synapses into a rectangle: the part of the source that may reach it, and how many from each neuron there."""

    region: Tile
    synapses: Integers


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

    def fan(self, tile: Tile) -> Fan:
        """Synapses from each source neuron into a rectangle of the target."""

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

    def fan(self, tile: Tile) -> Fan:
        """One each, at the same place or, where the shapes differ, at the same flat place."""
        if self.source == self.target:
            return Fan(tile, np.ones((1, 1, 1), dtype=np.int64))
        inside = np.zeros(self.target, dtype=np.int64)
        inside[tile.slices] = 1
        return Fan(whole(self.source), inside.reshape(self.source))

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
        lists = grouped(lengths, counts, tile.neurons, self.delay_bits)
        return Incoming(axons, int(lengths @ self.sources), lists)

    def cores_reached(self, grid: Grid) -> Integers:
        """Counted column by column."""
        reached = np.zeros(len(self.sources) + 1, dtype=np.int64)
        for start, stop in grid.channels:
            reached[:-1] += self._lengths(start, stop) > 0
        if self.mask is None and (self.feature >= 0).all():
            return np.full((1, 1, 1), len(grid.channels), dtype=np.int64)
        return reached[self.feature].reshape(self.source)

    def fan(self, tile: Tile) -> Fan:
        """What the column that a source feeds has in the rectangle."""
        lengths = np.append(self._lengths(*tile.channels), 0)
        return Fan(whole(self.source), lengths[self.feature].reshape(self.source))

    def fan_in(self) -> Integers:
        """Non-zero weights of each row, times the sources behind a column."""
        if self.mask is None:
            return np.full((1, 1, 1), self.sources.sum(), dtype=np.int64)
        return (self.mask @ self.sources).reshape(self.target)


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
        lists = grouped(lengths, np.ones_like(lengths), tile.neurons, self.delay_bits)
        return Incoming(int((lengths > 0).sum()), int(lengths.sum()), lists)

    def cores_reached(self, grid: Grid) -> Integers:
        """Counted source by source."""
        reached = sum((self._columns(tile) > 0).astype(np.int64) for tile in grid.tiles())
        return np.asarray(reached).reshape(self.source)

    def fan(self, tile: Tile) -> Fan:
        """Counted source by source."""
        return Fan(whole(self.source), self._columns(tile).reshape(self.source))

    def fan_in(self) -> Integers:
        """Non-zero weights of each row."""
        counts: Integers = np.diff(self.matrix.indptr).astype(np.int64).reshape(self.target)
        return counts
