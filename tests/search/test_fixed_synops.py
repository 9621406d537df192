"""SynOps that no fine-tune changes: those of the inputs' own spikes, and of what only frozen weights lead to."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from made_finalists import OnTorch
from made_networks import Chain
from test_search import RecalibratedTimes, unlimited, wide

from spear_deploy.data import EncodedSplit, SplitName, encode, load_data
from spear_deploy.measure import measure_split
from spear_deploy.network import Encoding
from spear_deploy.search import CandidateFactory, SearchProblem, Tuned, Tuner, TuningPlan, choose
from spear_deploy.search.tuning import can_be_held
from spear_deploy.training import Recipe, fine_tune

MULTIPLE = 1.4
STEPS = 5


def spikes_of(count, seed, name=SplitName.TRAIN):
    generator = torch.Generator().manual_seed(seed)
    x = (torch.rand((STEPS, count, 3), generator=generator) < 0.5).float()
    return EncodedSplit(name, x, torch.arange(count) % 4, analog=False)


def values_of(count, seed, name=SplitName.TRAIN):
    images = torch.rand((count, 3), generator=torch.Generator().manual_seed(seed))
    return EncodedSplit(name, images.expand(STEPS, count, 3), torch.arange(count) % 4, analog=True)


def made(frozen=frozenset()):
    return replace(wide(32).neurons("c").model(STEPS), frozen=frozen)


def problem_of(factory, share, multiple=MULTIPLE):
    validation = spikes_of(30, 1, SplitName.VALIDATION)
    limit = multiple * share * factory.dense.synops
    return SearchProblem(factory, RecalibratedTimes(), limit, unlimited, validation, multiple=multiple)


def test_each_spike_of_the_inputs_reaches_every_channel_that_is_kept_whatever_is_trained():
    train = spikes_of(40, 0)
    factory = CandidateFactory(made(), train)
    candidate = factory.candidate(np.array([0.25, 0.5]))
    reached = (candidate.model.network.nodes["fc1"].weight != 0).sum(0)
    assert reached.sum() > 8
    assert candidate.features.fixed_synops == pytest.approx(float(train.inputs.sum((0, 1)).numpy() @ reached / 40))
    assert candidate.features.fixed_synops < candidate.features.recalibrated_synops


def test_operations_of_values_are_no_synops_and_none_of_them_are_fixed():
    assert CandidateFactory(made(), values_of(40, 0)).candidate(np.array([0.25, 0.5])).features.fixed_synops == 0


def test_spikes_of_a_layer_behind_frozen_weights_are_fixed_too():
    factory = CandidateFactory(made(frozenset({"fc1"})), values_of(40, 0))
    candidate = factory.candidate(np.array([1.0, 0.25]))
    spikes = measure_split(candidate.model, factory.train).events["a"]
    reached = (candidate.model.network.nodes["fc2"].weight != 0).sum(0)
    assert candidate.features.fixed_synops == pytest.approx(float(spikes @ reached), rel=1e-6)
    assert candidate.features.fixed_synops > 0


@pytest.mark.parametrize("share", [0.25, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_the_rest_has_to_shrink_no_further_than_the_last_fine_tune_takes_it(share, seed):
    factory = CandidateFactory(made(), spikes_of(40, 0))
    problem = problem_of(factory, share)
    found = problem.project(np.random.default_rng(seed).uniform(0.1, 1.0, 2)).features
    most = problem.estimator.predict(found).high
    allowed = share * factory.dense.synops
    assert found.fixed_synops + (most - found.fixed_synops) / MULTIPLE <= allowed * (1 + 1e-9)
    assert problem.evaluate(found.keep_ratios).limits[0].used <= problem.budget_synops * (1 + 1e-9)


@pytest.fixture(scope="module")
def rate_coded():
    """Digits as rates, through one hidden layer, as most begin with spiking networks."""
    network = Chain((64,), 8).linear("fc1", 64).neurons("a").linear("fc2", 10).neurons("b").model(8)
    train, validation = (
        EncodedSplit(split.name, found.inputs.flatten(2), found.labels, analog=False)
        for split in (load_data("digits").train.take(slice(0, 600)), load_data("digits").validation)
        for found in (encode(split, Encoding.RATE, 8),)
    )
    dense = fine_tune(network, train, Recipe(epochs=20, batch=32, learning_rate=5e-3), seed=0)
    return CandidateFactory(dense, train), validation


PLAN = TuningPlan(fewest_steps=360)


def delivered(rate_coded, multiple):
    factory, validation = rate_coded
    limit = MULTIPLE * 0.3 * factory.dense.synops
    problem = SearchProblem(factory, RecalibratedTimes(), limit, unlimited, validation, multiple=multiple)
    problem.evaluate(np.ones(1))
    target = OnTorch(problem, share=1 / MULTIPLE)
    return choose(problem, Tuner(factory, target, PLAN, 0), 1, lambda one: None), target


def test_a_rate_coded_network_still_answers_at_a_budget_that_its_inputs_nearly_use_up(rate_coded):
    factory, validation = rate_coded
    dense = factory.measure(factory.model, validation).accuracy
    choice, target = delivered(rate_coded, MULTIPLE)
    assert choice.winner.result.synops_bound <= target.budget_synops
    assert choice.winner.result.validation.accuracy >= dense - 0.1


def test_a_network_whose_inputs_alone_break_the_budget_loses_channels_before_it_is_held(rate_coded):
    factory, _ = rate_coded
    choice, target = delivered(rate_coded, 1.0)  # pruned as if the fine-tune could take the inputs' part away
    tuner = Tuner(factory, target, PLAN, 0)
    first = next(one for one in choice.tuned if one.final is not None)
    assert not can_be_held(tuner, first.plain)
    assert choice.repairs > 0
    assert choice.winner.result.synops_bound <= target.budget_synops
    assert choice.winner.result.validation.accuracy >= factory.measure(factory.model, target.validation).accuracy - 0.1


def test_a_network_that_keeps_its_budget_is_held_there_however_much_of_it_its_inputs_take():
    """Next to nothing is left for its neurons below what is aimed at, and the budget is kept all the same."""
    of_inputs = SimpleNamespace(fixed_share=lambda model: 0.98)
    tuner = SimpleNamespace(factory=of_inputs, evaluator=SimpleNamespace(budget_synops=100.0))
    assert can_be_held(tuner, Tuned(None, None, synops_bound=99.5))
    assert not can_be_held(tuner, Tuned(None, None, synops_bound=101.0))
