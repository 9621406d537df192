import numpy as np
import pytest
import torch
from random_networks import Builder, images

from spear_deploy.backends.fixed_point import LOIHI1, LoihiExecution, quantize
from spear_deploy.backends.fixed_point.host import split_first_layer
from spear_deploy.errors import BackendError
from spear_deploy.network import Simulation


def network():
    chain = Builder(np.random.default_rng(0)).conv("conv", 4).spiking("lif").flatten()
    return chain.linear("dense", 12, scale=1.5).recurrent("rec").linear("out", 4).spiking("out_lif")


def test_host_and_chip_together_are_the_network():
    model = network().model(5)
    inputs = images(0, 5, 20)
    split = split_first_layer(model)
    with torch.no_grad():
        whole = Simulation(model.graph, torch.float64)(inputs)
        rest = Simulation(split.chip.graph, torch.float64)(split.chip_inputs(inputs))
    assert split.host.network.layers == ["lif"]
    assert split.chip.network.layers == ["rec", "out_lif"]
    for name, output in rest.outputs.items():
        assert output.any()
        assert torch.equal(output, whole.outputs[name])


def test_a_chip_without_values_in_its_spikes_runs_what_follows_the_host():
    model = network().model(8)
    inputs = images(0, 8, 100)
    split = split_first_layer(model)
    spikes = split.chip_inputs(inputs)
    fired = LoihiExecution(quantize(split.chip, LOIHI1, calibration=spikes)).run(spikes).output
    with torch.no_grad():
        floating = Simulation(model.graph, torch.float64)(inputs).output
    assert floating.sum() > 100
    assert (fired != floating).sum() <= 0.05 * floating.sum()


def test_a_first_layer_that_hears_itself_cannot_run_on_the_host():
    chain = Builder(np.random.default_rng(0), (6,)).linear("dense", 5).recurrent("rec").linear("out", 3)
    with pytest.raises(BackendError, match="rec: it hears rec besides the input"):
        split_first_layer(chain.spiking("lif").model(3))


def test_an_only_layer_stays_on_the_chip():
    chain = Builder(np.random.default_rng(0), (6,)).linear("dense", 5).spiking("lif")
    with pytest.raises(BackendError, match="nothing is left for the chip"):
        split_first_layer(chain.model(3))
