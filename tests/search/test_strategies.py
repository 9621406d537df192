"""Every strategy on a made-up problem whose best point is known by hand."""

import numpy as np
import pytest
import torch
from made_networks import Chain

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.search import STRATEGIES, CandidateFactory, Evaluation, Prediction, Reward, SearchProblem, Structure
from spear_deploy.search.scouts import NOBODY

SEARCHING = [name for name in STRATEGIES if name != "uniform"]
BEST = np.array([0.9, 0.3, 0.45])
"""Of the made-up problem; its ratios sum to 0.55 x the number of groups, as the problem demands."""


class Bowl(SearchProblem):
    """Ratios are scaled until their mean is 0.55; the reward falls with the square of the distance to `BEST`."""

    def __init__(self, factory):
        self.factory, self.lowest, self.history, self.scouts = factory, 0.05, [], NOBODY
        self.structure, self.budget_synops = Structure(factory, lambda network: ()), 0.55 * factory.dense.synops
        self.best_point = BEST[: self.dimensions] if self.dimensions > 1 else np.array([0.55])

    def evaluate(self, ratios):
        assert np.all(np.isfinite(ratios))
        assert np.all(ratios > 0)
        low, high = 0.0, 1.0 / ratios.min()
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if np.clip(middle * ratios, 0.05, 1).mean() <= 0.55 else (low, middle)
        executed = np.clip(low * ratios, 0.05, 1)
        value = 1.0 - float(((executed - self.best_point) ** 2).sum())
        prediction = Prediction(executed.mean(), executed.mean(), executed.mean())
        self.history.append(Evaluation(executed, value, prediction, (), Reward(value, value, {})))
        return self.history[-1]

    def evaluate_anew(self, ratios):
        return self.evaluate(ratios), True  # no two are the same: nothing is rounded to channels


def factory_of(layers):
    chain = Chain((3,), 2)
    for number in range(layers):
        chain = chain.linear(f"fc{number}", 12).neurons(f"lif{number}")
    model = chain.linear("read", 4).neurons("out").model()
    images = torch.rand((20, 3), generator=torch.Generator().manual_seed(0))
    return CandidateFactory(
        model, EncodedSplit(SplitName.TRAIN, images.expand(5, 20, 3), torch.arange(20) % 4, analog=True)
    )


@pytest.fixture(scope="module")
def three():
    return factory_of(3)


@pytest.fixture(scope="module")
def one():
    return factory_of(1)


def run(name, factory, count, seed=0):
    """What a strategy evaluated, in order."""
    problem, told = Bowl(factory), []
    STRATEGIES[name].run(problem, count, seed, told.append)
    assert [tuple(each.ratios) for each in told] == [tuple(each.ratios) for each in problem.history]
    return problem.history


def values(evaluations):
    return np.array([evaluation.reward.value for evaluation in evaluations])


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("count", [1, 2, 25])
def test_a_strategy_evaluates_exactly_as_often_as_asked(name, count, three):
    assert len(run(name, three, count)) == (1 if name == "uniform" else count)


@pytest.mark.parametrize("name", STRATEGIES)
def test_equal_ratios_are_evaluated_first(name, three):
    np.testing.assert_allclose(run(name, three, 5)[0].ratios, 0.55)


@pytest.mark.parametrize("name", SEARCHING)
def test_a_search_comes_nearer_to_the_best_point_than_equal_ratios_are(name, three):
    for seed in range(1 if STRATEGIES[name].learns else 3):
        found = values(run(name, three, 60, seed))
        assert 1.0 - found.max() <= 0.25 * (1.0 - found[0])


@pytest.mark.parametrize("name", ["evolution", "greedy"])
def test_a_search_that_follows_the_reward_finds_the_best_point(name, three):
    best = max(run(name, three, 150), key=lambda evaluation: evaluation.reward.value)
    np.testing.assert_allclose(best.ratios, BEST, atol=0.03)


def test_ddpg_learns(three):
    """Once the noise has gone, candidates are far better than equal ratios and than the warm-up's random ones."""
    gaps = 1.0 - values(run("ddpg", three, 90))
    assert gaps[-15:].mean() < 0.3 * gaps[1:23].mean()
    assert gaps[-15:].mean() < 0.5 * gaps[0]


def test_ddpg_explores_within_the_ratios_allowed_and_not_at_their_ends(three):
    """AMC's truncated normal: drawn actions do not pile up where a clipped one would."""
    asked = []

    class Listening(Bowl):
        def evaluate(self, ratios):
            asked.append(np.array(ratios))
            return super().evaluate(ratios)

    STRATEGIES["ddpg"].run(Listening(three), 30, 0)
    drawn = np.array(asked[1:])
    assert np.all((drawn > 0.05) & (drawn < 1.0))


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_same_seed_evaluates_the_same_candidates(name, three):
    first = [tuple(evaluation.ratios) for evaluation in run(name, three, 30, seed=5)]
    np.random.seed(123)  # whatever others do with numpy's global generator
    assert [tuple(evaluation.ratios) for evaluation in run(name, three, 30, seed=5)] == first


@pytest.mark.parametrize("name", ["ddpg", "evolution", "random", "agent"])
def test_another_seed_evaluates_other_candidates(name, three):
    first, second = ([tuple(each.ratios) for each in run(name, three, 20, seed)] for seed in (0, 1))
    assert first[0] == second[0]
    assert not set(first[1:]) & set(second[1:])


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_network_with_one_group_can_be_searched(name, one):
    for evaluation in run(name, one, 12):
        np.testing.assert_allclose(evaluation.ratios, 0.55)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_says_nothing(name, three, capfd):
    run(name, three, 25)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_leaves_nothing_in_the_folder_of_temporary_files(name, three, tmp_path, monkeypatch):
    """Stable-Baselines3's own logger would: a folder SB3-<date> a search."""
    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])  # with which torch 2.6 makes a folder of its own
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    run(name, three, 3)
    assert list(tmp_path.iterdir()) == []


def test_evolution_leaves_numpys_global_generator_alone(three):
    before = np.random.get_state()[1].copy()
    run("evolution", three, 20)
    assert np.array_equal(np.random.get_state()[1], before)


class TenPercent:
    """Predicts SynOps after recalibration, and a tenth more or less."""

    name = "made up"
    needs_pruned_synops = False

    def predict(self, features):
        return Prediction(
            features.recalibrated_synops, 0.9 * features.recalibrated_synops, 1.1 * features.recalibrated_synops
        )


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_candidate_of_every_strategy_keeps_the_budget(name, three):
    problem = SearchProblem(three, TenPercent(), 0.5 * three.dense.synops, lambda network: (), three.train)
    STRATEGIES[name].run(problem, 10, 0)
    assert all(evaluation.reward.keeps_limits for evaluation in problem.history)
    assert problem.best(1)[0].reward.value >= problem.history[0].reward.value
