import math

import numpy as np
import pytest
from scipy import stats

from spear_deploy.search.bounds import (
    RISK,
    closing_risk,
    largest_bound,
    margin,
    p99_bound,
    prediction_bound,
    samples_for,
    shared_risk,
)

DRAWS = 4000


def over(draw, measured, ahead, risk=RISK, seed=0):
    """How often a budget equal to the bound is broken by the mean of the split ahead."""
    rng = np.random.default_rng(seed)
    broken = 0
    for _ in range(DRAWS):
        bound = prediction_bound(draw(rng, measured), ahead, risk)
        broken += draw(rng, ahead).mean() > bound
    return broken / DRAWS


def normal(rng, count):
    return rng.normal(100.0, 20.0, count)


def bimodal(rng, count):
    return rng.choice([60.0, 140.0], count) + rng.normal(0.0, 5.0, count)


def skewed(rng, count):
    return rng.lognormal(0.0, 0.5, count)


def most(nominal):
    """The upper end of what `DRAWS` draws may show of a nominal rate, at one in 10,000."""
    return stats.binom.ppf(0.9999, DRAWS, nominal) / DRAWS


@pytest.mark.parametrize("measured", [5, 20, 100, 300, 1000])
@pytest.mark.parametrize("ahead", [20, 400])
def test_a_budget_kept_by_the_bound_is_broken_ahead_as_rarely_as_promised(measured, ahead):
    assert over(normal, measured, ahead) <= most(RISK)


@pytest.mark.parametrize("measured", [20, 100, 1000])
def test_the_promise_holds_for_two_humps_as_well(measured):
    assert over(bimodal, measured, 200) <= most(RISK)


def test_a_long_tail_costs_some_of_the_promise_where_samples_are_few():
    """Skew is what Student's t does not know: with 20 samples 1 % are up to 5, from 300 on below 2."""
    assert over(skewed, 20, 200) <= 0.05
    assert over(skewed, 300, 200) <= 0.02


def test_the_bound_is_the_quantile_that_it_says_and_not_a_wider_one():
    assert over(normal, 100, 400, risk=0.1) == pytest.approx(0.1, abs=0.02)


def test_the_best_of_several_on_the_same_samples_keeps_the_promise():
    """Four networks, each of which passes by luck now and then: one that passes is taken."""
    rng = np.random.default_rng(1)
    networks, broken = 4, 0
    for _ in range(DRAWS):
        each = [rng.normal(100.0, 20.0, 100) for _ in range(networks)]
        budget = 100.0 + 20.0 * stats.norm.ppf(0.99) * math.sqrt(1 / 100 + 1 / 400)
        passing = [one for one in each if prediction_bound(one, 400, shared_risk(networks)) <= budget]
        broken += bool(passing) and rng.normal(100.0, 20.0 / math.sqrt(400)) > budget
    assert broken / DRAWS <= most(RISK)


def test_all_risks_together_are_no_more_than_one_percent():
    assert 3 * shared_risk(3) + sum(closing_risk(step) for step in range(1, 1000)) <= RISK


def test_a_single_sample_bounds_nothing():
    assert prediction_bound(np.array([3.0]), 100) == math.inf


def test_the_number_of_samples_that_a_margin_needs_gives_that_margin():
    each = np.random.default_rng(0).normal(100.0, 30.0, 30)
    needed = samples_for(each, 1000, 0.05)
    assert needed is not None
    scaled = np.resize(each, needed)
    assert margin(scaled, 1000) == pytest.approx(0.05, rel=0.1)
    assert samples_for(each, 5, 0.01) is None
    assert samples_for(each[:1], 100, 0.05) is None


@pytest.mark.parametrize(("measured", "ahead"), [(30, 30), (300, 400), (32, 1000)])
def test_the_largest_of_the_samples_ahead_stays_within_its_bound(measured, ahead):
    rng = np.random.default_rng(4)
    kept = 0
    for _ in range(1000):
        each = rng.normal(100, 10, measured + ahead)
        bound = largest_bound(each[:measured], ahead)
        assert bound >= each[:measured].max()
        kept += each[measured:].max() <= bound
    assert kept >= 985


def test_of_one_sample_and_of_equal_ones_the_largest_is_all_that_is_known():
    assert largest_bound(np.array([7.0]), 100) == 7
    assert largest_bound(np.full(20, 7.0), 100) == 7


@pytest.mark.parametrize(("measured", "ahead"), [(30, 30), (300, 400), (32, 1000), (300, 10_000)])
def test_the_99th_percentile_of_the_samples_ahead_stays_within_its_bound_and_that_is_no_wider_than_it_must_be(
    measured, ahead
):
    rng = np.random.default_rng(5)
    draws = 1500 if ahead < 1000 else 500
    each = rng.normal(100, 10, (draws, measured + ahead))
    bounds = np.array([p99_bound(one, ahead) for one in each[:, :measured]])
    seen, found = (np.sort(part)[:, int(np.ceil(0.99 * part.shape[1])) - 1] for part in np.split(each, [measured], 1))
    assert 0.98 <= (found <= bounds).mean() <= 0.999
    assert (found <= seen).mean() < 0.75, "what was measured alone promises nothing"


@pytest.mark.parametrize(("measured", "least"), [(300, 0.93), (1500, 0.98)])
def test_a_tail_that_is_longer_than_a_normal_one_keeps_the_bound_as_far_as_samples_can_promise(measured, least):
    """300 samples promise 94 % of the 99th percentile of 400: 1 - (400 / 700)^5 by which five lie above the largest."""
    each = np.random.default_rng(6).exponential(size=(1500, measured + 400))
    bounds = np.array([p99_bound(one, 400) for one in each[:, :measured]])
    found = np.sort(each[:, measured:])[:, 395]
    assert (found <= bounds).mean() >= least
    assert all(bound in one[:measured] for bound, one in zip(bounds, each, strict=True)), "a measured sample bounds it"


def test_of_one_sample_and_of_equal_ones_the_99th_percentile_is_all_that_is_known():
    assert p99_bound(np.array([7.0]), 100) == 7
    assert p99_bound(np.full(20, 7.0), 100) == 7
