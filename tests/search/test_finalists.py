from dataclasses import replace

import numpy as np
import pytest
import torch
from made_finalists import OnTorch, chosen, learned_factory, problem_of, samples_of
from made_limits import use
from test_search import unlimited, wide

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.search import CandidateFactory, SearchProblem, Tuner, TuningPlan, choose, finalists
from spear_deploy.search.closing import _narrower, closing
from spear_deploy.search.finalists import FinalPhase, finished
from spear_deploy.search.tuning import constraint_for, tune_final, tune_plain
from spear_deploy.training import AscentConstants, Recipe, fine_tune

PLAIN = Recipe(epochs=2, batch=16, learning_rate=1e-2)
CONSTRAINED = TuningPlan(PLAIN, Recipe(epochs=20, batch=16, learning_rate=1e-2))
UNCONSTRAINED = TuningPlan(PLAIN, PLAIN, constrained=False)


@pytest.fixture(scope="module")
def factory():
    return learned_factory()


def test_the_first_phase_is_the_fine_tune_of_lres_samples(factory):
    problem = problem_of(factory, 0.6)
    finalist = tune_plain(Tuner(factory, OnTorch(problem), CONSTRAINED, 7), np.array([0.8, 0.6]), problem.estimator)
    again = fine_tune(factory.candidate(np.array([0.8, 0.6])).model, factory.train, PLAIN, seed=7)
    assert finalist.plain.validation.synops == factory.measure(again, problem.validation).synops


def test_small_data_gets_the_epochs_that_make_the_fewest_steps():
    plan = TuningPlan(PLAIN, Recipe(epochs=20, batch=64), fewest_steps=360)
    assert plan.final_for(1097).epochs == 20
    assert plan.final_for(100).epochs == 180
    assert plan.final_for(7000).epochs == 20
    assert TuningPlan(PLAIN, Recipe(epochs=3)).final_for(10).epochs == 3


@pytest.mark.parametrize(("learned", "rounds"), [(0.0, [20]), (1.1, [20, 40, 80])])
def test_a_network_that_errs_on_its_training_samples_is_trained_on_each_time_twice_as_long(factory, learned, rounds):
    plan, trained, told = replace(CONSTRAINED, rounds=3, learned=learned), [], []

    def one_round(model, recipe):
        trained.append(recipe.epochs)
        return model

    plan.in_rounds(factory.model, factory.train, one_round, told.append)
    assert trained == rounds
    assert [text.rpartition(": ")[2] for text in told] == [f"{epochs} epochs more" for epochs in rounds[1:]]
    assert all("has not learned its training samples (accuracy " in text for text in told)


def test_only_a_network_that_has_hardly_learned_starts_with_a_round_that_no_limit_holds(factory):
    trained, told = [], []

    def one_round(model, recipe):
        trained.append(recipe.epochs)
        return factory.model

    def led_in(model, plan=CONSTRAINED):
        return plan.led_in(model, factory.train, one_round, told.append)

    assert led_in(factory.model) is factory.model
    untrained = wide(24).neurons("c").model()
    assert led_in(untrained, UNCONSTRAINED) is untrained
    assert not trained
    assert led_in(untrained) is factory.model
    assert trained == [CONSTRAINED.final.epochs]
    assert "hardly learned its training samples" in told[0]


def test_a_network_that_has_learned_nothing_learns_before_it_is_held_at_its_budget():
    factory = CandidateFactory(wide(24).neurons("c").model(), samples_of(120, seed=0))
    problem = problem_of(factory, 0.9)
    tuner = Tuner(factory, OnTorch(problem, share=0.6), CONSTRAINED, 0)
    tuner = replace(tuner, plan=replace(CONSTRAINED, plain=Recipe(epochs=1, batch=60, learning_rate=1e-3)))
    finalist = tune_plain(tuner, np.array([0.9, 0.9]), problem.estimator)
    held_at_once = tune_final(tuner, finalist.plain, constraint_for(tuner, finalist.plain))
    led, _ = FinalPhase(finalist, 0.01)(tuner)
    assert finalist.plain.validation.accuracy < 0.5
    assert held_at_once.validation.accuracy < 0.9
    assert led.validation.accuracy > 0.97
    assert 0.9 < led.share(tuner.evaluator.budget_synops) <= 1


def test_further_rounds_hold_a_network_at_its_budget(factory):
    problem = problem_of(factory, 0.8)
    target = OnTorch(problem, share=0.7)
    once, _ = chosen(problem, CONSTRAINED, target)
    more, _ = chosen(problem, replace(CONSTRAINED, rounds=2, learned=1.1), target)
    assert 0.9 * target.budget_synops < more.winner.result.synops_bound <= target.budget_synops
    assert more.winner.result.validation.synops != once.winner.result.validation.synops


def test_the_constraint_brings_a_network_that_was_pruned_too_little_to_its_budget(factory):
    problem = problem_of(factory, 0.8)
    target = OnTorch(problem, share=0.7)
    choice, _ = chosen(problem, CONSTRAINED, target)
    assert choice.tuned[0].plain.synops_bound > target.budget_synops
    assert 0.9 * target.budget_synops < choice.winner.result.synops_bound <= target.budget_synops


def test_a_network_that_keeps_its_budget_anyway_gets_no_constraint(factory):
    problem = problem_of(factory, 0.5)
    target = OnTorch(problem, share=4.0)
    tuner = Tuner(factory, target, CONSTRAINED, 0)
    assert constraint_for(tuner, tune_plain(tuner, np.ones(2), problem.estimator).plain) is None


def test_without_the_constraint_a_network_that_breaks_the_budget_is_made_narrower(factory):
    problem = problem_of(factory, 0.4, factor=0.7)  # an estimator that promises too much
    target = OnTorch(problem)
    choice, tuned = chosen(problem, UNCONSTRAINED, target)
    assert min(one.plain.synops_bound for one in tuned) > problem.budget_synops or choice.repairs
    assert choice.repairs
    assert choice.winner.result.synops_bound <= problem.budget_synops
    assert choice.winner.ratios.sum() <= min(one.ratios.sum() for one in choice.tuned)


def test_a_network_that_is_far_above_its_budget_comes_near_it_with_the_first_step(factory):
    problem = problem_of(factory, 0.2, factor=0.2)
    choice, _ = chosen(problem, UNCONSTRAINED, OnTorch(problem))
    finished = [one for one in choice.tuned if one.final is not None]
    first, closed = finished[0], choice.tuned[-choice.repairs]
    assert first.result.synops_bound > 3 * problem.budget_synops
    assert closed.result.synops_bound < 1.5 * problem.budget_synops
    assert choice.winner.result.synops_bound <= problem.budget_synops


@pytest.mark.parametrize("saved", [0.06, 0.12, 0.25])
def test_a_layer_loses_as_many_channels_as_save_what_is_missing(factory, saved):
    now = Tuner(factory, OnTorch(problem_of(factory, 0.9)), CONSTRAINED, 0).measured(factory.model)
    narrower = _narrower(factory, now, 1.08, saved)
    ratios = narrower.features.keep_ratios
    assert np.sum(ratios < 1) == 1
    assert 0.6 * saved < 1 - narrower.features.recalibrated_synops / factory.dense.synops < 1.6 * saved


@pytest.mark.parametrize("share", [0.55, 0.3, 0.05])
def test_a_fine_tune_that_does_nothing_for_the_budget_is_closed_whatever_is_missing(factory, share):
    weak = TuningPlan(PLAIN, Recipe(epochs=1, batch=16, learning_rate=1e-5))
    problem = problem_of(factory, 0.9)
    target = OnTorch(problem, share=share)
    choice, _ = chosen(problem, weak, target)
    assert choice.repairs
    assert 0 < choice.winner.result.synops_bound <= target.budget_synops
    assert [list(one.ratios) for one in choice.tuned if one.final is not None] == sorted(
        (list(one.ratios) for one in choice.tuned if one.final is not None), reverse=True
    )


def test_where_the_narrowest_network_breaks_the_budget_the_closing_step_ends_with_it(factory):
    problem = problem_of(factory, 0.4)
    target = OnTorch(problem, share=1e-4)
    tuner = Tuner(factory, target, UNCONSTRAINED, 0)
    start = tune_plain(tuner, np.array([0.2, 0.2]), problem.estimator).plain
    *_, last = closing(tuner, start)
    np.testing.assert_array_equal(factory.ratios_of(last.model), factory.smallest)


def test_a_broken_limit_beside_synops_is_closed_too(factory):
    problem = problem_of(factory, 0.9)
    free = OnTorch(problem, share=2.0)
    unlimited_spikes = sum(
        layer.spikes for layer in chosen(problem, UNCONSTRAINED, free)[0].winner.result.validation.layers.values()
    )
    for plan in (UNCONSTRAINED, CONSTRAINED):
        limited = OnTorch(problem, share=2.0, most_spikes=0.8 * unlimited_spikes)
        choice, _ = chosen(problem, plan, limited)
        assert choice.winner.result.share(limited.budget_synops) <= 1


def test_all_finalists_go_through_the_first_phase_and_the_more_accurate_half_through_the_second(factory):
    problem = problem_of(factory, 0.8)
    for ratios in np.random.default_rng(0).uniform(0.2, 1.0, (8, 2)):
        problem.evaluate(ratios)
    choice, _ = chosen(problem, UNCONSTRAINED, OnTorch(problem, share=1.5), count=3)
    through = [one for one in choice.tuned if one.final is not None]
    rest = [one for one in choice.tuned if one.final is None]
    assert len(choice.tuned) in (3, 4)
    assert len(through) == 2
    assert min(one.plain.validation.accuracy for one in through) >= max(one.plain.validation.accuracy for one in rest)
    assert any(one is choice.winner for one in through)


def test_the_uniform_candidate_is_always_a_finalist(factory):
    problem = problem_of(factory, 0.6)
    uniform = problem.evaluate(np.ones(2)).ratios
    choice, _ = chosen(problem, UNCONSTRAINED, OnTorch(problem))
    assert any(np.array_equal(one.ratios, uniform) for one in choice.tuned)


def test_to_choose_is_an_evaluation_only_where_the_uniform_candidate_is_not_known(factory):
    problem = problem_of(factory, 0.6)
    known, weight = list(problem.history), problem.reward.weight
    chosen(problem, UNCONSTRAINED, OnTorch(problem))
    assert (problem.history, problem.reward.weight) == (known, weight)
    fresh = SearchProblem(factory, problem.estimator, problem.budget_synops, unlimited, problem.validation)
    fresh.evaluate(np.array([0.3, 0.9]))
    chosen(fresh, UNCONSTRAINED, OnTorch(fresh))
    assert len(fresh.history) == 2


@pytest.mark.parametrize(("share", "kept"), [(0.4, False), (1.1, True)])
def test_where_nothing_is_projected_the_whole_network_is_a_finalist_only_if_it_keeps_the_limits(factory, share, kept):
    problem = problem_of(factory, share)
    problem.projects = False
    problem.evaluate(np.full(2, 0.4))
    choice, _ = chosen(problem, UNCONSTRAINED, OnTorch(problem, share=3.0))
    assert any(np.array_equal(one.ratios, np.ones(2)) for one in choice.tuned) == kept


def test_a_user_who_wants_to_stop_gets_the_first_network_that_is_finished(factory):
    problem = problem_of(factory, 0.6)
    choice = choose(
        problem,
        Tuner(factory, OnTorch(problem, share=1.5), UNCONSTRAINED, 0, stopped=lambda: True),
        3,
        lambda one: None,
    )
    assert len(choice.tuned) == 1
    assert choice.winner.final is not None


def test_a_user_who_wants_to_stop_has_a_network_closed_and_not_filled_up_to_its_limits_again(factory, monkeypatch):
    monkeypatch.setattr(finalists, "leaves_much", lambda tuner, closed: True)
    weak = TuningPlan(PLAIN, Recipe(epochs=1, batch=16, learning_rate=1e-5))
    problem = problem_of(factory, 0.9)
    tuner = Tuner(factory, OnTorch(problem, share=0.3), weak, 0)
    plain = tune_plain(tuner, np.array([0.8, 0.6]), problem.estimator)
    whole, cut = (finished(replace(tuner, stopped=lambda wish=wish: wish), [plain], 0.01) for wish in (False, True))
    assert (whole.left_out, cut.left_out) == (0, 1)
    assert cut.repairs == whole.repairs - 1 > 0
    assert cut.winner.result.share(tuner.evaluator.budget_synops) <= 1


def test_every_fine_tune_of_a_finalist_tells_when_it_met_nan(factory):
    problem = problem_of(factory, 0.8)
    told = []
    plan = TuningPlan(PLAIN, Recipe(epochs=4, batch=16, learning_rate=1e-2), ascent=AscentConstants(rho=float("inf")))
    choose(problem, Tuner(factory, OnTorch(problem, share=0.5), plan, 0, told.append), 1, lambda one: None)
    assert any("halved" in line for line in told)
    assert "ends with the last finite network" in told[-1]


def test_a_closed_network_is_not_silenced_by_multipliers_that_were_wound_up_before_it_was_narrowed(factory):
    """Far above its budget the constraint pulls ever harder; the narrower network that follows is near it already."""
    problem = problem_of(factory, 0.9)
    target = OnTorch(problem, share=1 / 3)
    plan = TuningPlan(PLAIN, Recipe(epochs=4, batch=16, learning_rate=1e-2))
    choice, _ = chosen(problem, plan, target)
    assert choice.repairs > 2
    assert choice.winner.result.synops_bound <= target.budget_synops
    assert choice.winner.result.validation.accuracy > 0.5  # four classes; 0.25 with the multipliers kept


class BoundInItsTail(OnTorch):
    """A target that SynOps are free on, and their 99th percentile is not."""

    def __init__(self, problem, most):
        super().__init__(problem, share=4.0)
        self.most = most

    def uses(self, model, measured):
        return (use("p99", measured.p99_synops, self.most),)


def test_bringing_a_tail_below_its_limit_does_not_raise_the_mean_towards_its_own(factory):
    """Nobody limits mean SynOps but at what the dense network takes; what leads there would raise the tail again."""
    problem = problem_of(factory, 0.9)
    start = tune_plain(Tuner(factory, OnTorch(problem), CONSTRAINED, 0), np.array([0.8, 0.6]), problem.estimator).plain
    target = BoundInItsTail(problem, 0.95 * start.validation.p99_synops)
    tuner = Tuner(factory, target, CONSTRAINED, 0)
    steps = list(closing(tuner, tuner.measured(start.model)))
    assert steps[-1].validation.p99_synops <= target.most
    assert max(step.validation.synops for step in steps) <= start.validation.synops


class BoundInItsBusiestStep(BoundInItsTail):
    """The same of the busiest time step of all samples."""

    def uses(self, model, measured):
        return (use("step", measured.busiest_step_synops, self.most),)


def held_at_its_tail(factory, most, bound=BoundInItsTail):
    """A network whose tail may be so many times what its first phase leaves, through the second phase."""
    problem = problem_of(factory, 0.9)
    start = tune_plain(Tuner(factory, OnTorch(problem), CONSTRAINED, 0), np.array([0.8, 0.6]), problem.estimator)
    tail = bound(problem, 1.0).uses(start.plain.model, start.plain.validation)[0].used
    target = bound(problem, most * tail)
    tuner = Tuner(factory, target, CONSTRAINED, 0)
    finalist = tune_plain(tuner, start.ratios, problem.estimator)
    constraint = constraint_for(tuner, finalist.plain)
    return target, constraint, tune_final(tuner, finalist.plain, constraint).validation


def test_a_network_near_a_limit_is_held_there_and_not_drawn_up_to_others(factory):
    """It keeps its tail already: without a constraint it might leave it, and its mean has no limit to fill."""
    target, constraint, final = held_at_its_tail(factory, 1.05)
    assert not constraint.fills
    assert final.p99_synops <= target.most
    assert final.synops <= 1.02 * target.most


def test_a_network_above_a_limit_on_its_tail_ends_with_that_limit_used(factory):
    target, _, final = held_at_its_tail(factory, 0.75)
    assert 0.93 * target.most < final.p99_synops <= 1.01 * target.most


def of_all_brightnesses(count, seed):
    """Noisy copies of one image a class, each as bright as may be: a few cause far more spikes than the rest."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 4
    images = torch.rand((4, 3), generator=torch.Generator().manual_seed(9))[labels]
    images = 1.6 * images * torch.rand((count, 1), generator=random) ** 2 + 0.1 * torch.rand(
        (count, 3), generator=random
    )
    return EncodedSplit(SplitName.TRAIN, images.expand(5, count, 3), labels, analog=True)


@pytest.mark.parametrize("most", [0.6, 0.75])
def test_the_busiest_step_of_many_samples_is_held_though_batches_show_that_of_few(most):
    train = of_all_brightnesses(400, seed=0)
    dense = fine_tune(wide(24).neurons("c").model(), train, Recipe(epochs=15, batch=16, learning_rate=1e-2), seed=0)
    target, _, final = held_at_its_tail(CandidateFactory(dense, train), most, BoundInItsBusiestStep)
    assert 0.9 * target.most < final.busiest_step_synops <= target.most
