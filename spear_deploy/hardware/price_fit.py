"""Prices from 0 on that explain measurements best, what tells each of them, and how far it may be from that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Array = NDArray[np.float64]

_CONFIDENCE = 0.95
_PASSES = 30
_ROUNDING = 1e-18
"""Of a squared relative error: exact measurements leave as much."""

_Law = tuple[Array, Array]
"""Measurements as sums of few unknowns, `[measurements, unknowns]`, and prices of those, `[prices, unknowns]`."""


@dataclass(frozen=True)
class Counts:
    """What measurements are made of.

    Attributes:
        each: how much of each price a measurement holds, `[measurements, prices]`.
        rivals: two prices of which the larger product alone counts, as of two things that go on side by side; or None.

    """

    each: Array
    rivals: tuple[int, int] | None = None

    def predicted(self, prices: Array) -> Array:
        """Measurements by these prices."""
        parts = self.each * prices
        whole: Array = parts.sum(1)
        return whole if self.rivals is None else whole - parts[:, self.rivals].min(1)

    def waited_for(self, prices: Array) -> Array:
        """`each` without what counts nothing by these prices; where both rivals count, a measurement is there twice."""
        if self.rivals is None:
            return self.each
        first, second = self.rivals
        one, other = self.each[:, first] * prices[first], self.each[:, second] * prices[second]
        near = 1e-9 * np.maximum(one, other)
        found = []
        for rows, dropped in ((one >= other - near, second), (other >= one - near, first)):
            kept = self.each[rows]
            kept[:, dropped] = 0
            found.append(kept)
        return np.concatenate(found)

    def laws(self) -> list[_Law]:
        """Every division of the measurements between the rivals that prices can bring about, each a linear law; then
        those at whose border one measurement counts both.
        """
        same = np.eye(self.each.shape[1])
        if self.rivals is None:
            return [(self.each, same)]
        first, second = self.rivals
        borders = self.borders()
        between = np.sqrt(borders[1:] * borders[:-1])
        ends = [borders[0] / 2, borders[-1] * 2] if len(borders) else [1.0]
        laws = []
        for ratio in (*ends, *between):
            design = self.each.copy()
            longer = design[:, first] * ratio > design[:, second]
            design[longer, second] = 0
            design[~longer, first] = 0
            laws.append((design, same))
        for ratio in borders:
            prices, design = same.copy(), self.each.copy()
            prices[first] = ratio * prices[second]
            design[:, second] = np.maximum(design[:, first] * ratio, design[:, second])
            laws.append((np.delete(design, first, axis=1), np.delete(prices, first, axis=1)))
        return laws

    def borders(self) -> Array:
        """Ratios of the first rival's price to the second's at which a measurement counts both."""
        if self.rivals is None:
            return np.zeros(0)
        one, other = self.each[:, self.rivals].T
        both = (one > 0) & (other > 0)
        return np.unique(other[both] / one[both])


@dataclass(frozen=True)
class Fit:
    """Prices that explain measurements best.

    Attributes:
        prices: from 0 on.
        low, high: 95 % interval of each that is told, else not a number.
        told: which ones the measurements determine.
        groups: of the others, those of which only a sum (of rivals, the longer) is determined.
        unseen: rivals that count in no measurement, because the other takes longer in all.

    """

    prices: Array
    low: Array
    high: Array
    told: tuple[bool, ...]
    groups: tuple[tuple[int, ...], ...]
    unseen: tuple[int, ...]


def fit_prices(counts: Counts, measured: Array) -> Fit:
    """Least squares over prices from 0 on, errors in proportion to the fitted values.

    At its end the mean of measured over fitted is 1. An interval holds every price beside which the others can
    still explain the measurements: the sum of squares rises by no more than Student's t squared times the variance of
    the errors. Where no price is at 0 that is the usual interval of Student's t.
    """
    scale = np.linalg.norm(counts.each / measured[:, None], axis=0)
    scaled = Counts(counts.each / scale, counts.rivals)
    fitted = measured
    for _ in range(_PASSES):
        weighted, target = Counts(scaled.each / fitted[:, None], counts.rivals), measured / fitted
        laws = weighted.laws()
        least, prices = _best(weighted, laws, target)
        before, fitted = fitted, np.maximum(scaled.predicted(prices), 0.05 * measured)
        if np.allclose(before, fitted, rtol=1e-9, atol=0):
            break
    groups, unseen = _not_told(weighted, prices)
    told = tuple(not any(at in each for each in (*groups, unseen)) for at in range(len(prices)))
    freedom = len(measured) - (len(prices) - len(groups) - len(unseen))
    reach = float(special.stdtrit(freedom, 0.5 + _CONFIDENCE / 2))
    limit = least * (1 + reach**2 / freedom) + _ROUNDING * len(measured)
    low, high = np.full((2, len(prices)), np.nan)
    for at in np.flatnonzero(told):

        def beyond(price: float, at: int = int(at)) -> float:
            return _best(weighted, laws, target, at, price)[0] - limit

        low[at], high[at] = _reach(beyond, float(prices[at]))
    return Fit(prices / scale, low / scale, high / scale, told, groups, unseen)


def _best(counts: Counts, laws: Sequence[_Law], target: Array, at: int = -1, price: float = 0.0) -> tuple[float, Array]:
    """The least sum of squares and its prices; with the price `at` held at `price` where one is named.

    The best prices are the best of one of the laws: within a division the law is linear, and where the best lies on
    a border its own law finds it.
    """
    least, best = np.inf, np.zeros(counts.each.shape[1])
    for design, prices_of in laws:
        unknowns = np.zeros(design.shape[1])
        free = np.ones(len(unknowns), dtype=bool)
        if at >= 0:
            holds = int(np.flatnonzero(prices_of[at])[0])
            unknowns[holds], free[holds] = price / prices_of[at, holds], False
        if free.any():
            unknowns[free], _ = optimize.nnls(design[:, free], target - design @ unknowns, maxiter=1000)
        prices = prices_of @ unknowns
        squares = float(((counts.predicted(prices) - target) ** 2).sum())
        if squares < least * (1 - 1e-9) - _ROUNDING:  # of laws that explain as well, the first
            least, best = squares, prices
    return least, best


def _reach(beyond: Callable[[float], float], best: float) -> tuple[float, float]:
    """How far down and up a price may be, where `beyond` is above 0 outside."""
    low = optimize.brentq(beyond, 0.0, best, rtol=1e-9) if best > 0 and beyond(0.0) > 0 else 0.0
    high = 2 * best if best > 0 else 1e-6
    while beyond(high) <= 0:
        high *= 2
        if high > 1e30:
            return low, np.inf
    return low, optimize.brentq(beyond, best, high, rtol=1e-9)


def _not_told(counts: Counts, prices: Array) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]:
    """Prices that only a sum of is determined, in groups, and rivals that count nowhere."""
    design = counts.waited_for(prices)
    sizes = np.linalg.norm(design, axis=0)
    unseen = tuple(np.flatnonzero(sizes == 0).tolist())
    borders = counts.borders()
    if unseen and counts.rivals is not None and np.allclose(borders, borders[:1], rtol=1e-6, atol=0):
        return (counts.rivals,), ()
    seen = np.flatnonzero(sizes)
    _, found, directions = np.linalg.svd(design[:, seen] / sizes[seen], full_matrices=True)
    full = np.zeros(len(seen))
    full[: len(found)] = found
    free = directions[full < 1e-6 * full.max()]
    return tuple(tuple(seen[np.abs(each) >= 1e-6].tolist()) for each in free), unseen
