"""No fine-tune depends on the unit of a regression's labels, nor on that of analog inputs that are large."""

from dataclasses import replace
from functools import partial

import nir
import numpy as np
import pytest
import torch
from made_networks import Chain, pooled
from made_regression import STEPS, TUNED, arrays
from made_training import task

from spear_deploy.backends.fixed_point import quantiser_for
from spear_deploy.data import Dataset, EncodedSplit, encode
from spear_deploy.measure import accuracy_on
from spear_deploy.network import Encoding, Objective, ReadOut, Simulation
from spear_deploy.network.constants import constant
from spear_deploy.network.editing import with_arrays, with_nodes
from spear_deploy.system.journal import Journal
from spear_deploy.training import Recipe, TaskLoss, fine_tune
from spear_deploy.training.units import learn_in_units

RECIPE = Recipe(epochs=4, batch=32, learning_rate=5e-3)
UNITS = ([2.0**-12, 2.0**-12], [2.0**12, 2.0**12], [2.0**20, 2.0**-14], [1e-3, 1e-3], [1e3, 1e3], [1e6, 1e-4])


def standardised():
    content = arrays(train=200)
    mean, deviation = content["y_train"].mean(0), content["y_train"].std(0)
    data = Dataset.of_arrays(**content | {key: (content[key] - mean) / deviation for key in ("y_train", "y_test")})
    return tuple(encode(split, Encoding.RATE, STEPS) for split in (data.train, data.test))


def chain(population=1):
    found = Chain((TUNED,), seed=1).linear("fc1", 24).neurons("lif1")
    return found.linear("out", 2 * population)


def regression(chain, population=1, objective="regression"):
    model = chain.membranes("told").model(STEPS, Encoding.RATE, ReadOut.MEMBRANE)
    return replace(model, objective=Objective(objective), population=population)


def times(model, factors, name="out"):
    """The model with rows of weights and biases times factors."""
    nodes = dict(model.graph.nodes)
    factors = np.repeat(factors, len(nodes[name].weight) // len(factors))
    changes = {"weight": nodes[name].weight * factors[:, None], "bias": nodes[name].bias * factors}
    return model.with_graph(with_nodes(model.graph, nodes | {name: with_arrays(nodes[name], changes)}))


def in_unit(data, unit):
    return replace(data, labels=data.labels * torch.tensor(unit, dtype=data.labels.dtype))


@pytest.fixture(scope="module")
def known():
    """Data, and a network that was trained on it as its author would."""
    train, test = standardised()
    return fine_tune(regression(chain()), train, Recipe(30, 32, 1e-2), seed=0), train, test


@pytest.mark.parametrize("recipe", [RECIPE, Recipe(4, 32, 0.05, optimiser="sgd", weight_decay=5e-4)])
@pytest.mark.parametrize("unit", UNITS)
def test_a_regression_ends_with_the_same_score_whatever_the_unit_of_each_label(known, recipe, unit):
    model, train, test = known
    plain = accuracy_on(fine_tune(model, train, recipe, seed=0), test)
    tuned = fine_tune(times(model, unit), in_unit(train, unit), recipe, seed=0)
    found = accuracy_on(tuned, in_unit(test, unit))
    assert found == pytest.approx(plain, abs=0.01)
    assert found > accuracy_on(model, test) - 0.01


@pytest.mark.parametrize("population", [1, 3])
def test_units_that_are_powers_of_two_change_no_bit(population):
    """Of hidden weights none, of last ones none but by the unit."""
    train, _ = standardised()
    model, unit = regression(chain(population), population), [2.0**10, 2.0**-10]
    plain = times(fine_tune(model, train, RECIPE, seed=0), unit)
    tuned = fine_tune(times(model, unit), in_unit(train, unit), RECIPE, seed=0)
    assert_same(tuned, plain)


def assert_same(tuned, plain):
    for name in ("fc1", "out"):
        for key in ("weight", "bias"):
            np.testing.assert_array_equal(getattr(tuned.graph.nodes[name], key), getattr(plain.graph.nodes[name], key))


@pytest.mark.parametrize("population", [1, 3])
def test_a_factor_behind_the_weights_may_hold_the_unit(population):
    train, _ = standardised()
    model, unit = regression(chain(population), population), [2.0**10, 2.0**-10]
    factor = constant(nir.Scale(np.repeat(unit, population)))
    scaled = regression(chain(population).add("unit", factor), population)
    assert_same(fine_tune(scaled, in_unit(train, unit), RECIPE, seed=0), fine_tune(model, train, RECIPE, seed=0))
    by_objective = regression(chain(population), population, "regression:scale=1024")
    tuned = fine_tune(by_objective, in_unit(train, [1024.0, 1024.0]), RECIPE, seed=0)
    assert_same(tuned, fine_tune(model, train, RECIPE, seed=0))


def test_votes_and_maps_have_the_units_of_what_they_move():
    """Two votes a value, whose means are constants, with a unit each; each position of a map has its own value."""
    votes = constant(nir.Linear(np.kron(np.eye(2), [0.5, 0.5])))
    labels = torch.tensor([[0.0, 0.0], [2.0, 16.0]])
    data = EncodedSplit("train", torch.zeros(STEPS, 2, TUNED), labels, analog=False)
    flat = chain(2)
    flat.shape = (2,)
    assert units(regression(flat.add("votes", votes)), data)["out.weight"] == pytest.approx([1, 1, 8, 8])
    maps = Chain((1, 1, 2)).conv("out", 1).flatten()
    data = replace(data, stored=torch.zeros(STEPS, 2, 1, 1, 2))
    assert units(regression(maps), data)["out.bias"] == pytest.approx([(2 / (1 + 1 / 64)) ** 0.5])


def units(model, data):
    """By parameter, what it is a multiple of."""
    simulation = Simulation(model.graph)
    learn_in_units(simulation, TaskLoss.of(model, data), data)
    held = {name: value.flatten().tolist() for name, value in simulation.named_buffers() if name.endswith(".0.unit")}
    return {name.replace("parametrizations.", "").removesuffix(".0.unit"): unit for name, unit in held.items()}


def test_spikes_classes_and_inputs_within_0_and_1_have_no_unit():
    model = Chain((8,)).linear("fc1", 12).neurons("a").linear("out", 4).neurons("b").model()
    data = task((8,), 5)
    told = replace(data, labels=torch.rand(len(data), 4) * 1000)
    assert units(model, data) == {}
    assert units(replace(model, objective=Objective("regression:scale=1000")), told) == {}
    spikes = replace(data, stored=200 * data.stored, analog=False)
    assert units(model, spikes) == {}
    several = pooled().model()  # what its weights hear after a pool that sums is not looked at
    assert units(several, task(several.network.input_shape, 5)) == {}


def louder(model, data, factor):
    """The same function of inputs times a factor."""
    nodes = dict(model.graph.nodes)
    quiet = with_arrays(nodes["fc1"], {"weight": nodes["fc1"].weight / factor})
    return model.with_graph(with_nodes(model.graph, nodes | {"fc1": quiet})), replace(data, stored=factor * data.stored)


def test_the_unit_of_large_inputs_does_not_matter():
    model = Chain((20,), 3).linear("fc1", 16).neurons("a").linear("out", 4).neurons("b").model()
    data = task((20,), 5, samples=200)
    model = fine_tune(model, data, Recipe(20, 20, 5e-3), seed=0)
    tuned = {}
    for factor in (1, 255, 256, 4096):
        quiet, loud = louder(model, data, factor)
        tuned[factor] = fine_tune(quiet, loud, RECIPE, seed=0)
        assert accuracy_on(tuned[factor], loud) >= accuracy_on(model, data)
    assert_same(louder(tuned[256], data, 16)[0], tuned[4096])


def test_frozen_weights_stay_and_a_regression_that_was_ended_goes_on(known, tmp_path):
    class Killed(BaseException):
        pass

    def kill(epoch):
        if epoch == 3:
            raise Killed

    model, train, _ = known
    unit = [1e3, 1e-3]
    model, train = replace(times(model, unit), frozen=frozenset({"fc1"})), in_unit(train, unit)
    tuned = partial(fine_tune, model, train, RECIPE, seed=0)
    with pytest.raises(Killed):
        tuned(on_epoch=kill, journal=Journal(tmp_path))
    plain = tuned()
    for again in (tuned(journal=Journal(tmp_path)), tuned(journal=Journal(tmp_path))):
        assert_same(again, plain)
    np.testing.assert_array_equal(plain.graph.nodes["fc1"].weight, model.graph.nodes["fc1"].weight)
    assert (plain.graph.nodes["out"].weight != model.graph.nodes["out"].weight).any()


def test_a_rounding_fine_tune_of_a_regression_returns_what_the_chip_holds(known):
    """Rounding it once more changes nothing."""
    model, train, _ = known
    unit = [1.0, 4.0]
    model, train = times(model, unit), in_unit(train, unit)
    quantiser = quantiser_for(model, calibration=train.take(slice(0, 20)).inputs)
    tuned = fine_tune(model, train, RECIPE, seed=0, quantiser=quantiser)
    simulation = Simulation(tuned.graph)
    quantiser(simulation)
    for name in ("fc1", "out"):
        np.testing.assert_array_equal(simulation.module(name).weight.detach().numpy(), tuned.graph.nodes[name].weight)
    assert (tuned.graph.nodes["out"].weight != model.graph.nodes["out"].weight).any()
