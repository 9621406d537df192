"""What one spike of each neuron sets off on the cores: operations, reads of synapse memory, messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spear_deploy.hardware.placement.geometry import Reach
from spear_deploy.hardware.placement.layer_load import Prices
from spear_deploy.hardware.placement.packing import READS, Integers
from spear_deploy.hardware.placement.parallel import beside
from spear_deploy.hardware.placement.placement import Placement
from spear_deploy.hardware.placement.tiles import Tile
from spear_deploy.network import Network

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SourceWiring:
    """What a spike of one source sets off; columns stand for cores or for pairs of cores.

    Attributes:
        kind: neurons whose spikes set off the same are of one kind, `[neurons]`.
        matrix: `[kinds, columns]`: per spike, first the spike itself on its own core, then
            synaptic operations and words read on each target core, then messages.
        fires_on: the cores that the source lies on, one a column; none for the input.
        reaches: the target cores, one a column of operations and one of words.
        pairs: for a layer, which pairs of `Wiring` its messages belong to, one a column.
        enters: for the input, the cores that its messages enter, one a column.

    """

    kind: Integers
    matrix: csr_array
    fires_on: Integers
    reaches: Integers
    pairs: Integers
    enters: Integers

    def product(self, events: csr_array) -> Array:
        """What events `[rows, neurons]` set off in each row, `[rows, columns]`."""
        rows, kinds = events.shape[0], self.matrix.shape[0]
        if kinds == len(self.kind):
            return np.asarray((events @ self.matrix).toarray())
        row = np.repeat(np.arange(rows), np.diff(events.indptr))
        counts = np.bincount(row * kinds + self.kind[events.indices], events.data, rows * kinds)
        return np.asarray(counts.reshape(rows, kinds) @ self.matrix)

    def split(self, product: Array) -> tuple[Array, Array, Array, Array]:
        """Columns of a product `[rows, columns]`: spikes fired, operations, words, messages."""
        ends = np.cumsum([len(self.fires_on), len(self.reaches), len(self.reaches)])
        fired, operations, words, messages = np.split(product, ends, axis=1)
        return fired, operations, words, messages


@dataclass(frozen=True, eq=False)
class Wiring:
    """The cores of a placement and what spikes do on them.

    Attributes:
        source, target: pairs of cores that messages may pass between, `[P]` each.
        neurons: neurons on each core, `[cores]`.
        by_source: by the name of a layer or the input.

    """

    source: Integers
    target: Integers
    neurons: Array
    by_source: Mapping[str, SourceWiring]


def wiring_of(network: Network, placement: Placement) -> Wiring:
    """Every synapse of a network, summed up core by core."""
    prices = Prices.of(placement.profile)
    first = first_cores(placement)
    neurons = np.array([core.neurons for core in placement.cores], dtype=np.float64)
    by_source: dict[str, SourceWiring] = {}
    sources: list[Integers] = []
    targets: list[Integers] = []
    pairs = 0
    into = {
        layer: beside([connection.source for connection in network.into(layer)], placement.reaches[layer])
        for layer in network.layers
    }
    for name in (network.input, *network.layers):
        own = None if name == network.input else _core_of(placement, name, first[name])
        fans = [
            _fans(each.reaches, placement.grids[layer].tiles(), first[layer], prices)
            for layer, parallel in into.items()
            for each in parallel
            if each.source == name
        ]
        wiring, joined = _source_wiring(int(np.prod(network.shapes[name])), own, fans, pairs)
        by_source[name] = wiring
        pairs += len(joined)
        sources.append(joined[:, 0])
        targets.append(joined[:, 1])
    return Wiring(np.concatenate(sources), np.concatenate(targets), neurons, by_source)


@dataclass(frozen=True)
class _Fans:
    """The synapses from one source into one layer: neuron, core, synapses and words of each pair of the two, `[L]`."""

    neuron: Integers
    core: Integers
    synapses: Integers
    words: Integers


def _fans(reaches: Sequence[Reach], tiles: list[Tile], first: int, prices: Prices) -> _Fans:
    parts = []
    for core, tile in enumerate(tiles, start=first):
        found = [_fan(reach, tile, prices) for reach in reaches]
        neuron, synapses, words = found[0] if len(found) == 1 else _joined(found)
        parts.append((neuron, np.full(len(neuron), core, dtype=np.int64), synapses, words))
    return _Fans(*(np.concatenate(each) for each in zip(*parts, strict=True)))


_Fan = tuple[Integers, Integers, Integers]


def _fan(reach: Reach, tile: Tile, prices: Prices) -> _Fan:
    """Of one connection into a rectangle: the neurons that reach it, and the synapses and words of each."""
    fan = reach.fan(tile)
    within = np.arange(int(np.prod(reach.source))).reshape(reach.source)[fan.region.slices]
    synapses = np.broadcast_to(fan.synapses, within.shape).ravel()
    present = synapses > 0
    found = synapses[present]
    words = np.zeros_like(found)
    if prices.packing in READS:
        words = READS[prices.packing](found, reach.into(tile, prices.shared).lists, prices.weight_bits)
    return within.ravel()[present], found, words


def _joined(fans: Sequence[_Fan]) -> _Fan:
    """Connections beside each other: one message of a neuron meets the synapses of all."""
    neurons, synapses, words = (np.concatenate(each) for each in zip(*fans, strict=True))
    distinct, at = np.unique(neurons, return_inverse=True)
    summed = [np.zeros(len(distinct), dtype=np.int64) for _ in range(2)]
    for total, each in zip(summed, (synapses, words), strict=True):
        np.add.at(total, at, each)
    return distinct, summed[0], summed[1]


def _source_wiring(
    neurons: int, own: Integers | None, fans: list[_Fans], first_pair: int
) -> tuple[SourceWiring, Integers]:
    """The wiring of one source, and its pairs of cores `[p, 2]`, numbered from `first_pair`."""
    nothing = np.zeros(0, dtype=np.int64)
    rows, columns, values = [], [], []
    fires_on = nothing
    if own is not None:
        fires_on, column = np.unique(own, return_inverse=True)
        rows.append(np.arange(neurons))
        columns.append(column)
        values.append(np.ones(neurons, dtype=np.int64))
    reaches = np.unique(np.concatenate([each.core for each in fans])) if fans else nothing
    start = len(fires_on)
    messages = start + 2 * len(reaches)
    joined: list[Integers] = []
    enters: list[Integers] = []
    for each in fans:
        at = np.searchsorted(reaches, each.core)
        if own is None:
            cores, message = np.unique(each.core, return_inverse=True)
            enters.append(cores)
        else:
            # Core by core: few pairs of cores, many synapses, so that counting is quicker than sorting.
            key = np.searchsorted(fires_on, own[each.neuron]) * len(reaches) + at
            present = np.bincount(key, minlength=len(fires_on) * len(reaches)) > 0
            message = (np.cumsum(present) - 1)[key]
            left, right = np.divmod(np.flatnonzero(present), max(len(reaches), 1))
            cores = np.stack([fires_on[left], reaches[right]], axis=1)
            joined.append(cores)
        rows += [each.neuron] * 3
        columns += [start + at, start + len(reaches) + at, messages + message.ravel()]
        values += [each.synapses, each.words, np.ones(len(each.neuron), dtype=np.int64)]
        messages += len(cores)
    every = [np.concatenate(each) if each else nothing for each in (values, rows, columns)]
    matrix = csr_array((every[0].astype(np.float64), (every[1], every[2])), shape=(neurons, messages))
    pairs = np.concatenate(joined) if joined else np.zeros((0, 2), dtype=np.int64)
    numbers = first_pair + np.arange(len(pairs))
    entered = np.concatenate(enters) if enters else nothing
    kind, kinds = _kinds(matrix)
    return SourceWiring(kind, kinds, fires_on, reaches, numbers, entered), pairs


def _kinds(matrix: csr_array) -> tuple[Integers, csr_array]:
    """Which rows of a matrix are equal: the kind of each, and one row a kind.

    Rows are told apart by two random sums, which differ where rows do (for 10^6 rows the chance
    that any two meet is below 10^-15). Where most rows differ each is a kind of its own.
    """
    draws = np.random.default_rng(0).random((matrix.shape[1], 2))
    sums = matrix @ draws
    _, first, kind = np.unique(sums[:, 0] + 1j * sums[:, 1], return_index=True, return_inverse=True)
    if len(first) > len(kind) // 4:
        return np.arange(len(kind)), matrix
    return kind.ravel(), matrix[first]


def first_cores(placement: Placement) -> dict[str, int]:
    """The number of each layer's first core."""
    first, start = {}, 0
    for layer, grid in placement.grids.items():
        first[layer] = start
        start += grid.size
    return first


def _core_of(placement: Placement, layer: str, first: int) -> Integers:
    """The core of each neuron of a layer, `[neurons]`."""
    grid = placement.grids[layer]
    volume = tuple(bounds[-1][1] for bounds in (grid.channels, grid.rows, grid.columns))
    found = np.empty(volume, dtype=np.int64)
    for core, tile in enumerate(grid.tiles(), start=first):
        found[tile.slices] = core
    return found.ravel()
