"""What a chip does to weights: one answer for one network, and none about what nothing here computes."""

import nir
import numpy as np
import pytest
from made_task import chip

from spear_deploy.hardware import known_profiles, load_profile
from spear_deploy.hardware.placement.limits import ROUNDING, WEIGHTS_A_NEURON
from spear_deploy.hardware.rules.finding import Kind
from spear_deploy.hardware.rules.verdict import check

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
    assert (finding.rule, finding.found) == ("weight sign", "negative weights")
    assert finding.mend == "separate excitatory and inhibitory neurons"


@pytest.mark.parametrize("weight", [[0.5, -0.3], [3.0, -2.0]], ids=["fractions", "integers"])
def test_weights_of_both_signs_do_not_suit_a_chip_of_one_that_rounds_them(build, tmp_path, weight):
    path = chip(tmp_path, synapses_weight_range=([0, 255], "integer"))
    verdict = check(build((2,), nir.Linear(np.array([weight])), "lif"), load_profile(path), analog_input=False)
    assert [(finding.rule, finding.found) for finding in verdict.violations] == [("weight sign", "negative weights")]


def test_magnitudes_of_3_bits_have_7_levels_above_zero(build):
    (note,) = on("odin", in_unit(build, np.array([[7.0, 0.6, 0.4]]))).findings
    assert (note.kind, note.node) == (Kind.NOTE, "n0")
    assert note.found.startswith("33.3% of the weights round to zero")


@pytest.mark.parametrize("factor", [1.0, 64.3, 0.1, 3e-5])
def test_a_weight_at_half_a_level_is_lost_in_no_unit(build, factor):
    weight = np.array([[126.0, 1.0, 9.0]])  # 9 of 126 is half of one of the 7 levels of 4 bits
    (note,) = [each for each in on("akd1000", in_unit(build, weight, factor)).findings if each.kind is Kind.NOTE]
    assert note.found.startswith("33.3% of the weights round to zero")
