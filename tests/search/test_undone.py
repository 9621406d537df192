"""A fine-tune that surely made a network worse."""

import numpy as np
import pytest
from made_finalists import OnTorch, chosen, learned_factory, problem_of, samples_of
from test_search import RecalibratedTimes, unlimited

from spear_deploy.data import SplitName
from spear_deploy.search import SearchProblem, Tuner, TuningPlan
from spear_deploy.search.finalists import finished
from spear_deploy.search.pipelines import fine_tuned_best
from spear_deploy.search.tuning import tune_plain
from spear_deploy.training import Recipe

HARSH = Recipe(epochs=2, batch=16, learning_rate=0.5)
"""Wipes out what a network has learned."""


@pytest.fixture(scope="module")
def factory():
    return learned_factory()


def test_a_fine_tune_that_surely_made_a_network_worse_is_undone_and_lres_prediction_stays_of_the_first_phase(factory):
    problem = problem_of(factory, 0.9)
    choice, _ = chosen(problem, TuningPlan(HARSH, HARSH, constrained=False), OnTorch(problem, share=1.5))
    winner, pruned = choice.winner, factory.candidate(choice.winner.ratios).model
    before = factory.measure(pruned, problem.validation)
    assert winner.final.validation.accuracy < 0.6 < 0.9 < before.accuracy == winner.result.validation.accuracy
    assert any(one is winner for one in choice.tuned)
    again = tune_plain(Tuner(factory, OnTorch(problem), TuningPlan(HARSH, HARSH), 0), winner.ratios, problem.estimator)
    assert winner.plain.validation.synops == again.plain.validation.synops
    assert winner.prediction == again.prediction


def test_a_second_phase_that_surely_made_a_network_worse_leads_back_to_the_first_where_that_is_better(factory):
    problem = problem_of(factory, 0.9)
    plan = TuningPlan(Recipe(epochs=8, batch=16, learning_rate=1e-2), HARSH, constrained=False)
    tuner = Tuner(factory, OnTorch(problem, share=1.5), plan, 0)
    plain = tune_plain(tuner, np.array([0.4, 0.3]), problem.estimator)
    found = finished(tuner, [plain], 0.01)
    assert found.winner.result.model is plain.plain.model
    assert found.winner.final.validation.accuracy < plain.plain.validation.accuracy


def test_a_fine_tune_is_not_undone_where_the_network_before_it_breaks_a_limit(factory):
    problem = problem_of(factory, 0.9)
    choice, _ = chosen(problem, TuningPlan(HARSH, HARSH, constrained=False), OnTorch(problem, share=0.5))
    assert choice.winner.instead is None
    assert choice.winner.result.share(0.5 * problem.budget_synops) <= 1


def test_a_fine_tune_is_not_undone_for_what_may_be_chance(factory):
    """Four samples of validation cannot tell a network that is right on all of them from one that is on one."""
    few = samples_of(4, seed=1, name=SplitName.VALIDATION)
    problem = SearchProblem(factory, RecalibratedTimes(1.0), 2 * factory.dense.synops, unlimited, few)
    problem.evaluate(np.array([0.9, 0.9]))
    choice, _ = chosen(problem, TuningPlan(HARSH, HARSH, constrained=False), OnTorch(problem, share=1.5))
    assert choice.winner.instead is None
    assert choice.winner.result.validation.accuracy <= 0.5


def test_spears_own_ending_delivers_what_its_fine_tune_makes_however_bad_that_is(factory):
    problem = problem_of(factory, 0.9)
    tuner = Tuner(factory, OnTorch(problem, share=1.5), TuningPlan(HARSH, HARSH, constrained=False), 0)
    winner = fine_tuned_best(problem, tuner, 1, lambda one: None).winner
    assert winner.result is winner.plain
    assert winner.result.validation.accuracy < 0.6
