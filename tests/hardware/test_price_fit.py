"""Prices from 0 on, held against hand-made measurements and against a search of another kind."""

import numpy as np
import pytest
from scipy import optimize, stats

from spear_deploy.hardware.price_fit import Counts, fit_prices


def relative_squares(counts, measured, prices):
    """As they are when the fit has come to rest: errors in proportion to what is predicted."""
    predicted = counts.predicted(prices)
    return (((measured - predicted) / predicted) ** 2).sum()


def test_intervals_are_students_t_where_no_price_is_at_0():
    """By hand: one price, measurements over counts of 9, 10 and 11; mean 10, variance 1, each error 10 % of it."""
    fit = fit_prices(Counts(np.array([[1.0], [2.0], [4.0]])), np.array([9.0, 20.0, 44.0]))
    reach = stats.t.ppf(0.975, 2) / np.sqrt(3)
    assert (fit.prices[0], fit.low[0], fit.high[0]) == pytest.approx((10, 10 - reach, 10 + reach), rel=1e-6)


def test_a_price_that_would_be_negative_is_0_and_the_others_are_fitted_without_it():
    """By hand: 3 and -1 solve this; of 0 the first alone is left, and each measurement is 2, 3 and 2.5 times it."""
    counts, measured = Counts(np.array([[1.0, 1.0], [1.0, 0.0], [2.0, 1.0]])), np.array([2.0, 3.0, 5.0])
    fit = fit_prices(counts, measured)
    first = fit_prices(Counts(counts.each[:, :1]), measured).prices[0]
    assert fit.prices == pytest.approx([first, 0.0])
    assert 2 < first < 3
    assert fit.low[1] == 0 < fit.high[1]
    assert (measured / counts.predicted(fit.prices)).mean() == pytest.approx(1)


def test_of_rivals_the_longer_alone_counts():
    """By hand, prices 10 and 3: 30 > 3, 20 > 15, 10 < 60, 10 < 90, beside 2, 4, 3, 1 times 5."""
    each = np.array([[3.0, 1.0, 2.0], [2.0, 5.0, 4.0], [1.0, 20.0, 3.0], [1.0, 30.0, 1.0]])
    fit = fit_prices(Counts(each, (0, 1)), np.array([40.0, 40.0, 75.0, 95.0]))
    assert fit.prices == pytest.approx([10, 3, 5])
    assert fit.told == (True, True, True)
    assert (fit.groups, fit.unseen) == ((), ())


def test_a_rival_that_is_longer_in_no_measurement_is_unseen():
    fit = fit_prices(Counts(np.array([[1.0, 10.0], [1.0, 20.0], [2.0, 50.0]]), (0, 1)), np.array([20.0, 40.0, 100.0]))
    assert (fit.told, fit.unseen, fit.groups) == ((False, True), (0,), ())
    assert fit.prices[1] == pytest.approx(2)


def test_rivals_in_one_proportion_are_not_told_apart():
    fit = fit_prices(Counts(np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]), (0, 1)), np.array([20.0, 40.0, 60.0]))
    assert (fit.told, fit.unseen, fit.groups) == ((False, False), (), ((0, 1),))


@pytest.mark.parametrize("seed", range(6))
def test_no_search_from_many_starts_finds_prices_that_explain_more(seed):
    rng = np.random.default_rng(seed)
    each = np.column_stack([rng.uniform(1, 10, 9), rng.uniform(1, 10, 9), rng.uniform(1, 3, 9)])
    counts = Counts(each, (0, 1))
    measured = counts.predicted(np.array([4.0, 5.0, 2.0])) * (1 + 0.3 * rng.uniform(-1, 1, 9))
    prices = fit_prices(counts, measured).prices
    weight = counts.predicted(prices)

    def squares(given):
        return (((measured - counts.predicted(np.abs(given))) / weight) ** 2).sum()

    starts = [rng.uniform(0, 10, 3) for _ in range(20)]
    found = min(optimize.minimize(squares, start, method="Nelder-Mead", tol=1e-12).fun for start in starts)
    assert relative_squares(counts, measured, prices) <= found * (1 + 1e-6)
