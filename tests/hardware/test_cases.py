"""Networks of the NIR paper (Pedersen et al., Nat. Commun. 2024) that others have run on chips."""

from pathlib import Path

import pytest

from spear_deploy.hardware import check, load_profile
from spear_deploy.hardware.placement.limits import ROUNDING
from spear_deploy.network.load import load_any

CASES = Path(__file__).parents[3] / "shared" / "cases" / "nir"

pytestmark = [
    pytest.mark.cases,
    pytest.mark.skipif(not CASES.is_dir(), reason=f"no real networks at {CASES}"),
]


def test_the_cnn_that_ran_on_speck_fits_speck():
    """The paper reports 95.4 % on the chip."""
    network = load_any(CASES / "cnn_sinabs.nir", time_steps=10).network
    verdict = check(network, load_profile("speck2f"), analog_input=False)
    assert verdict.fits
    assert verdict.placement.unchecked == (ROUNDING,)


def test_the_recurrent_network_that_ran_on_loihi_2_and_spinnaker_2_fits_them():
    network = load_any(CASES / "braille_noDelay_bias_zero.nir", time_steps=256).network
    for name in ("loihi2", "spinnaker2"):
        assert check(network, load_profile(name), analog_input=False).fits, name


def test_a_recurrent_network_does_not_fit_speck():
    network = load_any(CASES / "braille_noDelay_bias_zero.nir", time_steps=256).network
    rules = {finding.rule for finding in check(network, load_profile("speck2f"), analog_input=False).violations}
    assert rules == {"recurrence", "neuron model"}
