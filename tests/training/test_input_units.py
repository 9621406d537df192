"""No fine-tune depends on the units of measurements, nor on where they have their zero."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_networks import Chain
from made_training import task

from spear_deploy.data import load_data
from spear_deploy.measure import accuracy_on
from spear_deploy.network import Simulation
from spear_deploy.network.editing import with_arrays, with_nodes
from spear_deploy.training import Recipe, fine_tune, input_units
from spear_deploy.training.units import learn_in_units

RECIPE = Recipe(epochs=4, batch=32, learning_rate=5e-3)
FEATURES = np.arange(8)
SPREADS = {
    "usual": np.ones(8),
    "large": np.full(8, 1000.0),
    "small": np.full(8, 1e-4),
    "each its own": 10.0 ** (FEATURES - 4),
}
MEANS = {"at zero": np.zeros(8), "away": 300.0 + 10 * FEATURES, "below": np.full(8, -2e3)}


def in_units(model, data, spread, mean):
    """The same function of inputs that have another unit and another zero, each its own."""
    node = model.graph.nodes["fc1"]
    weight = node.weight / spread
    changes = {"weight": weight, "bias": node.bias - weight @ mean}
    nodes = model.graph.nodes | {"fc1": with_arrays(node, changes)}
    there = data.stored * torch.as_tensor(spread, dtype=torch.float32) + torch.as_tensor(mean, dtype=torch.float32)
    return model.with_graph(with_nodes(model.graph, nodes)), replace(data, stored=there)


@pytest.fixture(scope="module")
def learned():
    """A network that knows standardised measurements, and these."""
    data = task((8,), 5, samples=200)
    data = replace(data, stored=(data.stored - data.stored.mean((0, 1))) / data.stored.std((0, 1)))
    model = Chain((8,), 3).linear("fc1", 24).neurons("a").linear("out", 4).neurons("b").model()
    model = fine_tune(model, data, Recipe(20, 20, 5e-3), seed=0)
    assert accuracy_on(model, data) > 0.95
    return model, data


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("mean", MEANS)
def test_a_fine_tune_does_no_harm_whatever_the_units_of_measurements_are(learned, spread, mean):
    model, data = in_units(*learned, SPREADS[spread], np.minimum(SPREADS[spread], 1) * MEANS[mean])
    before = accuracy_on(model, data)
    assert before >= accuracy_on(*learned) - 0.02  # float32 holds what lies far from zero but roughly
    assert accuracy_on(fine_tune(model, data, RECIPE, seed=0), data) >= before - 0.02


def test_what_a_network_computes_is_the_same_in_any_unit(learned):
    model, data = in_units(*learned, SPREADS["large"], MEANS["away"])
    simulation = Simulation(model.graph)
    before = {name: each.detach().clone() for name, each in simulation.module("fc1").named_parameters()}
    learn_in_units(simulation, data)
    layer = simulation.module("fc1")
    torch.testing.assert_close(layer.weight, before["weight"], rtol=0, atol=0)
    torch.testing.assert_close(layer.bias, before["bias"], rtol=1e-5, atol=1e-5)


def test_a_constant_and_an_input_that_is_always_zero_have_no_spread(learned):
    model, data = in_units(*learned, np.ones(8), np.where(FEATURES < 2, 500.0, 0.0))
    data.stored[..., 0], data.stored[..., 1], data.stored[..., 2] = 500.0, 0.0, 0.0
    tuned = fine_tune(model, data, RECIPE, seed=0)
    assert np.isfinite(tuned.graph.nodes["fc1"].weight).all()
    assert accuracy_on(tuned, data) >= accuracy_on(model, data) - 0.02


def test_a_layer_that_adds_nothing_gets_no_bias(learned):
    model, data = in_units(*learned, SPREADS["large"], np.zeros(8))
    node = model.graph.nodes["fc1"]
    nodes = model.graph.nodes | {"fc1": with_arrays(node, {"bias": np.zeros_like(node.bias)})}
    model = model.with_graph(with_nodes(model.graph, nodes))
    tuned = fine_tune(model, data, RECIPE, seed=0)
    assert not tuned.graph.nodes["fc1"].bias.any()
    assert accuracy_on(tuned, data) >= accuracy_on(model, data) - 0.02


def test_channels_of_a_convolution_have_units_of_their_own():
    data = task((2, 6, 6), 5, samples=200)
    model = Chain((2, 6, 6), 3).conv("fc1", 8).neurons("a").flatten().linear("out", 4).neurons("b").model()
    model = fine_tune(model, data, Recipe(20, 20, 5e-3), seed=0)
    spread = np.array([255.0, 1e4])
    node = model.graph.nodes["fc1"]
    nodes = model.graph.nodes | {"fc1": with_arrays(node, {"weight": node.weight / spread[:, None, None]})}
    loud = replace(data, stored=data.stored * torch.as_tensor(spread, dtype=torch.float32)[:, None, None])
    model = model.with_graph(with_nodes(model.graph, nodes))
    assert accuracy_on(fine_tune(model, loud, RECIPE, seed=0), loud) >= accuracy_on(model, loud) - 0.02


def test_groups_of_channels_have_units_of_their_own():
    data = task((2, 6, 6), 5, samples=200)
    model = Chain((2, 6, 6), 3).conv("fc1", 8, groups=2).neurons("a").flatten().linear("out", 4).neurons("b").model()
    model = fine_tune(model, data, Recipe(20, 20, 5e-3), seed=0)
    spread = np.array([255.0, 1e4])
    node = model.graph.nodes["fc1"]
    by_row = np.repeat(spread, 4)[:, None, None, None]
    nodes = model.graph.nodes | {"fc1": with_arrays(node, {"weight": node.weight / by_row})}
    loud = replace(data, stored=data.stored * torch.as_tensor(spread, dtype=torch.float32)[:, None, None])
    model = model.with_graph(with_nodes(model.graph, nodes))
    assert accuracy_on(fine_tune(model, loud, RECIPE, seed=0), loud) >= accuracy_on(model, loud) - 0.02


@pytest.fixture(scope="module")
def many():
    """A network that knows digits, whose outermost pixels hardly ever differ."""
    digits = load_data("digits").train
    data = task((64,), 3, samples=600, classes=10)
    data = replace(data, stored=digits.x[:600].flatten(1)[None].expand(3, -1, -1), labels=digits.y[:600])
    model = Chain((64,), 3).linear("fc1", 24).neurons("a").linear("out", 10).neurons("b").model()
    model = fine_tune(model, data, Recipe(20, 32, 5e-3), seed=0)
    assert accuracy_on(model, data) > 0.7
    return model, data


@pytest.mark.parametrize("mean", [1.0, 4.0])
@pytest.mark.parametrize("spread", [1.0, 16.0])
def test_many_inputs_near_zero_do_no_harm_together(many, spread, mean):
    model, data = in_units(*many, spread, np.full(64, mean * spread))
    tuned = fine_tune(model, data, RECIPE, seed=0)
    assert accuracy_on(tuned, data) >= accuracy_on(*many) - 0.02


def test_weights_for_an_input_that_hardly_ever_differs_are_not_swept_away(many):
    model, data = in_units(*many, 1.0, np.full(64, 3.0))
    tuned = fine_tune(model, data, RECIPE, seed=0)
    moved = np.abs(tuned.graph.nodes["fc1"].weight - model.graph.nodes["fc1"].weight).max(0)
    rare = data.stored[0].std(0).numpy() < 0.05
    assert 0 < rare.sum() < 32
    assert moved[rare].max() < moved[~rare].max()


def test_of_large_samples_fewer_are_looked_at(learned, monkeypatch):
    looked = []

    def drawn(data, count):
        looked.append(count)
        return data.take(slice(0, count))

    monkeypatch.setattr(input_units, "drawn", drawn)
    monkeypatch.setattr(input_units, "VALUES", 5 * 8 * 3)  # of 5 steps and 8 features
    model, data = in_units(*learned, SPREADS["large"], MEANS["away"])
    learn_in_units(Simulation(model.graph), data)
    assert looked == [1, 3]
