"""Lists of shared kernels with zeros against every list written out, relative to its first target."""

import nir
import numpy as np
import pytest

from spear_deploy.hardware.placement.connections import reach_of, volume_of
from spear_deploy.hardware.placement.packing import axon_lists, plain
from spear_deploy.hardware.placement.tiles import Tile, whole
from spear_deploy.hardware.placement.windowed import Windowed
from spear_deploy.network import synapse_matrix


def conv(weight, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    return nir.Conv2d(None, weight, stride, padding, dilation, groups, np.zeros(len(weight)))


def sum_pool(kernel, stride):
    return nir.SumPool2d(np.array([kernel] * 2), np.array([stride] * 2), np.array([0, 0]))


def centre(channels, taps=((1, 1),)):
    weight = np.zeros((channels, channels, 3, 3))
    for row, column in taps:
        weight[..., row, column] = np.random.default_rng(0).uniform(0.1, 1.0, (channels, channels))
    return conv(weight, padding=(1, 1))


def shared_lists(build, shape, *nodes):
    network = build(shape, *nodes, "lif")
    (found,) = network.connections
    volume = volume_of(network.shapes[found.target])
    return reach_of(network, found), synapse_matrix(network, found).toarray().round(12), volume


def distinct_lengths(matrix, volume, tile):
    """Lengths of the lists that differ in their targets, relative to the first row and column, or in a weight."""
    part = matrix.reshape(*volume, -1)[tile.slices]
    found = {}
    for source in range(part.shape[-1]):
        at = np.argwhere(part[..., source])
        if len(at):
            _, top, left = at.min(0)
            found[frozenset((c, y - top, x - left, part[c, y, x, source]) for c, y, x in at)] = len(at)
    return sorted(found.values())


def stored(reach, tile):
    lists = reach.into(tile, shared=True).lists
    return sorted(np.repeat(lists.lengths, lists.counts).tolist())


@pytest.mark.parametrize(
    ("taps", "count", "bits"),
    [
        (((1, 1),), 1, 64),
        (((1, 1), (1, 2)), 2, 2 * 64),  # both, or at the border the centre alone
        (((0, 1), (1, 1)), 2, 2 * 64),
    ],
)
def test_a_kernel_of_few_taps_has_a_list_for_each_way_in_which_a_border_cuts_them(build, taps, count, bits):
    """One channel of 8 x 8 at 8 bits: a list of up to two synapses is a word of 64 bits."""
    reach, _, volume = shared_lists(build, (1, 8, 8), centre(1, taps))
    lists = reach.into(whole(volume), shared=True).lists
    assert lists.counts.sum() == count
    assert axon_lists(lists, 8) == bits
    assert plain(lists, 8) == 8 * sum(range(len(taps) + 1))


def random_case(number):
    """A convolution with zeros, with or without pools beside it, and rectangles of its target."""
    rng = np.random.default_rng(number)
    groups, (tall, wide) = int(rng.integers(1, 4)), (int(each) for each in rng.integers(1, 5, 2))
    inner, outer = (int(each) for each in rng.integers(1, 4, 2))
    stride, dilation, padding = (tuple(map(int, rng.integers(*ends, 2))) for ends in ((1, 4), (1, 3), (0, 4)))
    weight = rng.uniform(0.1, 1.0, (groups * outer, inner, tall, wide))
    weight[rng.random(weight.shape) < rng.choice([0.3, 0.6, 0.9])] = 0
    weight[:, :, rng.random((tall, wide)) < 0.3] = 0
    weight[0, 0, 0, 0] = 0.5
    taps = (np.array([tall, wide]) - 1) * dilation + 1
    height, width = np.maximum(rng.integers(5, 11, 2), taps - 2 * np.array(padding)).tolist()
    nodes, scale = [conv(weight, stride, padding, dilation, groups)], 1
    if number % 3 == 0:
        nodes, scale = [sum_pool(2, 2), *nodes], 2
    return (groups * inner, scale * height, scale * width), nodes, rng


@pytest.mark.parametrize("number", range(40))
def test_equal_lists_are_stored_once_on_every_rectangle(build, number):
    shape, nodes, rng = random_case(number)
    reach, matrix, volume = shared_lists(build, shape, *nodes)
    assert isinstance(reach, Windowed)
    assert reach.mask is not None
    cuts = [[tuple(sorted(rng.choice(size + 1, 2, replace=False).tolist())) for size in volume] for _ in range(4)]
    for tile in (whole(volume), *(Tile(*cut) for cut in cuts)):
        assert stored(reach, tile) == distinct_lengths(matrix, volume, tile)


def test_where_a_pool_follows_places_of_taps_are_told_apart(build):
    """Two taps three rows apart, then a pool of 2: one row apart or two, by where a source lies."""
    weight = np.array([1.0, 2.0, 0.0]).reshape(1, 1, 3, 1)
    reach, matrix, volume = shared_lists(
        build,
        (1, 24, 2),
        conv(weight, dilation=(3, 1)),
        nir.SumPool2d(np.array([2, 1]), np.array([2, 1]), np.array([0, 0])),
    )
    assert isinstance(reach, Windowed)
    for tile in (whole(volume), Tile((0, 1), (1, 6), (0, 2)), Tile((0, 1), (2, 3), (0, 1))):
        assert stored(reach, tile) == distinct_lengths(matrix, volume, tile)


def test_a_kernel_that_is_not_square_keeps_its_rows_apart_from_its_columns(build):
    """The last row meets three of four taps, a column all three: patterns alike but for the number of taps."""
    weight = np.arange(1.0, 13.0).reshape(1, 1, 4, 3)
    weight[0, 0, 3, 2] = 0
    reach, matrix, volume = shared_lists(build, (1, 8, 8), conv(weight, padding=(1, 0)))
    for row in range(volume[1]):
        for column in range(volume[2]):
            tile = Tile((0, 1), (row, row + 1), (column, column + 1))
            assert stored(reach, tile) == distinct_lengths(matrix, volume, tile)
