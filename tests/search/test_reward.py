import math

import pytest
from made_limits import use

from spear_deploy.errors import SearchError
from spear_deploy.search import TarConstants, TargetAwareReward

KEPT = use("synops", 100, 100)
OVER = use("synops", 125, 100)
CORES = use("cores", 3, 2)


def test_a_kept_limit_costs_nothing():
    reward = TargetAwareReward()(0.9, [KEPT, use("cores", 0, 0)])
    assert reward.value == reward.accuracy == 0.9
    assert reward.keeps_limits


def test_every_broken_limit_costs_its_relative_overshoot():
    reward = TargetAwareReward(TarConstants(weight=2.0))(0.9, [OVER, CORES, KEPT])
    assert reward.value == pytest.approx(0.9 - 2.0 * (0.25 + 0.5))
    assert not reward.keeps_limits


def test_an_r2_below_0_never_outweighs_what_limits_cost_and_keeps_its_order():
    tar = TargetAwareReward(TarConstants(weight=2.0))
    values = [tar.now(score, [KEPT]).value for score in (-1e9, -5.0, -0.1, 0.0, 0.3, 1.0)]
    assert values == sorted(set(values))
    assert values[0] > -1
    assert values[3:] == [0.0, 0.3, 1.0]
    assert tar.now(0.9, [CORES]).value < values[4]


def test_the_weight_grows_while_limits_are_broken_and_sinks_while_they_are_kept():
    tar = TargetAwareReward(TarConstants(weight=2.0, step=0.1, broken_share=0.2))
    tar(0.9, [OVER])
    assert tar.weight == pytest.approx(2.0 * math.exp(0.1 * 0.8))
    tar(0.9, [KEPT])
    assert tar.weight == pytest.approx(2.0 * math.exp(0.1 * 0.8) * math.exp(-0.1 * 0.2))


def test_the_weight_rests_at_the_share_of_broken_limits_that_is_accepted():
    tar = TargetAwareReward(TarConstants(weight=2.0, broken_share=0.2))
    for _ in range(10):
        for limit in (OVER, KEPT, KEPT, KEPT, KEPT):
            tar(0.9, [limit])
    assert tar.weight == pytest.approx(2.0)


@pytest.mark.parametrize(("limit", "bound"), [(OVER, 20.0), (KEPT, 0.5)])
def test_the_weight_stays_between_its_bounds(limit, bound):
    tar = TargetAwareReward()
    for _ in range(1000):
        tar(0.9, [limit])
    assert tar.weight == bound


@pytest.mark.parametrize(
    "wrong",
    [
        {"weight": -1.0, "lowest": -2.0},
        {"weight": 0.1},
        {"weight": math.nan},
        {"weight": 30.0},
        {"highest": math.inf},
        {"step": -0.1},
        {"step": math.inf},
        {"broken_share": 1.5},
    ],
)
def test_constants_out_of_their_range_are_refused(wrong):
    with pytest.raises(SearchError, match="TAR's"):
        TarConstants(**wrong)
