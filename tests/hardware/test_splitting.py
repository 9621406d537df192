import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spear_deploy.hardware import place
from spear_deploy.hardware.chip.figures import Count, Memory, Status
from spear_deploy.hardware.chip.profile import Core, Profile, Synapses
from spear_deploy.hardware.placement.splitting import TooLargeForACoreError, split
from spear_deploy.hardware.placement.tiles import Tile

volumes = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 7))


def covered(volume, grid):
    count = np.zeros(volume, dtype=int)
    for tile in grid.tiles():
        count[tile.slices] += 1
    return count


@given(volume=volumes, most=st.integers(1, 40), halo=st.integers(0, 2), inputs=st.integers(1, 200))
def test_every_neuron_lies_in_one_rectangle_that_fits(volume, most, halo, inputs):
    """As for a convolution: a rectangle sees its rows and columns and a border of `halo` around."""

    def fits(tile: Tile) -> bool:
        seen = 1
        for (start, stop), size in ((tile.rows, volume[1]), (tile.columns, volume[2])):
            seen *= min(stop + halo, size) - max(start - halo, 0)
        return tile.neurons <= most and seen <= inputs

    pixels = (Tile((0, 1), (y, y + 1), (x, x + 1)) for y in range(volume[1]) for x in range(volume[2]))
    if not all(fits(pixel) for pixel in pixels):
        with pytest.raises(TooLargeForACoreError) as error:
            split(volume, fits, uniform=True)
        assert not fits(error.value.tile)
        return
    grid = split(volume, fits, uniform=True)
    assert (covered(volume, grid) == 1).all()
    assert all(fits(tile) for tile in grid.tiles())


@given(weights=st.lists(st.integers(1, 9), min_size=1, max_size=12), most=st.integers(9, 30))
def test_a_flat_layer_takes_as_few_cores_as_any_cut(weights, most):
    """Held against the best of all ways to cut, found by trying the last piece at every place."""

    def fits(tile: Tile) -> bool:
        return sum(weights[slice(*tile.channels)]) <= most

    fewest = [0]
    for stop in range(1, len(weights) + 1):
        fewest.append(1 + min(fewest[start] for start in range(stop) if sum(weights[start:stop]) <= most))
    assert split((len(weights), 1, 1), fits, uniform=False).size == fewest[-1]


@given(volume=volumes, most=st.integers(1, 60))
def test_a_map_takes_at_most_as_many_cores_as_whole_channels_or_rows_alone_would(volume, most):
    channels, rows, columns = volume
    alone = ((channels, most // (rows * columns)), (rows, most // (channels * columns)))
    cuts = [-(-size // each) for size, each in alone if each]
    found = split(volume, lambda tile: tile.neurons <= most, uniform=True).size
    assert found >= -(-channels * rows * columns // most)
    assert found <= min(cuts, default=found)


def counted(kind, value, unit):
    return kind(value=value, unit=unit, status=Status.PUBLISHED, source="made up")


@settings(max_examples=30, deadline=None)
@given(
    channels=st.integers(1, 6),
    size=st.integers(3, 8),
    stride=st.integers(1, 2),
    sparse=st.booleans(),
    neurons=st.integers(5, 80),
    axons=st.integers(30, 200),
    memory=st.integers(60, 600),
)
def test_no_core_of_a_placement_exceeds_a_limit_unless_a_finding_says_so(
    build, channels, size, stride, sparse, neurons, axons, memory
):
    rng = np.random.default_rng(channels * 100 + size)
    weight = rng.uniform(0.1, 1.0, (channels, 2, 3, 3)) * (rng.random((channels, 2, 3, 3)) < (0.5 if sparse else 1))
    layer = nir.Conv2d(None, weight, stride, 1, 1, 1, np.zeros(channels))
    network = build((2, size, size), layer, "lif")
    profile = Profile(
        name="made-up",
        title="Made up",
        core=Core(
            neurons=counted(Count, float(neurons), "neurons"),
            in_axons=counted(Count, float(axons), "axons"),
            synapse_memory=counted(Memory, float(memory), "B"),
        ),
        synapses=Synapses.model_validate(
            {
                "packing": {"value": "plain", "unit": "name", "status": "published", "source": "made up"},
                "weight_bits": {"value": 8.0, "unit": "bit", "status": "published", "source": "made up"},
            }
        ),
    )
    placement = place(network, profile)
    assert (covered(network.shapes["n1"], placement.grids["n1"]) == 1).all()
    explained = {finding.rule for finding in placement.findings}
    for core in placement.cores:
        for use in core.uses:
            assert use.fits or use.resource in explained


def test_a_neuron_that_no_core_holds_is_named():
    with pytest.raises(TooLargeForACoreError) as error:
        split((2, 2, 2), lambda tile: tile.channels[0] == 0 and tile.neurons == 1, uniform=False)
    assert error.value.tile == Tile((1, 2), (0, 1), (0, 1))
