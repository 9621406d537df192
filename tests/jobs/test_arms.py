import pytest

from spear_deploy.errors import SearchError
from spear_deploy.jobs.deploy.request import DEFAULT_STRATEGY
from spear_deploy.search import STRATEGIES, Prediction
from spear_deploy.search.pipelines import ARMS, arm_named


def test_the_papers_pipeline_is_ddpg_on_one_line_without_a_constraint():
    arm = arm_named("spear")
    assert (arm.strategy, arm.estimator, arm.constrained) == ("ddpg", "linear", False)


def test_the_paper_takes_predictions_at_their_value_and_we_at_their_upper_end():
    prediction = Prediction(10.0, 8.0, 13.0)
    assert arm_named("spear").claim(prediction) == 10
    assert arm_named("ddpg").claim(prediction) == 13


def test_every_arm_has_a_strategy_and_every_strategy_an_arm():
    assert {arm.strategy for arm in ARMS.values()} == set(STRATEGIES)
    assert DEFAULT_STRATEGY in ARMS


def test_an_unknown_strategy_is_refused_with_those_that_are_known():
    with pytest.raises(SearchError, match=r"'evolve'.*ddpg, evolution, greedy, random, uniform, spear"):
        arm_named("evolve")
