import pytest
import torch
from made_networks import plain, recurrent, residual

from spear_deploy.backends.fixed_point.backend import ChipBackend, is_recurrent
from spear_deploy.backends.fixed_point.formats import LOIHI2
from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.backends.torch import TorchBackend
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.training import Recipe, fine_tune


def backend(bits, model):
    samples = torch.rand((1, 20, *model.network.input_shape), generator=torch.Generator().manual_seed(0))
    return ChipBackend(LOIHI2, samples.expand(model.time_steps, *samples.shape[1:]), WeightBits(bits))


def test_a_network_is_recurrent_where_spikes_come_back():
    assert is_recurrent(recurrent().model().network)
    assert not is_recurrent(residual().model().network)


@pytest.mark.parametrize(
    ("bits", "network", "rounds"), [(4, recurrent, True), (6, recurrent, False), (4, plain, False)]
)
def test_a_fine_tune_rounds_only_recurrent_networks_with_few_bits(bits, network, rounds):
    model = network().model()
    assert (backend(bits, model).quantiser(model) is not None) == rounds
    assert TorchBackend().quantiser(model) is None


def test_what_a_rounding_fine_tune_returns_is_what_the_chip_holds():
    model = recurrent().model()
    four = backend(4, model)
    data = EncodedSplit(SplitName.TRAIN, four.calibration, torch.arange(20) % 4, analog=True)
    recipe = Recipe(epochs=2, batch=10, learning_rate=1e-2)
    tuned = fine_tune(model, data, recipe, seed=0, quantiser=four.quantiser(model))
    integers = four.prepare(tuned).run(four.calibration).outputs
    floats = TorchBackend().prepare(tuned).run(four.calibration.double()).outputs
    for layer, spikes in integers.items():
        changed = (spikes.double() != floats[layer].double()).double().mean()
        assert float(changed) <= 0.02, layer
