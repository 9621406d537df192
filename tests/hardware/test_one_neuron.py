"""What no cut mends: the figure of the neuron that is too much, and what has to shrink so that it is not."""

import nir
import numpy as np
import pytest

from spear_deploy.hardware import load_profile, place

PLAIN = {"synapses.packing": ("plain", "name"), "synapses.weight_bits": (3, "bit")}


def dense(outputs, inputs):
    return nir.Linear(np.ones((outputs, inputs)))


@pytest.fixture
def placed(build, chip_file):
    """17 inputs, 13 hidden neurons, 4 outputs."""

    def make(figures, *nodes):
        network = build((17,), *(nodes or (dense(13, 17), "lif", dense(4, 13), "lif")))
        return place(network, load_profile(chip_file(figures)))

    return make


def test_a_neuron_that_takes_more_than_a_core_is_told_with_its_own_memory(placed):
    """17 synapses of 3 bit are 51 bit, of 50: 98 % of them may stay. How many cores it takes, nobody knows."""
    placement = placed(PLAIN | {"core.synapse_memory": (50, "bit")})
    (finding,) = placement.findings
    assert (finding.found, finding.allowed, finding.keep) == ("6.38 B", "6.25 B", 50 / 51)
    assert finding.mend.startswith("no split helps, one neuron is too much: prune what leads into n1")
    assert finding.mend.endswith("at most 98% of that")
    assert placement.uncut == ("n1",)
    assert placed(PLAIN | {"core.synapse_memory": (51, "bit")}).fits


def test_of_neurons_that_are_too_much_the_largest_is_told(placed):
    """Neurons of 10, 17 and 12 synapses for a core of 9: the first is found first, the second decides."""
    weight = np.ones((3, 17))
    weight[0, 10:] = weight[2, 12:] = 0
    placement = placed({"core.in_axons": (9, "axons")}, nir.Linear(weight), "lif")
    (finding,) = placement.findings
    assert (finding.found, finding.keep) == ("17 axons", 9 / 17)
    assert finding.mend.endswith("prune what leads into n1 to at most 52%")


def test_a_shared_kernel_is_a_neuron_s_own_where_one_is_too_much(build, chip_file):
    """A neuron in the middle has 2 x 9 synapses; a core of 17 bytes holds none, whatever the layer shares."""
    figures = PLAIN | {
        "synapses.weight_bits": (8, "bit"),
        "synapses.weight_sharing": (True, "yes or no"),
        "core.synapse_memory": (17, "B"),
    }
    layer = nir.Conv2d(None, np.ones((4, 2, 3, 3)), 1, 1, 1, 1, np.zeros(4))
    (finding,) = place(build((2, 6, 6), layer, "lif"), load_profile(chip_file(figures))).findings
    assert (finding.found, finding.allowed) == ("18 B", "17 B")


SPLIT = {"layers.split": (False, "yes or no")}
HALVES = np.repeat([1.0, 2.0], [6, 7])


def uneven(kind):
    ones = np.ones(13)
    tau, threshold = (ones * 2e-4 * HALVES, ones) if kind == "decays" else (ones * 2e-4, HALVES)
    return nir.LIF(tau=tau, r=ones, v_leak=ones * 0, v_threshold=threshold, metadata={"dt": 1e-4})


@pytest.mark.parametrize(
    ("figures", "mend"),
    [
        (
            {"core.neurons": (2, "neurons"), "core.destination_cores": (1, "cores")},
            "no split helps, one neuron reaches too many cores: prune what n1 leads to until each reaches 1",
        ),
        (
            {"core.neurons": (1, "neurons"), "core.out_axons": (3, "axons")},
            "no split helps, one neuron reaches too many cores: prune what n1 leads to until each reaches 3",
        ),
        (
            {"core.fan_in": (16, "synapses")},
            "no split helps, one neuron is too much: prune what leads into n1 to at most 94%",
        ),
        (
            SPLIT | {"core.fan_in": (16, "synapses")},
            "no split helps, one neuron is too much: prune what leads into n1 to at most 94%",
        ),
        (
            SPLIT | {"core.neurons": (12, "neurons")},
            "a core takes a whole layer: prune n1 to at most 92% of its neurons",
        ),
        (
            SPLIT | {"core.in_axons": (16, "axons")},
            "a core takes a whole layer: prune what leads into n1 to at most 94%",
        ),
        (
            SPLIT | {"core.out_axons": (12, "axons")},
            "a core takes a whole layer: prune n1 to at most 92% of its neurons",
        ),
        (
            SPLIT | PLAIN | {"core.synapse_memory": (13 * 17 * 3 - 1, "bit")},
            "a core takes a whole layer: prune n1, or what leads into it, to at most 99% of that",
        ),
    ],
)
def test_the_way_out_is_what_has_to_shrink(placed, figures, mend):
    (finding,) = placed(figures).findings
    assert (finding.node, finding.mend) == ("n1", mend)


@pytest.mark.parametrize("kind", ["thresholds", "decays"])
def test_a_whole_layer_of_too_many_kinds_of_neurons_is_to_be_trained_with_fewer(placed, kind):
    placement = placed(SPLIT | {f"core.{kind}": (1, kind)}, dense(13, 17), uneven(kind))
    (finding,) = placement.findings
    assert finding.mend == f"a core takes a whole layer: train n1 with at most 1 different {kind}"


def test_one_neuron_a_core_is_a_number_of_cores_that_is_known(placed):
    placement = placed({"core.neurons": (1, "neurons"), "core.out_axons": (3, "axons")})
    assert (placement.uncut, placement.cores_needed) == ((), 17)
