import nir
import numpy as np
import pytest

from spear_deploy.hardware import check, load_profile, place
from spear_deploy.hardware.placement.placement import keep_to_fit
from spear_deploy.hardware.rules.verdict import keep_needed


def conv(outputs, inputs, stride=1):
    return nir.Conv2d(None, np.ones((outputs, inputs, 3, 3)), stride, 1, 1, 1, np.zeros(outputs))


def flatten(*shape):
    return nir.Flatten({"input": np.array(shape)}, 0, -1)


def subtracting(count):
    ones = np.ones(count)
    meta = {"dt": 1e-4, "reset": "subtract"}
    return nir.LIF(tau=ones * 2e-4, r=ones, v_leak=ones * 0, v_reset=ones * 0, v_threshold=ones, metadata=meta)


def network_of(build, first, second, hidden):
    return build(
        (2, 8, 8),
        conv(first, 2),
        "lif",
        conv(second, first, stride=2),
        "lif",
        flatten(second, 4, 4),
        nir.Linear(np.ones((hidden, second * 16))),
        "lif",
        nir.Linear(np.ones((10, hidden))),
        "lif",
    )


@pytest.mark.parametrize("name", ["loihi2", "loihi1", "speck2f"])
@pytest.mark.parametrize("keep", [0.5, 0.25])
def test_a_network_placed_thin_is_placed_like_one_with_fewer_channels(build, name, keep):
    profile = load_profile(name)
    dense = place(network_of(build, 16, 32, 40), profile, keep=keep)
    thin = place(network_of(build, int(16 * keep), int(32 * keep), int(40 * keep)), profile)
    assert dense.quantities == thin.quantities
    assert dense.uses == thin.uses


def test_a_thin_network_keeps_the_zeros_of_its_first_channels(build, chip):
    weight = np.ones((10, 6))
    weight[:5, :3] = np.eye(5, 3)
    last = nir.Linear(np.ones((4, 10)))
    network = build((6,), nir.Linear(np.ones((6, 6))), "lif", nir.Linear(weight), "lif", last, "lif")
    placement = place(network, chip(), keep=0.5)
    assert placement.quantities["synapse memory"] == 3 * 6 + 3 + 4 * 5


def test_the_ratio_to_fit_is_the_largest_that_fits(build, chip):
    network = network_of(build, 16, 32, 40)
    profile = chip(cores=6, neurons=200)
    keep = keep_to_fit(network, profile)
    assert 0 < keep < 1
    assert place(network, profile, keep=keep).fits
    assert not place(network, profile, keep=keep + 0.01).fits


def test_what_fits_keeps_everything(build):
    assert keep_to_fit(network_of(build, 4, 4, 4), load_profile("loihi2")) == 1.0


def test_what_pruning_cannot_mend_has_no_ratio(build):
    network = network_of(build, 4, 4, 4)
    truenorth = load_profile("loihi1")
    assert keep_needed(network, check(network, truenorth, analog_input=True)) is None
    assert keep_needed(network, check(network, truenorth, analog_input=False)) == 1.0


def test_a_rule_that_pruning_mends_takes_part_in_the_ratio(build):
    wide, last = nir.Linear(np.ones((2000, 16))), nir.Linear(np.ones((8, 2000)))
    network = build((16,), wide, subtracting(2000), last, subtracting(8))
    verdict = check(network, load_profile("xylo-a2"), analog_input=False)
    rules = {finding.rule for finding in verdict.violations}
    assert rules == {"hidden neurons", "input expansion", "output fan-in"}
    assert keep_needed(network, verdict) == 0.5


def test_a_cores_finding_names_the_layer_to_prune_and_to_what(build, chip):
    network = build((4,), nir.Linear(np.ones((40, 4))), "lif", nir.Linear(np.ones((10, 40))), "lif")
    (finding,) = place(network, chip(cores=4, neurons=10)).findings
    assert finding.mend == "prune n1, which takes 4 of them, until 3 suffice for it"
