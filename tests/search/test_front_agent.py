"""One agent for several budgets: what it sees, what its training takes, and what it answers."""

import numpy as np
import pytest
from made_front import WIDTH, factory_of, most_neurons, problems_of

from spear_deploy.errors import SearchError
from spear_deploy.search.strategies import STRATEGIES, AgentConstants, DdpgConstants
from spear_deploy.search.strategies.agent import policy_of, trained_agent
from spear_deploy.search.strategies.front_environment import FrontEnvironment
from spear_deploy.search.strategies.front_state import STATE

EVALUATIONS = 12
ANSWERED = 4
"""Of them, a third."""


@pytest.fixture(scope="module")
def three():
    return factory_of(3)


@pytest.fixture(scope="module")
def trained(three):
    """An agent, and the problems that it was trained on."""
    problems = problems_of(three)
    return STRATEGIES["agent"].trained(problems, EVALUATIONS, 0), problems


def executed(problem):
    return [tuple(each.ratios) for each in problem.history]


def environment_of(problems):
    return FrontEnvironment(problems, np.random.default_rng(0))


def test_every_budget_has_its_turn_equally_often_and_equal_ratios_first(trained):
    _, problems = trained
    assert {len(problem.history) for problem in problems.values()} == {EVALUATIONS - ANSWERED}
    for problem in problems.values():
        assert np.array_equal(problem.history[0].ratios, problem.project(np.ones(3)).features.keep_ratios)


def test_training_and_answer_take_what_other_searches_have(three):
    problems, told = problems_of(three), []
    agent = STRATEGIES["agent"].trained(problems, EVALUATIONS, 1, told.append)
    for problem in problems.values():
        agent.run(problem, EVALUATIONS, 1, told.append)
    assert {len(problem.history) for problem in problems.values()} == {EVALUATIONS}
    assert len(told) == 2 * EVALUATIONS
    assert agent.trained_on.evaluations == 2 * (EVALUATIONS - ANSWERED)
    assert dict(agent.trained_on.groups) == {group.name: WIDTH for group in three.groups}
    assert dict(agent.trained_on.budgets) == pytest.approx({"70%": 0.7, "30%": 0.3})


def test_a_carried_agent_trains_nothing_and_answers_with_its_first_evaluation_after_equal_ratios(trained, three):
    agent, _ = trained
    (problem,) = problems_of(three, shares=(0.45,)).values()
    agent.run(problem, 6, 0)
    asked = environment_of(problems_of(three, shares=(0.45,))).walk("45%", agent.policy)
    assert len(problem.history) == 6
    assert executed(problem)[1] == tuple(asked.ratios)


def test_it_walks_a_network_with_another_number_of_groups(trained):
    agent, _ = trained
    (problem,) = problems_of(factory_of(5), shares=(0.4,)).values()
    agent.run(problem, 4, 0)
    assert len(problem.history) == 4
    assert all(each.reward.keeps_limits for each in problem.history)


def test_the_same_seed_trains_the_same_agent_and_another_one_another(trained, three):
    agent, problems = trained
    again, other = problems_of(three), problems_of(three)
    same = STRATEGIES["agent"].trained(again, EVALUATIONS, 0).policy
    assert all(np.array_equal(a, b) for a, b in zip(agent.policy.weights, same.weights, strict=True))
    assert [executed(each) for each in again.values()] == [executed(each) for each in problems.values()]
    STRATEGIES["agent"].trained(other, EVALUATIONS, 1)
    assert [executed(each) for each in other.values()] != [executed(each) for each in problems.values()]


def test_its_arrays_answer_as_stable_baselines_does(three):
    agent = trained_agent(environment_of(problems_of(three)), DdpgConstants(), 4, 0)
    policy = policy_of(agent, 0.05)
    for state in np.random.default_rng(0).random((20, len(STATE)), np.float32):
        assert policy(state) == pytest.approx(agent.predict(state, deterministic=True)[0].item(), abs=1e-5)


def test_it_sees_which_budget_is_asked(three):
    environment = environment_of(problems_of(three, shares=(1.0, 0.1, 0.01)))
    states = [environment.ask(name) for name in ("100%", "10%", "1%")]
    assert [state[-2] for state in states] == pytest.approx([1.0, 0.5, 0.0])
    assert len({tuple(state[:-2]) for state in states}) == 1


@pytest.mark.parametrize("decided", [(1.0, 1.0), (0.5, 1.0), (0.25, 0.75)])
def test_it_sees_how_wide_a_group_may_be_on_the_chip(three, decided):
    """Against every width of the group, with later groups of one neuron."""
    allowed = 22
    environment = environment_of(problems_of(three, neurons=allowed))
    environment.ask("70%")
    for at in range(3):
        before = decided[:at]
        widths = [
            width / WIDTH
            for width in range(1, WIDTH + 1)
            if not most_neurons(allowed)(
                three.pruned_network(np.array([*before, width / WIDTH, *[1 / WIDTH] * (2 - at)]))
            )[0].overshoot
        ]
        seen = environment.state(np.array([*before, *[1.0] * (3 - at)]), at)[-1]
        assert seen == pytest.approx(max(widths, default=1 / WIDTH))


def test_with_few_evaluations_nothing_is_left_for_moves_and_none_is_too_many(three):
    for count in (1, 2, 4):
        (problem,) = problems_of(three, shares=(0.5,)).values()
        STRATEGIES["agent"].run(problem, count, 0)
        assert len(problem.history) == count


@pytest.mark.parametrize(
    "wrong",
    [{"moves_per_group": -1}, {"answered_share": 1.0}, {"answered_share": float("nan")}, {"answered_share": -0.1}],
)
def test_constants_of_the_agent_out_of_range_are_refused(wrong):
    with pytest.raises(SearchError, match="greedy moves for each group are 0 or more"):
        AgentConstants(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"tau": 1.5}, {"noise": 0.0}, {"actor_rate": float("nan")}, {"hidden": 0}, {"warm_up_share": -0.1}]
)
def test_constants_of_ddpg_out_of_range_are_refused_by_name(wrong):
    ((name, _),) = wrong.items()
    with pytest.raises(SearchError, match=f"found {name}"):
        DdpgConstants(**wrong)
