"""No fine-tune depends on the unit that weights have: that of a regression's labels, of large inputs, of integers."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from made_networks import Chain
from made_regression import STEPS, TUNED, arrays
from made_training import task

from spear_deploy.backends.fixed_point import quantiser_for
from spear_deploy.data import Dataset, encode, load_data
from spear_deploy.measure import accuracy_on
from spear_deploy.network import Encoding, Objective, ReadOut, Simulation, load_any, node_of
from spear_deploy.network.editing import with_arrays, with_nodes
from spear_deploy.network.surrogate import atan
from spear_deploy.search import CandidateFactory
from spear_deploy.system.journal import Journal
from spear_deploy.training import Recipe, fine_tune
from spear_deploy.training import units as units_room
from spear_deploy.training.units import learn_in_units, unit_of_scores

DIGITS = Path(__file__).parents[2] / "examples" / "digits.pt"
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
def test_a_fine_tune_does_no_harm_to_a_regression_whatever_the_unit_of_each_label(known, recipe, unit):
    """Steps differ by less than four times, as a row of a usual size is not told from one of twice that."""
    model, train, test = known
    tuned = fine_tune(times(model, unit), in_unit(train, unit), recipe, seed=0)
    assert accuracy_on(tuned, in_unit(test, unit)) > accuracy_on(model, test)


@pytest.mark.parametrize("unit", UNITS)
def test_a_regression_ends_with_about_the_same_score_whatever_the_unit_of_each_label(known, unit):
    model, train, test = known
    plain = accuracy_on(fine_tune(model, train, RECIPE, seed=0), test)
    found = accuracy_on(fine_tune(times(model, unit), in_unit(train, unit), RECIPE, seed=0), in_unit(test, unit))
    assert found == pytest.approx(plain, abs=0.02)


@pytest.mark.parametrize("population", [1, 3])
def test_units_that_are_powers_of_two_change_no_bit(population):
    """Of hidden weights none, of last ones none but by the unit."""
    train, _ = standardised()
    model = regression(chain(population), population)
    tuned = [
        fine_tune(times(model, unit), in_unit(train, unit), RECIPE, seed=0)
        for unit in ([2.0**10, 2.0**-10], [2.0**14, 2.0**-18])
    ]
    assert_same(times(tuned[0], [2.0**4, 2.0**-8]), tuned[1])


def assert_same(tuned, plain, names=("fc1", "out")):
    for name in names:
        for key in ("weight", "bias"):
            np.testing.assert_array_equal(getattr(tuned.graph.nodes[name], key), getattr(plain.graph.nodes[name], key))


def units(model, data):
    """By parameter its unit, and by layers of neurons how wide the surrogate gradient is where it is wider."""
    simulation = Simulation(model.graph)
    learn_in_units(simulation, data)
    held = {name: value.flatten().tolist() for name, value in simulation.named_buffers() if name.endswith(".0.unit")}
    widened = {name: simulation.module(name).width for name in simulation.network.neurons}
    return {name.replace("parametrizations.", "").removesuffix(".0.unit"): unit for name, unit in held.items()} | {
        name: width for name, width in widened.items() if width is not None
    }


@pytest.mark.parametrize("labels", [1.0, 1000.0])
def test_weights_of_a_usual_size_have_no_unit_whatever_labels_and_inputs_are(known, labels):
    """A neuron's gain or threshold, another layer or the network's own training may have taken the unit."""
    model, train, _ = known
    assert units(model, in_unit(train, [labels, labels])) == {}
    spiking = Chain((8,)).linear("fc1", 12).neurons("a").linear("out", 4).neurons("b").model()
    assert units(spiking, replace(task((8,), 5), stored=200 * task((8,), 5).stored)) == {}
    assert units(load_any(DIGITS), task((1, 8, 8), 4)) == {}


def test_the_unit_of_a_row_is_its_own_only_where_it_tells_a_value(known):
    model, train, _ = known
    found = units(times(model, [2.0**-12, 2.0**12]), train)
    assert set(found) == {"out.weight", "out.bias"}
    small, large = found["out.weight"]
    assert 2.0**-14 < small < 2.0**-10
    assert 2.0**10 < large < 2.0**14
    (whole,) = units(times(model, [2.0**-12, 2.0**-12], "fc1"), train)["fc1.weight"]
    assert 2.0**-14 < whole < 2.0**-10


def test_rows_without_any_weight_and_those_that_are_no_numbers_have_none(known):
    model, train, _ = known
    assert units(times(model, [0.0, 1.0]), train) == {}
    assert units(model, replace(train, analog=True, stored=train.as_stored() * float("nan"))) == {}


def louder(model, data, factor):
    """The same function of inputs times a factor."""
    nodes = dict(model.graph.nodes)
    quiet = with_arrays(nodes["fc1"], {"weight": nodes["fc1"].weight / factor})
    return model.with_graph(with_nodes(model.graph, nodes | {"fc1": quiet})), replace(data, stored=factor * data.stored)


def test_the_unit_of_large_inputs_does_not_matter_where_weights_hold_it():
    model = Chain((20,), 3).linear("fc1", 16).neurons("a").linear("out", 4).neurons("b").model()
    data = task((20,), 5, samples=200)
    model = fine_tune(model, data, Recipe(20, 20, 5e-3), seed=0)
    tuned = {}
    for factor in (1, 255, 256, 4096):
        quiet, loud = louder(model, data, factor)
        tuned[factor] = fine_tune(quiet, loud, RECIPE, seed=0)
        assert accuracy_on(tuned[factor], loud) >= accuracy_on(model, data)
    assert_same(louder(tuned[256], data, 16)[0], tuned[4096])


def enlarged(model, factor):
    """Weights, biases and thresholds of all layers times a factor: the same spikes."""
    nodes = dict(model.graph.nodes)
    for name, node in nodes.items():
        for keys in (("weight", "bias"), ("v_threshold",)):
            if all(hasattr(node, key) for key in keys):
                nodes[name] = with_arrays(node, {key: getattr(node, key) * factor for key in keys})
    return model.with_graph(with_nodes(model.graph, nodes))


@pytest.fixture(scope="module")
def pruned():
    """The digits' network, whose thresholds are 1, with a third of its channels, and data."""
    model, data = load_any(DIGITS), load_data("digits")
    train, test = (encode(split, model.encoding, model.time_steps) for split in (data.train, data.test))
    train = train.take(slice(0, 400))
    factory = CandidateFactory(model, train)
    found = factory.candidate(np.full(len(factory.groups), 0.3)).model
    return found, train, test


@pytest.mark.parametrize("recipe", [RECIPE, Recipe(4, 32, 0.05, optimiser="sgd", weight_decay=5e-4)])
@pytest.mark.parametrize("factor", [2.0, 2.0**4, 2.0**8, 2.0**12])
def test_integers_of_a_chip_are_learned_as_fractions_are(pruned, recipe, factor):
    """To the last bit where they are powers of two times these."""
    model, train, _ = pruned
    tuned = fine_tune(enlarged(model, factor), train, recipe, seed=0)
    names = [name for name, node in model.graph.nodes.items() if hasattr(node, "weight")]
    assert_same(tuned, enlarged(fine_tune(model, train, recipe, seed=0), factor), names)


@pytest.mark.parametrize("factor", [1 / 300, 6.0, 300.0, 1e5])
def test_integers_of_a_chip_are_learned_about_as_well_as_fractions_are(pruned, factor):
    model, train, test = pruned
    plain = accuracy_on(fine_tune(model, train, RECIPE, seed=0), test)
    assert plain > accuracy_on(model, test) + 0.1
    assert accuracy_on(fine_tune(enlarged(model, factor), train, RECIPE, seed=0), test) > plain - 0.05


@pytest.mark.parametrize("recipe", [RECIPE, Recipe(4, 32, 0.05, optimiser="sgd")])
def test_classes_are_learned_from_large_membranes_as_from_usual_ones(recipe):
    model = Chain((20,), 3).linear("fc1", 16).neurons("a").linear("out", 4).membranes("told")
    model, data = model.model(read_out=ReadOut.MEMBRANE), task((20,), 5, samples=200)
    before = accuracy_on(model, data)
    assert accuracy_on(fine_tune(model, data, recipe, seed=0), data) > before + 0.2
    tuned = [fine_tune(times(model, [factor] * 4), data, recipe, seed=0) for factor in (2.0**6, 2.0**20)]
    assert accuracy_on(tuned[0], data) > before + 0.2
    assert_same(times(tuned[0], [2.0**14] * 4), tuned[1])


def test_a_low_threshold_beside_usual_weights_widens_nothing(pruned):
    """Membranes stand far above it."""
    model, train, _ = pruned
    nodes = dict(model.graph.nodes)
    low = with_arrays(nodes["1_leaky"], {"v_threshold": nodes["1_leaky"].v_threshold / 100})
    assert units(model.with_graph(with_nodes(model.graph, nodes | {"1_leaky": low})), train) == {}


def with_neurons(model, name, **changes):
    """The model with constants of a layer of neurons changed."""
    neuron = replace(model.network.neurons[name], **changes)
    return model.with_graph(with_nodes(model.graph, dict(model.graph.nodes) | {name: node_of(neuron)}))


def test_a_threshold_is_no_unit_where_rest_and_reset_are_offset_with_it(pruned):
    model, train, _ = pruned
    beta = model.network.neurons["1_leaky"].beta
    ones = np.ones_like(beta)
    offset = with_neurons(model, "1_leaky", threshold=64 * ones, offset=63 * (1 - beta), reset_value=63 * ones)
    assert units(offset, train) == {}
    assert "1_leaky" in units(with_neurons(model, "1_leaky", threshold=64 * ones), train)


def test_a_neuron_that_its_threshold_silences_gives_no_other_a_unit(pruned):
    model, train, _ = pruned
    thresholds = np.ones(model.network.shapes["1_leaky"])
    thresholds[0] = 1e6
    silenced = with_neurons(model, "1_leaky", threshold=thresholds)
    assert set(units(silenced, train)) == {"1_leaky"}
    simulation = Simulation(silenced.graph)
    learn_in_units(simulation, train)
    x = torch.randn(3, 2, *thresholds.shape)
    found, plain = (
        spike.gradient(torch.ones_like(x), x.clone()) for spike in (simulation.module("1_leaky").spike, atan)
    )
    assert torch.equal(found[:, :, 1:], plain[:, :, 1:])
    assert (found[:, :, 0] < 2e-6).all()


def read_from_membranes(population=1, factor=1.0, each=0.0):
    """Classes by membranes; `each` is added to the weights of a class's first output and taken from its last's."""
    chain = Chain((20,), 3).linear("fc1", 16).neurons("a").linear("out", 4 * population).membranes("told")
    model = replace(chain.model(read_out=ReadOut.MEMBRANE), population=population)
    node = model.graph.nodes["out"]
    apart = np.zeros(4 * population)
    apart[::population] += each
    apart[population - 1 :: population] -= each
    changes = {"weight": factor * node.weight + apart[:, None], "bias": factor * node.bias}
    return model.with_graph(with_nodes(model.graph, dict(model.graph.nodes) | {"out": with_arrays(node, changes)}))


@pytest.mark.parametrize(
    ("options", "found"),
    [({}, 1.0), ({"factor": 1e-3}, 1.0), ({"population": 3, "each": 100.0}, 1.0), ({"factor": 2.0**8}, None)],
)
def test_a_softmax_takes_membranes_in_a_unit_where_those_of_classes_are_far_apart(options, found):
    """Those of the outputs of one class may be: their mean is what tells."""
    model, data = read_from_membranes(**options), task((20,), 5, samples=200)
    unit = unit_of_scores(model, Simulation(model.graph), data)
    assert unit == found if found is not None else unit > 16


def test_membranes_are_looked_at_no_more_at_a_time_than_fit_into_memory(monkeypatch):
    monkeypatch.setattr(units_room, "samples_at_once", lambda *_: 5)
    model, data, seen = read_from_membranes(factor=2.0**8), task((20,), 5, samples=200), []
    simulation = Simulation(model.graph)
    whole = unit_of_scores(model, simulation, data)
    simulation.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[1]))
    assert unit_of_scores(model, simulation, data) == whole
    assert max(seen) == 5
    assert sum(seen) == units_room.SAMPLES


def test_a_low_threshold_is_none_behind_other_neurons_and_a_pool():
    chain = Chain((1, 8, 8), 3).conv("c", 4).neurons("a").pool("p").neurons("b").flatten().linear("out", 4).neurons("o")
    model = with_neurons(chain.model(), "b", threshold=np.full((4, 4, 4), 0.05))
    assert units(model, task((1, 8, 8), 5)) == {}


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
