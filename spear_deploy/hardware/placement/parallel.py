"""Connections beside each other, from one source into one layer: a spike reaches a core over all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spear_deploy.hardware.placement.geometry import Incoming, Reach
from spear_deploy.hardware.placement.packing import Integers
from spear_deploy.hardware.placement.tiles import Grid, Tile


@dataclass(frozen=True)
class Parallel:
    """All connections from one source into one layer; mostly one.

    Attributes:
        source: the layer that spikes, or the input.
        reaches: the connections.

    """

    source: str
    reaches: tuple[Reach, ...]

    def axons(self, tile: Tile, incoming: Sequence[Incoming]) -> int:
        """Source neurons with a synapse into a rectangle, given what each connection brings to it."""
        if len(incoming) == 1:
            return incoming[0].axons
        return int(np.count_nonzero(self._reaching(tile)))

    def cores_reached(self, grid: Grid) -> Integers:
        """How many rectangles of the target each source neuron reaches, broadcasts to the source volume."""
        if len(self.reaches) == 1:
            return self.reaches[0].cores_reached(grid)
        reached: Integers = np.sum([self._reaching(tile) for tile in grid.tiles()], axis=0, dtype=np.int64)
        return reached

    def _reaching(self, tile: Tile) -> NDArray[np.bool_]:
        """Which source neurons have a synapse into a rectangle."""
        found = np.zeros(self.reaches[0].source, dtype=np.bool_)
        for reach in self.reaches:
            fan = reach.fan(tile)
            found[fan.region.slices] |= fan.synapses > 0
        return found


def beside(sources: Sequence[str], reaches: Sequence[Reach]) -> tuple[Parallel, ...]:
    """Connections into a layer by where they come from, in the order of the first of each."""
    found: dict[str, list[Reach]] = {}
    for source, reach in zip(sources, reaches, strict=True):
        found.setdefault(source, []).append(reach)
    return tuple(Parallel(source, tuple(each)) for source, each in found.items())
