"""Limits on delays, signs and the neurons at both ends: both ends of a range hold, and nothing outside."""

import nir
import numpy as np
import pytest

from spear_deploy.hardware import load_profile
from spear_deploy.hardware.rules.verdict import check


def dense(outputs, inputs, weight=1.0):
    return nir.Linear(np.full((outputs, inputs), weight))


def late(steps):
    return nir.Delay(np.array([steps * 1e-4]))


@pytest.fixture
def found(build, chip_file):
    """What is found of a network on a chip of one figure, and the verdict."""

    def make(key, figure, shape, *nodes, **options):
        verdict = check(build(shape, *nodes, **options), load_profile(chip_file({key: figure})), analog_input=False)
        return [(each.node, each.found, each.allowed) for each in verdict.violations], verdict.text

    return make


@pytest.mark.parametrize(
    ("steps", "allowed"),
    [(0, None), (3, "at least 4 steps"), (4, None), (62, None), (63, "at most 62 steps")],
)
def test_a_delay_lies_between_both_ends_that_a_chip_holds_or_is_none(found, steps, allowed):
    delayed = [("n0", f"{steps} steps", allowed)] if allowed else []
    assert found("synapses.delay", ([4, 62], "steps"), (2,), late(steps), "lif")[0] == delayed


def test_delays_one_after_the_other_are_one_delay_of_a_synapse(found):
    """31 + 32 steps are 63 on the way from one layer to the next; with neurons between them each is held alone."""
    way = [late(31), dense(2, 2), late(32), "lif"]
    assert found("synapses.delay", ([0, 62], "steps"), (2,), *way)[0] == [("n0, n2", "63 steps", "at most 62 steps")]
    apart = [late(31), "lif", dense(2, 2), late(32), "lif"]
    assert found("synapses.delay", ([0, 62], "steps"), (2,), *apart) == ([], "fits")


@pytest.mark.parametrize("least", [0, 1, 2])
def test_a_connection_without_a_delay_is_as_late_as_the_chip_has_them(found, least):
    assert found("synapses.delay", ([least, 9], "steps"), (2,), dense(2, 2), "lif", dense(2, 2), "lif") == ([], "fits")


@pytest.mark.parametrize("ends", [[0, 15], [-15, 0]])
@pytest.mark.parametrize("weight", [-1.0, 0.0, 1.0])
def test_a_range_that_ends_at_0_forbids_the_other_sign(found, ends, weight):
    """So many weights of 1 or -1; 0 is in both."""
    expected = {
        (0, -1.0): [("n0", "negative weights", "weights from 0 on")],
        (-15, 1.0): [("n0", "positive weights", "weights up to 0")],
    }
    broken, _ = found("synapses.weight_range", (ends, "integer"), (2,), dense(2, 2, weight), "lif")
    assert broken == expected.get((ends[0], weight), [])


@pytest.mark.parametrize("ends", [[0, 3], [-3, 0]])
def test_weights_of_one_sign_have_a_bit_more_for_their_size(build, chip_file, ends):
    """Two bits of magnitude are 3 levels: 1 of 6 is half a level and stays, where a bit were a sign it would go."""
    figures = {"synapses.weight_range": (ends, "integer"), "synapses.weight_bits": (2, "bit")}
    weight = np.array([[6.0, 1.0]]) * np.sign(sum(ends))
    verdict = check(build((2,), nir.Linear(weight), "lif"), load_profile(chip_file(figures)), analog_input=False)
    assert verdict.findings == ()


LOOP = [dense(3, 2), "lif", dense(4, 3), "lif"]


@pytest.mark.parametrize("key", ["io.output_fan_in", "io.hidden_neurons", "io.input_fan_out"])
@pytest.mark.parametrize("looped", ["n1", "n3"])
def test_output_neurons_are_no_hidden_ones(found, key, looped):
    """Three hidden neurons lie between two inputs and four outputs, whichever layer feeds back."""
    loop = {"loops": [(looped, dense(3, 3) if looped == "n1" else dense(4, 4))]}
    assert found(key, (3, "neurons"), (2,), *LOOP, **loop) == ([], "fits")
    ((_, needed, allowed),) = found(key, (2, "neurons"), (2,), *LOOP, **loop)[0]
    assert (needed.split()[0], allowed.split()[0]) == ("3", "2")


def test_inputs_that_reach_outputs_alone_reach_no_hidden_neuron(found):
    assert found("io.input_fan_out", (3, "neurons"), (2,), dense(4, 2), "lif") == ([], "fits")


FORBID = {
    "synapses.delay": ([0, 62], "steps"),
    "io.output_neurons": (4, "neurons"),
    "io.graded_input": (False, "yes or no"),
    "layers.square_kernels": (True, "yes or no"),
    "layers.kinds": (["dense"], "names"),
}
FREE = {
    "io.graded_input": (True, "yes or no"),
    "layers.square_kernels": (False, "yes or no"),
    "neurons.state_bits": (16, "bit"),
    "energy.synaptic_operation": (1, "pJ"),
}


@pytest.mark.parametrize("key", FORBID)
def test_a_network_that_keeps_every_limit_of_a_chip_fits(found, key):
    assert found(key, FORBID[key], (2,), dense(4, 2), "lif") == ([], "fits")


@pytest.mark.parametrize("key", FREE)
def test_what_forbids_nothing_is_no_limit(found, key):
    assert found(key, FREE[key], (2,), dense(4, 2), "lif") == ([], "no limits to hold it to")
