"""The simulation of the judging judges as the product does."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.judging import DISTRIBUTIONS, at_its_bound, bounds, whole
from spear_deploy.search.bounds import RISK, prediction_bound

TRIALS = 2000
MOST = stats.binom.ppf(0.9999, TRIALS, RISK) / TRIALS


def test_bounds_of_many_splits_are_those_of_each():
    each = np.random.default_rng(0).lognormal(size=(3, 36))
    found = bounds(each, 100, [0.01, 0.002])
    for place, risk in enumerate([0.01, 0.002]):
        assert found[place] == pytest.approx([prediction_bound(one, 100, risk) for one in each])


@pytest.mark.parametrize("judged", [at_its_bound, whole])
def test_with_36_normal_samples_finalists_and_closing_steps_together_break_no_more_than_promised(judged):
    assert judged(DISTRIBUTIONS["normal, 15 %"], 36, 100, TRIALS, np.random.default_rng(1)) <= MOST


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_made_up_distribution_has_a_mean_near_one(name):
    assert DISTRIBUTIONS[name](np.random.default_rng(0), (200_000,)).mean() == pytest.approx(1.0, abs=0.01)
