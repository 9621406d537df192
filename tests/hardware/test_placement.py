import nir
import numpy as np
import pytest

from spear_deploy.hardware import load_profile, place


def dense(outputs, inputs):
    return nir.Linear(np.ones((outputs, inputs)))


def conv(outputs, inputs, kernel=3, padding=1):
    return nir.Conv2d(None, np.ones((outputs, inputs, kernel, kernel)), 1, padding, 1, 1, np.zeros(outputs))


def test_a_small_network_fits_one_core_a_layer(build):
    network = build((6,), dense(5, 6), "lif", dense(3, 5), "lif")
    placement = place(network, load_profile("loihi2"))
    assert placement.fits
    assert placement.cores_needed == 2
    assert [core.layer for core in placement.cores] == network.layers


def test_a_verdict_says_when_a_limit_is_unknown(build):
    network = build((6,), dense(5, 6), "lif")
    loihi2 = place(network, load_profile("loihi2"))
    assert loihi2.verdict == "fits the known limits"
    assert loihi2.unchecked == ("input axons per core", "output axons per core")
    assert place(network, load_profile("loihi1")).verdict == "fits"


# Each case uses exactly what one limit grants: 12 neurons, each with 10 synapses of one byte.
@pytest.mark.parametrize(
    ("limit", "exactly"),
    [("neurons", 12), ("synapse_memory", 120), ("in_axons", 10)],
)
def test_a_layer_exactly_at_a_limit_fits_one_core_and_one_above_does_not(build, chip, limit, exactly):
    network = build((10,), dense(12, 10), "lif")
    assert place(network, chip(cores=1, **{limit: exactly})).fits
    above = place(network, chip(cores=1, **{limit: exactly - 1}))
    assert not above.fits


def test_too_few_cores_are_a_budget_that_names_need_and_supply(build, chip):
    network = build((10,), dense(12, 10), "lif")
    placement = place(network, chip(cores=2, neurons=5))
    (finding,) = placement.findings
    assert (finding.rule, finding.kind, finding.found, finding.allowed) == ("cores", "budget", "3 cores", "2 cores")
    (cores,) = [use for use in placement.uses if use.resource == "cores"]
    assert (cores.used, cores.allowed, cores.layer, cores.origin) == (3, 2, None, "profile made-up")


def test_little_synapse_memory_spreads_a_layer_over_more_cores(build, chip):
    network = build((10,), dense(12, 10), "lif")
    placement = place(network, chip(synapse_memory=45))
    assert placement.cores_needed == 3
    assert all(core.binding.resource == "synapse memory per core" for core in placement.cores)
    assert [core.tile.channels for core in placement.cores] == [(0, 4), (4, 8), (8, 12)]


def test_what_no_split_can_mend_is_a_wall(build, chip):
    network = build((10,), dense(12, 10), "lif")
    placement = place(network, chip(in_axons=8, neurons=6))
    (finding,) = placement.findings
    assert (finding.rule, finding.kind, finding.node) == ("input axons per core", "wall", "n1")
    assert "at most 80%" in finding.mend
    assert placement.cores_needed == 2


def test_all_limits_bind_at_once(build, chip):
    """The wide layer is short of neurons, the one with many inputs of synapse memory."""
    network = build((2,), dense(100, 2), "lif", dense(10, 100), "lif")
    placement = place(network, chip(neurons=40, synapse_memory=500))
    assert [(core.layer, core.binding.resource, core.neurons) for core in placement.cores] == [
        ("n1", "neurons per core", 34),
        ("n1", "neurons per core", 34),
        ("n1", "neurons per core", 32),
        ("n3", "synapse memory per core", 5),
        ("n3", "synapse memory per core", 5),
    ]


def test_every_neuron_stands_on_exactly_one_core(build, chip):
    network = build((2, 9, 7), conv(5, 2), "lif")
    placement = place(network, chip(neurons=13))
    covered = np.zeros((5, 9, 7), dtype=int)
    for core in placement.cores:
        covered[core.tile.slices] += 1
        assert core.neurons <= 13
    assert (covered == 1).all()


def test_rows_are_split_where_input_axons_are_short(build, chip):
    """Two rows in the middle, or three at the border, see four rows of inputs: 4 x 8 x 2 axons."""
    network = build((2, 8, 8), conv(3, 2), "lif")
    placement = place(network, chip(in_axons=64))
    assert [core.tile.rows for core in placement.cores] == [(0, 3), (3, 5), (5, 8)]
    assert [core.uses[0].used for core in placement.cores] == [64, 64, 64]


def test_output_axons_count_each_core_that_a_neuron_reaches(build, chip):
    network = build((4,), dense(6, 4), "lif", dense(8, 6), "lif")
    # Eight neurons on two cores of four: each of the six reaches both.
    placement = place(network, chip(neurons=6, synapse_memory=24, out_axons=12))
    use = next(use for use in placement.uses if use.resource == "output axons per core")
    assert (use.used, use.layer) == (12, "n1")
    assert not place(network, chip(neurons=6, synapse_memory=24, out_axons=1)).fits


def test_a_recurrent_layer_counts_its_own_axons(build, chip):
    network = build((4,), dense(6, 4), "lif", loops=[("n1", dense(6, 6))])
    placement = place(network, chip(in_axons=10))
    assert placement.fits
    assert not place(network, chip(in_axons=9)).fits


def test_zero_weights_take_no_memory(build, chip):
    weight = np.ones((12, 10))
    weight[:, 5:] = 0
    network = build((10,), nir.Linear(weight), "lif")
    assert place(network, chip(cores=1, synapse_memory=60, in_axons=5)).fits


def test_loihi_2_shares_one_memory_between_neurons_synapses_and_axons(build):
    """8000 neurons of one state word are 32,000 B; 8 lists of 8000 indexed or dense weights and 8 axons of 4 B."""
    network = build((8,), dense(8000, 8), "lif")
    (core,) = place(network, load_profile("loihi2")).cores
    memory = next(use for use in core.uses if use.resource == "memory per core")
    assert memory.used == 8000 * 4 + 8 * 125 * 576 / 8 + 8 * 4


def test_a_conv_kernel_lies_once_on_a_core_of_loihi_1(build):
    """Rows in the middle share their lists, so more rows take no more memory."""
    small = place(build((2, 12, 12), conv(4, 2), "lif"), load_profile("loihi1"))
    large = place(build((2, 16, 16), conv(4, 2), "lif"), load_profile("loihi1"))
    assert small.cores_needed == large.cores_needed == 1
    assert small.quantities["synapse memory"] == large.quantities["synapse memory"]


def test_distinct_thresholds_per_core_split_a_layer(build, chip):
    thresholds = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 5.0])
    ones = np.ones(6)
    layer = nir.LIF(tau=ones * 2e-4, r=ones, v_leak=ones * 0, v_reset=ones * 0, v_threshold=thresholds)
    network = build((3,), dense(6, 3), layer)
    placement = place(network, chip(thresholds=2))
    assert [core.tile.channels for core in placement.cores] == [(0, 2), (2, 4), (4, 6)]


def test_placing_is_pure(build):
    network = build((2, 8, 8), conv(3, 2), "lif")
    profile = load_profile("loihi2")
    assert place(network, profile) == place(network, profile)
