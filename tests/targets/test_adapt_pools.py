"""Pools of currents on chips that only add currents up: what becomes of them, and of the spikes."""

import nir
import numpy as np
import pytest
import torch
from made_networks import Chain, analog_input, max_pooled, spike_input

from spear_deploy.backends.fixed_point import quantize
from spear_deploy.hardware import check, load_profile
from spear_deploy.network import Encoding, Model, Simulation
from spear_deploy.network.pools import MaxPool2d
from spear_deploy.targets.adapt import adapt

LOIHI2 = load_profile("loihi2")


def outputs(model, x):
    with torch.no_grad():
        return Simulation(model.graph)(x.float()).outputs


@pytest.mark.parametrize("inputs", [analog_input, spike_input])
def test_every_pool_goes_and_every_layer_keeps_its_name_and_shape(inputs):
    model = max_pooled().model()
    adapted = adapt(model, LOIHI2, inputs(model, samples=16))
    assert [(each.layer, each.rule) for each in adapted.changes] == [("a", "largest current"), ("b", "largest current")]
    assert not any(isinstance(node, MaxPool2d) for node in adapted.model.graph.nodes.values())
    for layer in model.network.layers:
        assert adapted.model.network.shapes[layer] == model.network.shapes[layer]
    quantize(adapted.model)
    assert "largest current" not in {
        found.rule for found in check(adapted.model.network, LOIHI2, analog_input=False).violations
    }


def test_one_weak_input_a_window_that_moves_about_is_its_own_sum():
    """No neuron before the pool would hear it often enough; the sum of the window is its maximum."""
    chain = Chain((1, 4, 4), seed=3)
    one = nir.Conv2d((4, 4), np.full((2, 1, 1, 1), 0.4), (1, 1), (0, 0), (1, 1), 1, np.zeros(2))
    chain._shaped(one).add("conv", one).pool("pool", MaxPool2d).neurons("a").flatten().linear("fc", 3).neurons("b")
    model = chain.model(encoding=Encoding.SPIKES)
    place = torch.randint(0, 4, (5, 40, 1, 2, 2), generator=torch.Generator().manual_seed(0))
    windows = torch.nn.functional.one_hot(place, 4).reshape(5, 40, 1, 2, 2, 2, 2)
    x = windows.permute(0, 1, 2, 3, 5, 4, 6).reshape(5, 40, 1, 4, 4).double()
    adapted = adapt(model, LOIHI2, x)
    assert adapted.changes[0].after == "1 x the sum of currents (0.00% of its outputs differ on samples)"
    assert outputs(model, x)["a"].sum() > 0
    assert all(torch.equal(outputs(adapted.model, x)[name], outputs(model, x)[name]) for name in model.network.layers)


def test_one_strong_input_a_window_fires_as_the_largest_of_spikes_does():
    """Currents that reach the threshold by themselves leave nothing behind: the maximum may be taken of spikes."""
    chain = Chain((1, 4, 4), seed=3)
    one = nir.Conv2d((4, 4), np.full((2, 1, 1, 1), 5.0), (1, 1), (0, 0), (1, 1), 1, np.zeros(2))
    chain._shaped(one).add("conv", one).pool("pool", MaxPool2d).neurons("a").flatten().linear("fc", 3).neurons("b")
    model = chain.model(encoding=Encoding.SPIKES)
    x = spike_input(model, samples=30)
    adapted = adapt(model, LOIHI2, x)
    assert adapted.changes[0].after == "the largest of spikes behind it (0.00% of its outputs differ on samples)"
    assert adapted.model.network.layers == ["a_before_pool", "a", "b"]
    assert all(torch.equal(outputs(adapted.model, x)[name], outputs(model, x)[name]) for name in model.network.layers)


def test_the_share_that_is_told_is_the_share_that_differs():
    model = max_pooled().model()
    x = spike_input(model, samples=20)
    adapted = adapt(model, LOIHI2, x)
    for change in adapted.changes:
        differ = (outputs(model, x)[change.layer] != outputs(adapted.model, x)[change.layer]).double().mean()
        assert f"({float(differ):.2%} of its outputs differ on samples)" in change.after


def test_neurons_that_differ_within_a_channel_cannot_move_before_the_pool():
    chain = Chain((2, 6, 6), seed=1).conv("conv", 3).pool("pool", MaxPool2d).neurons("a", each_its_own=True)
    model = chain.flatten().linear("fc", 3).neurons("b").model()
    (change,) = adapt(model, LOIHI2, analog_input(model)).changes
    assert "x the sum of currents" in change.after


def test_a_pool_that_another_way_joins_becomes_a_mean():
    chain = Chain((2, 6, 6), seed=1).conv("conv", 3).pool("pool", MaxPool2d)
    chain.shape = (2, 6, 6)
    chain.conv("skip", 3, "input", stride=2)
    chain.neurons("a", "pool", "skip").flatten().linear("fc", 3).neurons("b")
    model: Model = chain.model()
    (change,) = adapt(model, LOIHI2, analog_input(model)).changes
    assert change.after.startswith("the mean of currents (")


def test_without_samples_the_pool_moves_behind_the_neuron():
    adapted = adapt(max_pooled().model(), LOIHI2)
    assert {change.after for change in adapted.changes} == {"the largest of spikes behind it"}
