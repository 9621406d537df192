import nir
import numpy as np
import pytest

from spear_deploy.hardware import load_profile
from spear_deploy.hardware.rules.finding import Kind
from spear_deploy.hardware.rules.rules import RULES
from spear_deploy.hardware.rules.verdict import check


def conv(outputs, inputs, kernel, **options):
    settings = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, **options}
    return nir.Conv2d(None, np.ones((outputs, inputs, *kernel)), **settings, bias=np.zeros(outputs))


def test_all_violations_are_reported_at_once_each_at_its_node(build):
    network = build((1, 20, 20), conv(2, 1, (3, 5), stride=3, padding=9), "lif", conv(2, 2, (3, 3)), "lif")
    verdict = check(network, load_profile("speck2f"), analog_input=True)
    found = {(finding.rule, finding.node) for finding in verdict.violations}
    assert found >= {
        ("square kernel", "n0"),
        ("stride", "n0"),
        ("padding", "n0"),
        ("neuron model", "n1"),
        ("neuron model", "n3"),
        ("analog input", "input"),
    }
    assert not verdict.fits
    assert verdict.text == "does not fit"


def test_a_finding_names_what_was_found_what_is_allowed_the_way_out_and_the_source(build):
    network = build((1, 20, 20), conv(2, 1, (3, 3), stride=3), "lif")
    verdict = check(network, load_profile("speck2f"), analog_input=False)
    (finding,) = [finding for finding in verdict.findings if finding.rule == "stride"]
    assert finding.text == "n0: stride: 3, allowed 1, 2, 4, 8; choose another stride and train again"
    assert finding.source.startswith("sinabs")
    assert finding.kind is Kind.WALL


def test_weights_that_round_to_zero_are_a_note_and_hinder_nothing(build):
    weight = np.array([[1.0, 0.001], [0.5, -0.9]])
    verdict = check(build((2,), nir.Linear(weight), "lif"), load_profile("loihi2"), analog_input=False)
    (note,) = verdict.findings
    found = "25.0% of the weights round to zero, were the largest of them the largest number"
    assert (note.rule, note.kind, note.found) == ("weight bits", Kind.NOTE, found)
    assert verdict.fits


def test_weights_without_neurons_between_them_are_told_to_become_one_matrix(build):
    """A depthwise and a pointwise convolution are as many synapses as the 3x3 convolution that both are together."""
    rng = np.random.default_rng(0)
    depth = nir.Conv2d(None, rng.random((4, 1, 3, 3)), 1, 0, 1, 4, np.zeros(4))
    point = nir.Conv2d(None, rng.random((6, 4, 1, 1)), 1, 0, 1, 1, np.zeros(6))
    chip = load_profile("loihi2")
    together = check(build((4, 6, 6), depth, point, "lif"), chip, analog_input=False)
    (note,) = [finding for finding in together.findings if finding.rule == "one matrix"]
    assert note.found == f"{6 * 16 * 4 * 9:,} synapses, as no neurons lie between them"
    assert note.allowed == f"{4 * 16 * 9 + 6 * 16 * 4:,} layer by layer"
    assert note.kind is Kind.NOTE
    apart = check(build((4, 6, 6), depth, "lif", point, "lif"), chip, analog_input=False)
    assert "one matrix" not in {finding.rule for finding in apart.findings}


@pytest.mark.parametrize("leak", [0.0, 0.4])
def test_a_leak_towards_another_value_than_zero_is_a_constant_current_as_a_bias_is(build, leak):
    ones = np.ones(2)
    neuron = nir.LIF(tau=ones * 2e-4, r=ones, v_leak=ones * leak, v_threshold=ones, metadata={"dt": 1e-4})
    verdict = check(build((2,), nir.Linear(np.eye(2)), neuron), load_profile("xylo-a2"), analog_input=False)
    found = [(finding.node, finding.found) for finding in verdict.violations if finding.rule == "bias"]
    assert found == ([("n1", "a constant current (v_leak)")] if leak else [])


def test_a_membrane_read_out_is_not_asked_for_its_neuron_model(build):
    ones = np.ones(2)
    read_out = nir.LI(tau=ones * 2e-4, r=ones, v_leak=ones * 0, metadata={"dt": 1e-4})
    network = build((2,), nir.Linear(np.ones((2, 2))), "lif", nir.Linear(np.ones((2, 2))), read_out)
    assert check(network, load_profile("truenorth"), analog_input=False).fits


def test_every_rule_says_what_it_checks():
    assert len(RULES) >= 18
    for rule in RULES.values():
        assert rule.checks.endswith(".")
