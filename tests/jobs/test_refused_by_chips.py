"""A network that chips and Lava cannot run is refused with the way out that works."""

import numpy as np
import pytest
from made_networks import Chain
from made_task import CLASSES, SHAPE, STEPS, arrays

from spear_deploy.errors import BackendError, ModelError
from spear_deploy.hardware import load_profile
from spear_deploy.jobs.deploy.prepare import prepare
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.progress import Silent
from spear_deploy.network import Reset, save_model_file


@pytest.fixture(scope="module")
def refusal_of(tmp_path_factory):
    """Of a network that loses the input of the step after a spike, to be run in Lava."""
    folder = tmp_path_factory.mktemp("delayed")
    np.savez(folder / "samples.npz", **arrays())
    network = Chain(SHAPE, seed=2).conv("conv1", 8).neurons("lif1", reset=Reset.ZERO_HOLD).flatten()
    network.linear("fc", CLASSES).neurons("lif2")
    save_model_file(network.model(STEPS, data="samples.npz"), folder / "model.pt")

    def refused(fault, *chips):
        targets = tuple(map(load_profile, chips))
        with pytest.raises(fault) as caught:
            prepare(DeployRequest(model=folder / "model.pt", targets=targets, out=folder / "out"), Silent())
        return str(caught.value)

    return refused


def test_what_a_chip_forbids_and_lava_cannot_run_is_refused_by_the_chip_with_its_conversion(refusal_of):
    said = refusal_of(ModelError, "loihi2")
    assert said.startswith("loihi2 cannot run this network, however it is pruned:")
    assert "lif1: reset: reset zero_hold, " in said
    assert "or convert it: `adapt=True`" in said


def test_what_lava_cannot_run_is_told_with_the_chips_that_can(refusal_of):
    said = refusal_of(BackendError, "loihi2", "spinnaker2")
    assert "model.pt, for spinnaker2: lif1: Lava's LIF integrates in the step after a spike" in said
    assert said.endswith("or run the network in torch instead: `lava=False`")
