"""Rectangles of a layer against the matrix of all its synapses, written out."""

import nir
import numpy as np
import pytest

from spear_deploy.hardware.placement.connections import reach_of, volume_of
from spear_deploy.hardware.placement.tiles import Grid, Tile, bounds_of
from spear_deploy.hardware.placement.windowed import Windowed
from spear_deploy.network import synapse_matrix

# torch says so for even kernels, whose padding is uneven; that is the case to check.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")

rng = np.random.default_rng(5)


def weights(*shape, zeros=0.0):
    values = rng.uniform(0.1, 1.0, shape)
    values[rng.random(shape) < zeros] = 0.0
    return values


def conv(weight, stride=1, padding=0, dilation=1, groups=1):
    return nir.Conv2d(
        None, weight, stride=stride, padding=padding, dilation=dilation, groups=groups, bias=np.zeros(len(weight))
    )


def conv1d(weight, stride, padding):
    return nir.Conv1d(None, weight, stride, padding, dilation=1, groups=1, bias=np.zeros(len(weight)))


def flatten(*shape):
    return nir.Flatten({"input": np.array(shape)}, 0, -1)


def sum_pool(kernel, stride=None, padding=0):
    both = np.array([kernel, kernel])
    return nir.SumPool2d(kernel_size=both, stride=np.array([stride or kernel] * 2), padding=np.array([padding] * 2))


CASES = {
    "dense": ((7,), [nir.Linear(weights(9, 7))]),
    "dense with zeros": ((7,), [nir.Linear(weights(9, 7, zeros=0.6))]),
    "convolution": ((2, 6, 5), [conv(weights(3, 2, 3, 3), padding=1)]),
    "strided convolution": ((2, 8, 7), [conv(weights(3, 2, 3, 3), stride=2, padding=1)]),
    "dilated convolution": ((1, 9, 9), [conv(weights(2, 1, 3, 3), dilation=2)]),
    "grouped convolution": ((4, 5, 5), [conv(weights(6, 2, 3, 3), groups=2, padding=1)]),
    "depthwise with zeros": ((4, 5, 5), [conv(weights(4, 1, 3, 3, zeros=0.4), groups=4, padding=1)]),
    "convolution with zeros": ((3, 6, 6), [conv(weights(4, 3, 3, 3, zeros=0.5), padding=1)]),
    "same padding": ((2, 5, 6), [conv(weights(2, 2, 4, 3), padding="same")]),
    "pool then convolution": ((2, 8, 8), [sum_pool(2), conv(weights(3, 2, 3, 3), padding=1)]),
    "convolution then pool": ((2, 8, 8), [conv(weights(3, 2, 3, 3), padding=1), sum_pool(2)]),
    "convolution with zeros then pool": ((2, 6, 6), [conv(weights(3, 2, 3, 3, zeros=0.5)), sum_pool(2)]),
    "overlapping pool": ((2, 7, 7), [sum_pool(3, stride=2, padding=1)]),
    "pool, flatten, dense": ((2, 6, 6), [sum_pool(2), flatten(2, 3, 3), nir.Linear(weights(5, 18))]),
    "floor pool, flatten, dense with zeros": (
        (2, 7, 7),
        [sum_pool(2), flatten(2, 3, 3), nir.Linear(weights(5, 18, zeros=0.5))],
    ),
    "overlapping pool, flatten, dense": (
        (1, 5, 5),
        [sum_pool(3, stride=2), flatten(1, 2, 2), nir.Linear(weights(5, 4))],
    ),
    "two weight nodes in a row": ((2, 4, 4), [conv(weights(2, 2, 3, 3), padding=1), conv(weights(3, 2, 1, 1))]),
    "1d convolution": ((2, 9), [conv1d(weights(3, 2, 3), stride=2, padding=1)]),
    "one to one": ((2, 3, 3), []),
}


@pytest.fixture(params=CASES, scope="module")
def connection(request, build):
    shape, nodes = CASES[request.param]
    network = build(shape, *nodes, "lif")
    (found,) = network.connections
    return reach_of(network, found), synapse_matrix(network, found).toarray(), volume_of(network.shapes[found.target])


def tiles(volume):
    for _ in range(6):
        bounds = [sorted(rng.choice(size + 1, 2, replace=False)) for size in volume]
        yield Tile(*((int(a), int(b)) for a, b in bounds))
    yield Tile(*((0, size) for size in volume))


def test_axons_and_synapses_of_a_rectangle_are_those_of_its_rows_of_the_matrix(connection):
    reach, matrix, volume = connection
    for tile in tiles(volume):
        part = matrix.reshape(*volume, -1)[tile.slices].reshape(tile.neurons, -1) != 0
        found = reach.into(tile, shared=False)
        assert found.axons == part.any(0).sum()
        assert found.synapses == part.sum()
        lengths = part.sum(0)
        expected = dict(zip(*np.unique(lengths[lengths > 0], return_counts=True), strict=True))
        assert dict(zip(found.lists.lengths, found.lists.counts, strict=True)) == expected


def test_cores_reached_are_those_with_a_synapse(connection):
    reach, matrix, volume = connection
    grid = Grid(*(bounds_of(size, max(1, size // 2)) for size in volume))
    cube = matrix.reshape(*volume, -1)
    expected = sum((cube[tile.slices] != 0).any((0, 1, 2)).astype(int) for tile in grid.tiles())
    found = np.broadcast_to(reach.cores_reached(grid), reach.source).ravel()
    assert found.tolist() == expected.tolist()


def test_the_fan_of_a_rectangle_is_its_part_of_each_column(connection):
    reach, matrix, volume = connection
    for tile in tiles(volume):
        expected = (matrix.reshape(*volume, -1)[tile.slices] != 0).sum((0, 1, 2))
        fan = reach.fan(tile)
        found = np.zeros(reach.source, dtype=int)
        found[fan.region.slices] = fan.synapses
        assert found.ravel().tolist() == expected.tolist()


def test_fan_in_is_the_number_of_synapses_of_a_row(connection):
    reach, matrix, volume = connection
    found = np.broadcast_to(reach.fan_in(), volume).ravel()
    assert found.tolist() == (matrix != 0).sum(1).tolist()


def test_a_shared_kernel_is_stored_once_per_distinct_list_of_relative_targets(build):
    network = build((2, 7, 7), conv(weights(3, 2, 3, 3), padding=1), "lif")
    (found,) = network.connections
    reach, matrix = reach_of(network, found), synapse_matrix(network, found).toarray()
    assert isinstance(reach, Windowed)
    tile = Tile((0, 2), (1, 6), (0, 7))
    part = matrix.reshape(3, 7, 7, -1)[tile.slices]
    distinct = set()
    for source in range(part.shape[-1]):
        places = np.argwhere(part[..., source])
        if len(places):
            first = places.min(0)
            distinct.add(tuple((*(at - [0, *first[1:]]), part[(*at, source)]) for at in places))
    shared = reach.into(tile, shared=True)
    assert shared.lists.counts.sum() == len(distinct)
    assert shared.lists.stored == sum(len(entries) for entries in distinct)
    assert shared.axons == reach.into(tile, shared=False).axons
