from dataclasses import replace

import numpy as np
import pytest
import torch
from made_networks import ALL, Chain, plain, recurrent
from made_training import task, weights

from spear_deploy.measure import SynopsCounter, measure
from spear_deploy.network import ReadOut, Simulation, batching
from spear_deploy.network.batching import states_of
from spear_deploy.training import EarlyStop, Recipe, SynopsConstraint, Teacher, fine_tune, loss

RECIPE = Recipe(epochs=3, batch=16, learning_rate=1e-2)


def error(model, data):
    """Mean squared distance of firing rates from one-hot labels, summed over classes, in numpy."""
    with torch.no_grad():
        rates = Simulation(model.graph)(data.inputs).output.mean(0).numpy()
    return ((rates - np.eye(rates.shape[1])[data.labels]) ** 2).sum(1).mean()


@pytest.mark.parametrize("network", [plain, recurrent])
def test_the_same_seed_gives_the_same_weights_byte_for_byte(network):
    model = network().model()
    data = task(model.network.input_shape, model.time_steps)
    first, second, other = (weights(fine_tune(model, data, RECIPE, seed=seed)) for seed in (3, 3, 4))
    assert first == second
    assert all(first[key] != other[key] for key in first)


@pytest.mark.parametrize("taught", [False, True])
def test_a_batch_in_pieces_has_the_gradients_of_the_whole(taught, monkeypatch):
    model = plain().model()
    data = task(model.network.input_shape, model.time_steps, samples=26)
    teacher = Teacher(torch.rand((26, 4), generator=torch.Generator().manual_seed(2))) if taught else None

    def tuned():
        recipe = Recipe(epochs=1, batch=26, learning_rate=1e-2, optimiser="sgd")
        return fine_tune(model, data, recipe, seed=0, teacher=teacher).graph.nodes

    whole = tuned()
    monkeypatch.setattr(batching, "TRAINED_AT_ONCE", 8 * states_of(model.network, 4))
    pieces = tuned()
    for name, node in whole.items():
        if hasattr(node, "weight"):
            step = node.weight - model.graph.nodes[name].weight
            np.testing.assert_allclose(pieces[name].weight - model.graph.nodes[name].weight, step, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["plain", "grouped", "residual sum", "recurrent", "each neuron its own"])
def test_the_error_falls(name):
    model = ALL[name]().model()
    data = task(model.network.input_shape, model.time_steps)
    tuned = fine_tune(model, data, Recipe(epochs=6, batch=16, learning_rate=1e-2), seed=0)
    assert error(tuned, data) < 0.8 * error(model, data)


def test_a_membrane_read_out_learns_too():
    model = Chain((8,), 3).linear("fc1", 12).neurons("a").linear("fc2", 4).membranes("out").model(read_out="membrane")
    data = task((8,), 5)

    def surprise(model):
        with torch.no_grad():
            mean = Simulation(model.graph)(data.inputs).output.mean(0).double().numpy()
        share = np.exp(mean) / np.exp(mean).sum(1, keepdims=True)
        return -np.log(share[np.arange(len(share)), data.labels]).mean()

    tuned = fine_tune(model, data, Recipe(epochs=20, batch=16, learning_rate=2e-2), seed=0)
    assert surprise(tuned) < 0.8 * np.log(4)  # log 4 is that of a guess
    assert surprise(tuned) < 0.5 * surprise(model)


def test_the_model_it_was_given_stays_as_it_was():
    model = plain().model()
    before = weights(model)
    fine_tune(model, task((3,), 5), RECIPE, seed=0)
    assert weights(model) == before


def test_every_epoch_is_told():
    told = []
    fine_tune(plain().model(), task((3,), 5), RECIPE, seed=0, on_epoch=told.append)
    assert told == [1, 2, 3]


def test_an_early_stop_keeps_the_best_epoch_and_ends_after_its_patience():
    model = plain().model()
    data = task((3,), model.time_steps)
    shuffled = replace(data, labels=data.labels.flip(0))  # what is learned makes this worse
    recipe, told = Recipe(epochs=30, batch=16, learning_rate=1e-2), []

    def wrong(tuned):
        with torch.no_grad():
            return float(loss(Simulation(tuned.graph)(data.inputs).output, shuffled.labels, ReadOut.COUNT))

    stopped = fine_tune(model, data, recipe, seed=0, stop=EarlyStop(shuffled, 4), on_epoch=told.append)
    assert 5 <= len(told) < 30
    assert wrong(stopped) < wrong(fine_tune(model, data, recipe, seed=0))
    after_best = fine_tune(model, data, recipe, seed=0, stop=EarlyStop(shuffled, 30))
    assert weights(after_best) == weights(stopped)


def test_the_loss_of_counts_is_the_squared_distance_of_rates_from_one_hot_labels():
    output = torch.zeros(4, 2, 3)
    output[:3, 0, 1] = 1
    output[:1, 1, 0] = 1
    expected = ((0.75 - 1) ** 2 + (0.25**2 + 1)) / 2
    assert float(loss(output, torch.tensor([1, 2]), ReadOut.COUNT)) == pytest.approx(expected)


def test_the_loss_of_membranes_is_the_cross_entropy_of_their_mean():
    output = torch.tensor([[[1.0, 3.0]], [[0.0, 0.0]]])
    expected = -np.log(np.exp(0.5) / (np.exp(0.5) + np.exp(1.5)))
    assert float(loss(output, torch.tensor([0]), ReadOut.MEMBRANE)) == pytest.approx(expected)


def test_the_loss_against_outputs_is_their_squared_distance_or_their_cross_entropy():
    output = torch.tensor([[[1.0, 0.0]], [[1.0, 1.0]]])
    wanted = torch.tensor([[0.75, 0.25]])
    assert float(loss(output, wanted, ReadOut.COUNT)) == pytest.approx(0.25**2 + 0.25**2)
    share, given = np.exp([1.0, 0.5]) / np.exp([1.0, 0.5]).sum(), np.exp([0.75, 0.25]) / np.exp([0.75, 0.25]).sum()
    assert float(loss(output, wanted, ReadOut.MEMBRANE)) == pytest.approx(-(given * np.log(share)).sum(), rel=1e-6)


def test_outputs_are_learned_in_place_of_labels():
    model = plain().model()
    data = task((3,), model.time_steps)
    with torch.no_grad():
        rates = Simulation(model.graph)(data.inputs).output.mean(0)
    start = fine_tune(model, data, Recipe(epochs=10, batch=16, learning_rate=1e-2), seed=1)

    def distance(tuned):
        with torch.no_grad():
            return float((Simulation(tuned.graph)(data.inputs).output.mean(0) - rates).square().sum(1).mean())

    recipe = Recipe(epochs=20, batch=16, learning_rate=1e-2)
    assert distance(fine_tune(start, replace(data, outputs=rates), recipe, seed=0)) < 0.5 * distance(start)


def test_the_expected_synops_of_a_constraint_are_those_that_are_counted():
    model = plain().model()
    data = task((3,), model.time_steps)
    trace = Simulation(model.graph)(data.inputs)
    counter = SynopsCounter(model.network)
    expected = counter.expected(data.inputs, trace.outputs, analog_input=True)
    by_step = counter.expected_by_step(data.inputs, trace.outputs, analog_input=True)
    counted = counter.count(data.inputs, trace.outputs, analog_input=True)
    assert float(expected.detach()) == pytest.approx(float(counted.total.mean()), rel=1e-6)
    assert by_step.detach().numpy() == pytest.approx(counted.by_step.numpy(), rel=1e-6)
    assert expected.requires_grad
    assert by_step.requires_grad


def test_events_at_the_input_count_as_expected_synops():
    model = plain().model()
    spikes = (torch.rand((5, 20, 3), generator=torch.Generator().manual_seed(0)) < 0.3).float()
    outputs = Simulation(model.graph)(spikes).outputs
    counter = SynopsCounter(model.network)
    by_step = counter.expected_by_step(spikes, outputs, analog_input=False)
    counted = counter.count(spikes, outputs, analog_input=False).by_step
    assert by_step.detach().numpy() == pytest.approx(counted.numpy(), rel=1e-6)


def used(model, data):
    return measure(model, data.inputs, data.labels, analog_input=True)


@pytest.mark.parametrize("share", [0.7, 0.4])
def test_a_constraint_ends_at_its_target_where_the_task_pulls_the_other_way(share):
    model = plain().model()
    data = task((3,), model.time_steps)
    recipe = Recipe(epochs=40, batch=16, learning_rate=1e-2)
    target = share * used(fine_tune(model, data, recipe, seed=0), data).synops
    tuned = fine_tune(model, data, recipe, seed=0, constraint=SynopsConstraint({"synops": target}))
    assert used(tuned, data).synops == pytest.approx(target, rel=0.06)


def test_a_limit_on_the_busiest_step_is_held_beside_one_on_the_mean():
    model = plain().model()
    data = task((3,), model.time_steps)
    recipe = Recipe(epochs=40, batch=16, learning_rate=1e-2)
    free = used(fine_tune(model, data, recipe, seed=0), data)
    both = {"synops": 0.8 * free.synops, "step": 0.6 * free.busiest_step_synops}
    tuned = used(fine_tune(model, data, recipe, seed=0, constraint=SynopsConstraint(both)), data)
    assert tuned.busiest_step_synops <= 1.1 * both["step"] < 0.8 * free.busiest_step_synops
    assert tuned.synops <= 1.05 * both["synops"]


def test_a_further_fine_tune_goes_on_from_the_multiplier_that_one_ended_with():
    model = plain().model()
    data = task((3,), model.time_steps)
    constraint = SynopsConstraint({"synops": 0.4 * used(model, data).synops})
    fine_tune(model, data, RECIPE, seed=0, constraint=constraint)
    first = constraint.multipliers["synops"]
    assert first > 0
    fine_tune(model, data, replace(RECIPE, learning_rate=0.0), seed=0, constraint=constraint)
    assert constraint.multipliers["synops"] > first


def test_targets_are_set_anew_by_what_is_measured_on_the_way():
    model = plain().model()
    data = task((3,), model.time_steps)
    constraint, seen = SynopsConstraint({"synops": 100.0}), []

    def steer(so_far):
        seen.append(used(so_far, data).synops)
        return {"synops": 50.0 + len(seen)}

    fine_tune(model, data, replace(RECIPE, epochs=20), seed=0, constraint=constraint, steer=steer)
    assert constraint.targets == {"synops": 53.0}
    assert len(set(seen)) == 3


def test_a_teacher_is_learned_beside_the_labels():
    model = plain().model()
    data = task((3,), model.time_steps)
    with torch.no_grad():
        wanted = Simulation(model.graph)(data.inputs).output.mean(0)
    start = fine_tune(model, data, Recipe(epochs=6, batch=16, learning_rate=1e-2), seed=1)

    def distance(tuned):
        with torch.no_grad():
            return float((Simulation(tuned.graph)(data.inputs).output.mean(0) - wanted).square().sum(1).mean())

    recipe = Recipe(epochs=20, batch=16, learning_rate=1e-2)
    taught = fine_tune(start, data, recipe, seed=0, teacher=Teacher(wanted, 0.9))
    assert distance(taught) < 0.7 * distance(fine_tune(start, data, recipe, seed=0))
    same = fine_tune(start, data, recipe, seed=0, teacher=Teacher(wanted, 1.0))
    assert weights(same) == weights(fine_tune(start, replace(data, outputs=wanted), recipe, seed=0))


def test_a_fine_tune_that_meets_nan_begins_the_epoch_again_at_half_the_rate_and_says_so():
    model = plain().model()
    data = task((3,), model.time_steps)
    calls, told = [], []

    class Breaks(SynopsConstraint):
        def term(self, *batch):
            calls.append(1)
            return super().term(*batch) * (float("nan") if len(calls) == 6 else 1.0)

    tuned = fine_tune(model, data, RECIPE, seed=0, constraint=Breaks({"synops": 60.0}), notice=told.append)
    assert [line for line in told if "epoch 2 began" in line and "halved" in line] == told != []
    assert len(calls) == 4 * RECIPE.epochs + 2
    assert all(np.isfinite(np.frombuffer(each, np.float32)).all() for each in weights(tuned).values())


def test_a_fine_tune_that_never_is_finite_ends_with_what_it_was_given():
    model = plain().model()
    data = task((3,), model.time_steps)
    told = []

    class Broken(SynopsConstraint):
        def term(self, *batch):
            return super().term(*batch) * float("inf")

    tuned = fine_tune(model, data, RECIPE, seed=0, constraint=Broken({"synops": 60.0}), notice=told.append)
    assert "ends with the last finite network" in told[-1]
    assert used(tuned, data).synops == pytest.approx(used(model, data).synops, rel=1e-6)


def test_a_network_far_above_its_target_is_led_there_and_not_silenced():
    model = plain().model()
    data = task((3,), model.time_steps)
    recipe = Recipe(epochs=40, batch=16, learning_rate=1e-2)
    target = 0.2 * used(model, data).synops
    tuned = fine_tune(model, data, recipe, seed=0, constraint=SynopsConstraint({"synops": target}))
    assert 0.8 * target < used(tuned, data).synops < 1.1 * target
