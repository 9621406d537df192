"""Messages between cores and work on them, from measured spikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spear_deploy.hardware.cost.activity import Activity
from spear_deploy.hardware.placement.connections import volume_of
from spear_deploy.hardware.placement.geometry import Fan
from spear_deploy.hardware.placement.packing import Integers
from spear_deploy.hardware.placement.placement import Placement
from spear_deploy.hardware.placement.tiles import Bounds, Grid
from spear_deploy.network import Network

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Traffic:
    """What one inference puts on cores and between them, in the order of `Placement.cores`.

    Attributes:
        source, target: cores that exchange messages, `[P]` each.
        messages: messages from source to target, `[P]`; a spike that reaches a core is one message.
        from_input: messages that enter each core from outside, `[cores]`.
        operations: synaptic operations on each core, those of input values included, `[cores]`.
        spikes: spikes that each core's neurons fire, `[cores]`.
        neurons: neurons on each core, `[cores]`.

    """

    source: Integers
    target: Integers
    messages: Array
    from_input: Array
    operations: Array
    spikes: Array
    neurons: Array

    @property
    def sent(self) -> Array:
        """Messages that each core sends, `[cores]`."""
        return _summed(self.source, self.messages, len(self.neurons))

    @property
    def received(self) -> Array:
        """Messages that each core receives, those from outside included, `[cores]`."""
        return _summed(self.target, self.messages, len(self.neurons)) + self.from_input


def traffic_of(network: Network, placement: Placement, activity: Activity) -> Traffic:
    """Messages and operations of one inference, exact for the measured mean spikes."""
    activity.check(network)
    first = _first_cores(placement)
    count = placement.cores_needed
    spikes = {name: np.asarray(value).reshape(volume_of(value.shape)) for name, value in activity.spikes.items()}
    from_input, operations = np.zeros(count), np.zeros(count)
    pairs: list[tuple[Integers, int, Array]] = []
    for layer, grid in placement.grids.items():
        for connection, reach in zip(network.into(layer), placement.reaches[layer], strict=True):
            fired = spikes[connection.source]
            outside = connection.source == network.input
            for core, tile in enumerate(grid.tiles(), start=first[layer]):
                fan = reach.fan(tile)
                events = fired[fan.region.slices]
                operations[core] += float((events * fan.synapses).sum())
                arriving = events * (fan.synapses > 0)
                if outside:
                    from_input[core] += float(arriving.sum())
                else:
                    cores, messages = _by_core(placement.grids[connection.source], fan, arriving)
                    pairs.append((first[connection.source] + cores, core, messages))
    neurons = np.array([core.neurons for core in placement.cores], dtype=np.float64)
    fired_on = np.array([float(spikes[core.layer][core.tile.slices].sum()) for core in placement.cores])
    source, target, messages = _merged(pairs)
    return Traffic(source, target, messages, from_input, operations, fired_on, neurons)


def _summed(cores: Integers, messages: Array, count: int) -> Array:
    total = np.zeros(count)
    np.add.at(total, cores, messages)
    return total


def _first_cores(placement: Placement) -> dict[str, int]:
    first, start = {}, 0
    for layer, grid in placement.grids.items():
        first[layer] = start
        start += grid.size
    return first


def _merged(pairs: list[tuple[Integers, int, Array]]) -> tuple[Integers, Integers, Array]:
    """All pairs of cores with messages, in order; those without are left out."""
    if not pairs:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, np.zeros(0)
    source = np.concatenate([cores for cores, _, _ in pairs])
    target = np.concatenate([np.full(len(cores), core, dtype=np.int64) for cores, core, _ in pairs])
    messages = np.concatenate([each for _, _, each in pairs])
    busy = messages > 0
    return source[busy], target[busy], messages[busy]


def _by_core(grid: Grid, fan: Fan, values: Array) -> tuple[Integers, Array]:
    """Values over a region summed by the rectangles of a grid: their numbers and sums."""
    numbers: list[Integers] = []
    summed = values
    region = (fan.region.channels, fan.region.rows, fan.region.columns)
    for axis, (bounds, (start, stop)) in enumerate(zip((grid.channels, grid.rows, grid.columns), region, strict=True)):
        found, offsets = _overlap(bounds, start, stop)
        if not len(found):
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        numbers.append(found)
        summed = np.add.reduceat(summed, offsets, axis=axis)
    c, y, x = np.meshgrid(*numbers, indexing="ij")
    number = (c * len(grid.rows) + y) * len(grid.columns) + x
    return number.ravel(), summed.ravel()


def _overlap(bounds: Bounds, start: int, stop: int) -> tuple[Integers, Integers]:
    """Pieces that meet a range: their numbers, and where each begins within the range."""
    starts = np.array([first for first, _ in bounds])
    ends = np.array([last for _, last in bounds])
    found = np.flatnonzero((starts < stop) & (ends > start))
    return found, np.maximum(starts[found] - start, 0)
