"""What a chip does to weights: one answer for one network, and none about what nothing here computes."""

import nir
import numpy as np
import pytest
from made_networks import Chain
from made_task import chip

from spear_deploy.hardware import known_profiles, load_profile
from spear_deploy.hardware.placement.limits import ROUNDING, WEIGHTS_A_NEURON
from spear_deploy.hardware.rules.finding import Kind
from spear_deploy.hardware.rules.verdict import check
from spear_deploy.network import Network
from spear_deploy.network.synapses import of_both_signs

INTEGERS = np.random.default_rng(0).integers(-126, 127, (6, 24)).astype(np.float32)
INTEGERS[0, 0] = 126

WEIGHTS = {
    "both signs": INTEGERS,
    "one sign": np.abs(INTEGERS),
    "few levels": np.round(np.abs(INTEGERS) / 50),
    "one bit": (INTEGERS > 0).astype(np.float32),
    "beyond every range": np.abs(INTEGERS) * 300 + 1,
}


def in_unit(build, weight, factor=1.0):
    """A layer of which weights and thresholds are given in another unit."""
    ones = np.ones(len(weight))
    neuron = nir.IF(r=ones, v_threshold=ones * 60 * factor, v_reset=ones * 0, metadata={"dt": 1e-4})
    return build((weight.shape[1],), nir.Linear((weight * np.float32(factor)).astype(np.float32)), neuron)


def on(name, network):
    return check(network, load_profile(name), analog_input=False)


@pytest.mark.parametrize("name", known_profiles())
@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
def test_a_network_has_one_verdict_in_every_unit_of_its_weights_and_thresholds(build, name, weight):
    found = on(name, in_unit(build, weight))
    for factor in (2.0**-7, 64, 64.3):
        again = on(name, in_unit(build, weight, factor))
        assert (again.text, again.prunable, again.findings) == (found.text, found.prunable, found.findings), factor
        assert again.placement.unchecked == found.placement.unchecked


@pytest.mark.parametrize("factor", [1.0, 64.3], ids=["integers", "fractions"])
def test_that_truenorth_has_one_of_4_integers_for_a_neuron_s_connection_is_told_as_not_checked(build, factor):
    verdict = on("truenorth", in_unit(build, INTEGERS, factor))
    assert verdict.placement.unchecked == (ROUNDING, WEIGHTS_A_NEURON)
    assert verdict.text == "fits the known limits"


@pytest.mark.parametrize("name", known_profiles())
def test_rounding_is_checked_only_where_the_arithmetic_is_known_or_that_of_torch(build, name):
    unchecked = on(name, in_unit(build, np.abs(INTEGERS))).placement.unchecked
    assert (ROUNDING in unchecked) == (name not in {"loihi1", "loihi1-nahuku", "loihi2", "generic-45nm"})


@pytest.mark.parametrize("key", ["synapses_weight_range", "synapses_weight_bits"])
def test_a_chip_that_names_no_arithmetic_is_not_said_to_hold_what_it_rounds(build, tmp_path, key):
    figure = {"synapses_weight_range": ([-3, 3], "integer"), "synapses_weight_bits": (3, "bit")}[key]
    path = chip(tmp_path, **{key: figure})
    path.write_text(f'{path.read_text()}\n[neurons.arithmetic]\nunit = "name"\nstatus = "unknown"\n')
    verdict = check(in_unit(build, np.array([[4.0, 2.0]])), load_profile(path), analog_input=False)
    assert verdict.fits
    assert ROUNDING in verdict.placement.unchecked


@pytest.mark.parametrize("factor", [1.0, 2.0**-7, 64, 64.3])
def test_weights_of_both_signs_do_not_suit_a_chip_of_one(build, factor):
    """No scaling makes a negative weight positive: the way out is other neurons."""
    (finding,) = on("odin", in_unit(build, INTEGERS, factor)).violations
    assert (finding.rule, finding.found) == ("weight sign", "24 neurons that excite and inhibit")
    assert finding.mend == "separate excitatory and inhibitory neurons"


def test_neurons_that_only_excite_and_neurons_that_only_inhibit_suit_a_chip_with_one_sign_for_each(build):
    signs = np.where(np.arange(24) % 3 == 0, -1.0, 1.0).astype(np.float32)
    assert on("odin", in_unit(build, np.abs(INTEGERS) * signs)).fits
    one = np.abs(INTEGERS) * signs
    one[2, 5] *= -1
    (finding,) = on("odin", in_unit(build, one)).violations
    assert finding.found == "1 neurons that excite and inhibit"


def test_what_excites_one_layer_and_inhibits_another_is_of_both_signs():
    past = nir.Linear(np.array([[-1.0, 0, 0, -1], [0, 0, -1, 0]]))
    graph = Chain((4,)).linear("fc", 3).neurons("lif").linear("read", 2).add("past", past, "input")
    graph = graph.neurons("out", "read", "past").model().graph
    for name in ("fc", "read"):
        graph.nodes[name].weight = np.abs(graph.nodes[name].weight)
    graph.nodes["fc"].weight[:, 3] = 0
    network = Network(graph)
    assert of_both_signs(network, network.input).tolist() == [True, False, True, False]
    assert not of_both_signs(network, "lif").any()


def test_signs_are_those_of_the_one_matrix_that_layers_without_neurons_between_become():
    graph = Chain((2,)).linear("first", 2).linear("second", 2).neurons("out").model().graph
    graph.nodes["first"].weight[...] = [[-1, 1], [0, 1]]
    graph.nodes["second"].weight[...] = [[-1, 0], [0, 1]]
    network = Network(graph)
    assert of_both_signs(network, network.input).tolist() == [False, True]


def test_one_kernel_of_both_signs_makes_those_mixed_that_it_reaches_with_both():
    chain = Chain((1, 3, 3)).conv("conv", 1, kernel=3, padding=1).neurons("lif").flatten()
    network = Network(chain.linear("read", 2).neurons("out").model().graph)
    kernel = network.nodes["conv"].weight
    kernel[...] = 0
    kernel[0, 0, 1, 1], kernel[0, 0, 0, 0] = 1, -1  # onto itself, and to its neighbour below on the right
    mixed = of_both_signs(network, network.input)
    assert mixed[0].tolist() == [[True, True, False], [True, True, False], [False, False, False]]


def test_magnitudes_of_3_bits_have_7_levels_above_zero(build):
    (note,) = on("odin", in_unit(build, np.array([[7.0, 0.6, 0.4]]))).findings
    assert (note.kind, note.node) == (Kind.NOTE, "n0")
    assert note.found.startswith("33.3% of the weights round to zero")


@pytest.mark.parametrize("factor", [1.0, 64.3, 0.1, 3e-5])
def test_a_weight_at_half_a_level_is_lost_in_no_unit(build, factor):
    weight = np.array([[126.0, 1.0, 9.0]])  # 9 of 126 is half of one of the 7 levels of 4 bits
    (note,) = [each for each in on("akd1000", in_unit(build, weight, factor)).findings if each.kind is Kind.NOTE]
    assert note.found.startswith("33.3% of the weights round to zero")
