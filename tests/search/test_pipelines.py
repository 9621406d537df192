import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_limits import use
from made_networks import Chain, plain
from made_task import CLASSES, STEPS, write_task

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.errors import SearchError
from spear_deploy.hardware import load_profile, parse_budgets
from spear_deploy.jobs.deploy import searching
from spear_deploy.jobs.deploy.deploy import run
from spear_deploy.jobs.deploy.prepare import prepare
from spear_deploy.jobs.deploy.request import DEFAULT_PLAN, DeployConfig, DeployRequest
from spear_deploy.jobs.deploy.search import solve
from spear_deploy.jobs.progress import Clock, Silent
from spear_deploy.measure import measure_split
from spear_deploy.pruning import channel_groups, choose_channels, prune
from spear_deploy.report.checks import PLAIN, predictions
from spear_deploy.search import (
    CandidateFactory,
    Prediction,
    SearchProblem,
    TarConstants,
    TargetAwareReward,
    TuningPlan,
    finalists,
)
from spear_deploy.search import candidate as candidates
from spear_deploy.search import problem as problem_module
from spear_deploy.search.pipelines import PIPELINES, pipeline_named
from spear_deploy.training import Recipe


def test_spear_takes_predictions_at_their_value_and_we_at_their_upper_end():
    prediction = Prediction(10.0, 8.0, 13.0)
    assert pipeline_named("spear").claim(prediction) == 10
    assert pipeline_named("spear+").claim(prediction) == 13


def test_spear_is_another_spelling_of_its_pipeline_with_ddpg():
    config = DeployConfig(strategy="spear")
    assert (config.pipeline, config.strategy, config.plan) == ("spear", "ddpg", PIPELINES["spear"].plan)


def test_ours_is_the_default():
    config = DeployConfig()
    assert (config.pipeline, config.strategy, config.plan) == ("spear+", "greedy", DEFAULT_PLAN)


def test_where_only_the_reward_draws_to_the_budget_ddpg_searches_unless_another_is_named():
    assert DeployConfig(projection=False).strategy == "ddpg"
    assert DeployConfig(pipeline="spear").strategy == "ddpg"
    assert DeployConfig(pipeline="spear", strategy="evolution").strategy == "evolution"


def test_an_unknown_strategy_is_refused_with_those_that_are_known():
    with pytest.raises(SearchError, match=r"'evolve'.*ddpg, evolution, greedy, random, uniform, agent, spear"):
        DeployConfig(strategy="evolve")


def test_an_unknown_pipeline_is_refused_with_those_that_are_known():
    with pytest.raises(SearchError, match=r"'amc'; known: spear\+, spear"):
        DeployConfig(pipeline="amc")


@pytest.mark.parametrize(
    ("name", "values"),
    [("prune_multiple", [math.inf, math.nan, 0.9]), ("distillation", [math.inf, math.nan, -0.1, 1.1])],
)
def test_a_plan_of_numbers_that_mean_nothing_is_refused_by_name(name, values):
    for value in values:
        with pytest.raises(SearchError, match=f"`plan.{name}` is a .* found {value:g}"):
            TuningPlan(**{name: value})


@pytest.mark.parametrize(
    ("targets", "finalists", "slots", "sooner"),
    [
        (4, 3, 1, False),  # 4 and then 2 fine-tunes a target: one process does 24 one way or the other
        (3, 3, 2, False),  # 3 x (2 + 1) rounds one after the other, 2 x 6 side by side
        (4, 3, 2, False),  # 12 rounds either way: results come one by one
        (2, 1, 2, True),  # 2 and then 1: 2 x (1 + 1) rounds, or 3
        (6, 3, 16, True),  # 6 x (1 + 1) rounds, or 6
        (2, 3, 16, False),
        (1, 3, 16, False),
    ],
)
def test_targets_go_side_by_side_where_that_takes_fewer_rounds_of_fine_tunes(targets, finalists, slots, sooner):
    assert PIPELINES["spear+"].targets_side_by_side(targets, finalists, slots) == sooner


def test_spear_takes_no_second_phase():
    with pytest.raises(SearchError, match="one plain fine-tune"):
        DeployConfig(pipeline="spear", plan=TuningPlan(Recipe(), Recipe(), constrained=False))


def test_uniform_has_nothing_to_do_where_nothing_is_projected():
    for without in ({"pipeline": "spear"}, {"projection": False}):
        with pytest.raises(SearchError, match="'uniform'"):
            DeployConfig(strategy="uniform", **without)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_task(tmp_path_factory.mktemp("task"))


RECIPE = Recipe(epochs=2, batch=16, learning_rate=5e-3)
SHORT = TuningPlan(plain=Recipe(4, 16, 0.05, optimiser="sgd", warm_up=0.05), final=Recipe(epochs=0), constrained=False)


def requested(model, out, evaluations=24):
    return DeployRequest(
        model=model,
        targets=(load_profile("loihi2"),),
        out=out,
        budgets=parse_budgets(["40%"]),
        lre_samples=8,
        lava=False,
        pipeline="spear",
        plan=SHORT,
        evaluations=evaluations,
    )


def never(*args, **kwargs):
    raise AssertionError("SPEAR does not do this")


@pytest.fixture(scope="module")
def spear(model, tmp_path_factory):
    """What SPEAR's pipeline prepares and finds, while nothing may project, recalibrate, constrain, close or choose."""
    request = requested(model, tmp_path_factory.mktemp("run"))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_projected", "_filled", "project"):
            patch.setattr(SearchProblem, name, never)
        patch.setattr(candidates, "recalibrate", never)
        for name in ("tune_final", "closing", "constraint_for"):
            patch.setattr(finalists, name, never)
        patch.setattr(searching, "anchored", never)
        prepared = prepare(request, Silent())
        return prepared, solve(prepared.targets[0], request, prepared, Clock(Silent()))


def test_spear_delivers_one_network_fine_tuned_once(spear):
    _, pruned = spear
    assert [one.final for one in pruned.choice.tuned] == [None]
    assert pruned.choice.repairs == 0


def test_spear_walks_beyond_the_budget_and_is_punished_for_it(spear):
    _, pruned = spear
    over = [one for one in pruned.problem.history if not one.reward.keeps_limits]
    assert len(over) > 1
    assert all(one.reward.value < one.accuracy for one in over)


def test_spear_rewards_the_accuracy_right_after_pruning(spear):
    prepared, pruned = spear
    dense, one = prepared.factory.model, pruned.problem.history[-1]
    groups = [group for group in channel_groups(dense.network) if group.prunable]
    kept = choose_channels(dense.network, groups, dict(zip((g.name for g in groups), one.ratios, strict=True)))
    cut = dense.with_graph(prune(dense.network, channel_groups(dense.network), kept))
    assert one.accuracy == measure_split(cut, prepared.task.validation).accuracy


def test_spear_predicts_by_least_squares_on_synops_right_after_pruning(spear):
    prepared, pruned = spear
    x = [sample.features.pruned_synops for sample in prepared.samples]
    slope, intercept = np.polyfit(x, [sample.synops for sample in prepared.samples], 1)
    winner = pruned.choice.winner
    assert winner.prediction.value == pytest.approx(slope * winner.features.pruned_synops + intercept)


def test_the_reward_decides_and_not_the_limit(spear):
    _, pruned = spear
    problem = pruned.problem
    values = [
        one.accuracy - sum(problem.reward.weight * use.overshoot for use in one.limits) for one in problem.history
    ]
    assert np.array_equal(pruned.choice.winner.ratios, problem.history[int(np.argmax(values))].ratios)


def test_a_run_of_spear_that_overshoots_delivers_its_network_and_is_not_ok(model, tmp_path, monkeypatch):
    """A reward to which overshoot costs nothing takes a network far above the budget."""
    free = TargetAwareReward(TarConstants(weight=0.0, lowest=0.0, highest=0.0))
    monkeypatch.setattr(problem_module, "TargetAwareReward", lambda: free)
    (written,) = run(requested(model, tmp_path / "out", evaluations=4), Silent()).written.values()
    report = written.report
    assert report.measured[report.verdict.basis].synops > report.budget.synops
    assert (report.verdict.within_budget, report.verdict.ok, report.repairs) == (False, False, 0)
    assert (tmp_path / "out" / "pruned.pt").is_file()
    assert report.lre.claimed == report.lre.predicted  # it promises the value, not the end of the interval
    assert {row.network for row in predictions(report)} == {PLAIN}  # one network, one interval


def most_neurons(allowed):
    """A chip that holds so many neurons."""

    def uses(network):
        return (use("neurons", sum(int(np.prod(network.shapes[layer])) for layer in network.layers), allowed),)

    return uses


@pytest.mark.parametrize("seed", range(5))
def test_each_ratio_is_bounded_by_what_is_left_where_later_groups_are_narrowest(seed):
    """Against trying every width of every group in turn."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand((5, 40, 3), generator=generator)
    factory = CandidateFactory(
        plain().model(), EncodedSplit(SplitName.TRAIN, inputs, torch.arange(40) % 4, analog=True)
    )
    chip = most_neurons(sum(group.size for group in factory.groups) // 2 + 4)
    problem = SearchProblem(factory, None, 1.0, chip, factory.train, projects=False)
    wanted = factory.executed(np.random.default_rng(seed).uniform(0.4, 1.0, len(factory.groups)))
    expected = wanted.copy()
    for place, group in enumerate(factory.groups):
        widths = [count / group.size for count in range(1, group.size + 1) if count / group.size <= wanted[place]]
        ahead = [
            factory.executed([*expected[:place], width, *factory.smallest[place + 1 :]]) for width in reversed(widths)
        ]
        fitting = [each for each in ahead if not chip(factory.pruned_network(each))[0].overshoot]
        expected[place] = fitting[0][place]
    assert np.allclose(problem.bounded(wanted), expected)


def test_where_one_layer_can_be_pruned_there_is_nothing_to_search(tmp_path):
    """Of two layers the second holds the classes: one group is left; one network is looked at."""
    network = (
        Chain((1, 6, 6), seed=1).flatten().linear("fc1", 16).neurons("lif1").linear("fc2", CLASSES).neurons("lif2")
    )
    model = write_task(tmp_path, network.model(STEPS, data="samples.npz"))
    told = []
    progress = Silent()
    progress.notice = told.append
    request = replace(requested(model, tmp_path / "out"), pipeline="spear+", plan=TuningPlan(RECIPE, RECIPE))
    prepared = prepare(request, progress)
    pruned = solve(prepared.targets[0], request, prepared, Clock(progress))
    assert len({tuple(one.ratios) for one in pruned.problem.history}) == 1
    assert any("only the channels of lif1 can be pruned: there is nothing to search" in each for each in told)
