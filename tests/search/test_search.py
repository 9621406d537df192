import re
import warnings
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st
from made_limits import use
from made_networks import Chain, plain

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.pruning import Widths, channel_groups, kept_ranges, parse_keep
from spear_deploy.search import (
    STRATEGIES,
    CandidateFactory,
    Prediction,
    SearchProblem,
    collect_samples,
)
from spear_deploy.search.strategies.agent import ExecutedReplayBuffer
from spear_deploy.search.strategies.environment import PruningEnvironment
from spear_deploy.system.executors import Processes
from spear_deploy.training import Recipe

RECIPE = Recipe(epochs=2, batch=16, learning_rate=1e-2)


def samples_of(count, seed, name=SplitName.TRAIN):
    generator = torch.Generator().manual_seed(seed)
    images, labels = torch.rand((count, 3), generator=generator), torch.arange(count) % 4
    return EncodedSplit(name, images.expand(5, count, 3), labels, analog=True)


class RecalibratedTimes:
    """Predicts SynOps after recalibration times a factor, and a tenth more or less."""

    name = "made up"
    needs_pruned_synops = False

    def __init__(self, factor=1.0):
        self.factor = factor

    def predict(self, features):
        value = self.factor * features.recalibrated_synops
        return Prediction(value, 0.9 * value, 1.1 * value)


def unlimited(network):
    return ()


def most_neurons(allowed):
    """A chip that holds so many neurons."""

    def uses(network):
        neurons = sum(int(np.prod(network.shapes[layer])) for layer in network.layers)
        return (use("neurons", neurons, allowed),)

    return uses


@pytest.fixture(scope="module")
def factory():
    return CandidateFactory(plain().model(), samples_of(40, seed=0))


def problem_of(factory, share=0.5, structural=unlimited, factor=1.0):
    validation = samples_of(30, seed=1, name=SplitName.VALIDATION)
    return SearchProblem(factory, RecalibratedTimes(factor), share * factory.dense.synops, structural, validation)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("seed", range(6))
def test_projection_meets_the_budget_with_the_upper_end_of_the_prediction(factory, share, seed):
    problem = problem_of(factory, share)
    ratios = np.random.default_rng(seed).uniform(0.05, 1.0, 2)
    assert problem.estimator.predict(problem.project(ratios).features).high <= problem.budget_synops


def test_a_network_that_falls_silent_keeps_the_budget(factory):
    problem = problem_of(factory, factor=0.0)
    assert problem.evaluate(np.full(2, 0.3)).limits[0].used == 0


def wide(channels=64):
    return Chain((3,), 2).linear("fc1", channels).neurons("a").linear("fc2", channels).neurons("b").linear("fc3", 4)


def test_a_wide_network_is_narrowed_to_one_channel_a_layer_where_the_chip_demands_it():
    factory = CandidateFactory(wide().neurons("c").model(), samples_of(20, seed=0))
    narrow = problem_of(factory, structural=most_neurons(6)).project(np.array([1.0, 0.5])).model.network
    assert [narrow.shapes[layer] for layer in "abc"] == [(1,), (1,), (4,)]


def test_a_wide_network_is_narrowed_to_one_channel_a_layer_where_the_budget_demands_it():
    factory = CandidateFactory(wide().neurons("c").model(), samples_of(20, seed=0))
    least = factory.smallest
    share = 1.2 * factory.candidate(least).features.recalibrated_synops / factory.dense.synops
    problem = problem_of(factory, share)
    found = problem.project(np.ones(2)).features
    assert problem.estimator.predict(found).high <= problem.budget_synops
    assert found.keep_ratios.min() < 0.05


def test_projection_uses_what_the_budget_grants(factory):
    problem = problem_of(factory, share=0.5)
    found = problem.estimator.predict(problem.project(np.full(2, 0.1)).features).high
    assert found >= 0.6 * problem.budget_synops  # whole channels: the next wider network breaks it


class Wider(RecalibratedTimes):
    """An estimator whose interval grows for narrow networks, faster than they shrink."""

    def predict(self, features):
        value = features.recalibrated_synops
        high = value * (1 + 3 / features.keep_ratios.prod())
        return Prediction(value, 0.0, high)


def test_the_claimed_share_is_monotone_along_every_ray(factory):
    for estimator in (Wider(1.0), RecalibratedTimes(1.0)):
        problem = problem_of(factory, 0.5)
        problem.estimator = estimator
        for seed in range(20):
            ratios = np.random.default_rng(seed).uniform(0.05, 1.0, 2)
            claimed = problem.claims(ratios, np.linspace(0.05, 1.0, 12) / ratios.max())
            assert np.diff(claimed).min() >= 0


def test_a_coarse_step_along_the_ray_is_filled_up_with_channels_of_single_layers():
    factory = CandidateFactory(wide(24).neurons("c").model(), samples_of(40, seed=0))
    for share in (0.3, 0.45, 0.6):
        problem = problem_of(factory, share)
        found = problem.estimator.predict(problem.project(np.ones(2)).features).high
        assert 0.8 * problem.budget_synops <= found <= problem.budget_synops


def test_a_limit_of_the_chip_projects_to_a_smaller_network(factory):
    ratios = np.ones(2)
    free = problem_of(factory, share=1.2).project(ratios).model.network
    small = problem_of(factory, share=1.2, structural=most_neurons(13)).project(ratios).model.network
    assert [free.shapes[layer] for layer in "abc"] == [(9,), (7,), (4,)]
    assert sum(small.shapes[layer][0] for layer in "abc") <= 13
    assert min(small.shapes[layer][0] for layer in "ab") > 1


def test_every_candidate_keeps_the_widths_that_were_asked_for():
    factory = CandidateFactory(wide(32).neurons("c").model(), samples_of(20, seed=0), Widths(minimum=6, multiple=4))
    assert (factory.smallest * 32).tolist() == [8, 8]
    problem = problem_of(factory, share=0.3)
    for ratios in np.random.default_rng(0).uniform(0.05, 1.0, (6, 2)):
        shapes = problem.project(ratios).model.network.shapes
        assert all(shapes[layer][0] % 4 == 0 and shapes[layer][0] >= 8 for layer in "ab")


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("share", [0.15, 0.6])
def test_every_strategy_keeps_the_channels_that_a_user_wants_kept(name, share):
    widths = Widths(ranges=(("a", 12, 12), ("b", 5, 9)))
    factory = CandidateFactory(wide(12).neurons("c").model(), samples_of(20, seed=0), widths)
    problem = problem_of(factory, share)
    STRATEGIES[name].run(problem, 12, seed=1)
    kept = np.array([evaluation.ratios * 12 for evaluation in problem.history]).round()
    assert (kept[:, 0] == 12).all()
    assert ((kept[:, 1] >= 5) & (kept[:, 1] <= 9)).all()
    assert all(problem.project(ratios).model.network.shapes["a"] == (12,) for ratios in (np.ones(2), np.full(2, 0.1)))


@pytest.mark.parametrize("name", STRATEGIES)
@settings(max_examples=6, deadline=None)
@given(
    ends=st.lists(st.tuples(st.integers(5, 100), st.integers(5, 100)), min_size=2, max_size=2),
    share=st.floats(0.1, 0.9),
    seed=st.integers(0, 9),
)
def test_any_shares_that_are_typed_hold_for_every_candidate_of_every_strategy(name, ends, share, seed):
    model = wide(10).neurons("c").model()
    shares = [sorted(each) for each in ends]
    typed = ",".join(f"fc{layer}={low}%-{high}%" for layer, (low, high) in enumerate(shares, 1))
    ranges = kept_ranges(parse_keep(typed), channel_groups(model.network))
    problem = problem_of(CandidateFactory(model, samples_of(12, seed=0), Widths(ranges=ranges)), share)
    STRATEGIES[name].run(problem, 5, seed=seed)
    kept = np.array([evaluation.ratios * 10 for evaluation in problem.history]).round()
    for counts, (low, high) in zip(kept.T, shares, strict=True):
        most = max(high // 10, 1)  # whole channels within the share, or one
        assert ((counts >= min(-(-low // 10), most)) & (counts <= most)).all()


def test_another_process_makes_the_same_sample_of_the_same_widths():
    factory = CandidateFactory(wide(32).neurons("c").model(), samples_of(20, seed=0), Widths(minimum=6, multiple=4))
    here, there = (collect_samples(factory, 1, RECIPE, seed=0, executor=Processes(workers))[0] for workers in (1, 2))
    assert here.synops == there.synops
    assert np.isin(there.features.keep_ratios * 32, range(8, 33, 4)).all()


def test_what_was_evaluated_once_is_not_made_again_but_counts(factory, monkeypatch):
    problem, ratios = problem_of(factory), np.array([0.4, 0.8])
    first = problem.evaluate(ratios)
    monkeypatch.delattr(CandidateFactory, "candidate")
    again = problem.evaluate(first.ratios)
    assert (again.accuracy, again.prediction, again.limits) == (first.accuracy, first.prediction, first.limits)
    assert len(problem.history) == 2


@pytest.mark.parametrize("name", ["evolution", "greedy", "random"])
def test_a_network_that_is_proposed_again_is_no_further_evaluation(name):
    dense = CandidateFactory(wide().neurons("c").model(), samples_of(40, seed=0))
    problem, told = problem_of(dense, 0.6), []
    STRATEGIES[name].run(problem, 20, 0, told.append)
    assert len(problem.history) == len(told) == 20
    assert len({tuple(one.ratios) for one in problem.history}) == 20


def test_a_known_network_is_answered_as_it_was_and_moves_no_weight(factory):
    problem = problem_of(factory)
    first, new = problem.evaluate_anew(np.array([0.9, 0.4]))
    weight = problem.reward.weight
    again, known = problem.evaluate_anew(first.ratios)
    assert (new, known) == (True, False)
    assert (again.accuracy, again.limits, again.prediction) == (first.accuracy, first.limits, first.prediction)
    assert problem.history == [first]
    assert problem.reward.weight == weight


def test_a_search_ends_where_all_that_it_proposes_is_known():
    """Two groups of two channels: there are four networks."""
    chain = wide(2).neurons("c")
    problem = problem_of(CandidateFactory(chain.model(), samples_of(40, seed=0)), 0.9)
    STRATEGIES["greedy"].run(problem, 30, 0)
    assert len(problem.history) == len({tuple(one.ratios) for one in problem.history}) <= 4


def test_an_evaluation_tells_what_was_executed(factory):
    evaluation = problem_of(factory, structural=most_neurons(13)).evaluate(np.array([0.9, 0.9]))
    channels = evaluation.ratios * [9, 7]
    np.testing.assert_allclose(channels, channels.round(), atol=1e-12)
    assert [limit.name for limit in evaluation.limits] == ["SynOps per inference", "neurons"]
    assert evaluation.limits[1].used == channels.sum() + 4
    assert evaluation.limits[0].used == evaluation.prediction.high


def test_the_environment_keeps_gymnasiums_contract(factory):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        check_env(PruningEnvironment(problem_of(factory)), skip_render_check=True)
    advice = re.compile(r"spec=None|not within the range|symmetric and normalized")
    assert [str(each.message) for each in told if not advice.search(str(each.message))] == []


def test_an_episode_sets_one_ratio_a_group_and_ends_with_the_reward(factory):
    problem = problem_of(factory)
    environment = PruningEnvironment(problem)
    environment.reset(seed=0)
    assert environment.observation_space.shape == (12,)
    _, first, done, _, info = environment.step(np.array([0.7], dtype=np.float32))
    assert (first, done, info) == (0.0, False, {})
    _, last, done, _, info = environment.step(np.array([0.3], dtype=np.float32))
    assert done
    assert last == problem.history[-1].reward.value
    assert info["evaluation"] is problem.history[-1]
    np.testing.assert_array_equal(info["episode_actions"], problem.history[-1].ratios)


def test_the_state_tells_the_synops_removed_so_far(factory):
    environment = PruningEnvironment(problem_of(factory))
    before, _ = environment.reset()
    after, *_ = environment.step(np.array([0.5], dtype=np.float32))
    removed, left, last = 9, 10, 11
    layers = factory.dense.layers
    into_b, into_c = layers["b"].synops, layers["c"].synops
    assert (before[removed], before[left], before[last]) == (0, 1, 1)
    assert after[removed] == pytest.approx(0.5 * into_b / (into_b + into_c), rel=1e-5)
    assert after[left] == pytest.approx(into_c / (into_b + into_c), rel=1e-5)
    assert after[last] == 0.5


def test_the_replay_buffer_holds_what_was_executed_with_the_episodes_reward():
    states = gymnasium.spaces.Box(0.0, 1.0, (2,), np.float32)
    buffer = ExecutedReplayBuffer(
        10, states, gymnasium.spaces.Box(0.2, 1.0, (1,), np.float32), device="cpu", baseline_rate=0.5
    )
    seen = [np.full(2, value, dtype=np.float32) for value in (0.1, 0.2, 0.3)]
    said = np.array([[0.9]])
    buffer.add(seen[0][None], seen[1][None], said, np.array([0.0]), np.array([False]), [{}])
    assert buffer.size() == 0
    info = {"episode_states": seen, "episode_actions": np.array([0.2, 0.8])}
    buffer.add(seen[1][None], seen[2][None], said, np.array([0.77]), np.array([True]), [info])
    assert buffer.size() == 2
    np.testing.assert_allclose(buffer.actions[:2, 0, 0], [-1.0, 0.5], atol=1e-6)  # [0.2, 1] as [-1, 1]
    np.testing.assert_allclose(buffer.rewards[:2, 0], 0.77, rtol=1e-6)
    np.testing.assert_array_equal(buffer.dones[:2, 0], [0, 1])
    np.testing.assert_array_equal(buffer.observations[:2, 0], seen[:2])
    np.testing.assert_array_equal(buffer.next_observations[:2, 0], seen[1:])


def test_rewards_are_read_against_their_moving_average():
    states = gymnasium.spaces.Box(0.0, 1.0, (1,), np.float32)
    buffer = ExecutedReplayBuffer(4, states, gymnasium.spaces.Box(0.0, 1.0, (1,), np.float32), baseline_rate=0.5)

    def add(reward):
        info = {"episode_states": [np.zeros(1)] * 2, "episode_actions": np.array([0.5])}
        buffer.add(None, None, None, np.array([reward]), np.array([True]), [info])

    add(0.8)
    assert buffer.sample(8).rewards.unique().tolist() == pytest.approx([0.0], abs=1e-6)
    for _ in range(4):
        add(0.6)
    assert buffer.sample(8).rewards.unique().tolist() == pytest.approx([-0.1], abs=1e-6)  # 0.6 against 0.7
    assert buffer.sample(8).rewards.unique().tolist() == pytest.approx([-0.05], abs=1e-6)


def test_the_best_keep_every_limit_and_differ(factory):
    problem = problem_of(factory)
    for ratios in np.random.default_rng(0).uniform(0.05, 1.0, (12, 2)):
        problem.evaluate(ratios)
    best = problem.best(3)
    assert len({tuple(each.ratios) for each in best}) == len(best) == 3
    assert all(each.prediction.high <= problem.budget_synops for each in best)
    values = [each.reward.value for each in best]
    assert values == sorted(values, reverse=True)


def test_where_none_keeps_the_limits_what_was_told_again_goes_by_what_it_was_told_last(factory):
    problem = problem_of(factory, share=0.01)
    problem.projects = False
    first, second = problem.evaluate(np.array([0.4, 0.4])), problem.evaluate(np.array([1.0, 1.0]))
    assert problem.best(1) == [first]
    worse = replace(first, reward=replace(first.reward, value=second.reward.value - 1))
    assert problem.best(2, worse) == [second, worse]
    assert problem.history == [first, second]


def test_lre_samples_are_measured_after_a_real_fine_tune(factory):
    samples = collect_samples(factory, 4, RECIPE, seed=0)
    again = collect_samples(factory, 4, RECIPE, seed=0)
    assert [each.synops for each in samples] == [each.synops for each in again]
    assert all(each.features.pruned_synops is not None for each in samples)
    assert len({each.synops for each in samples}) == 4
