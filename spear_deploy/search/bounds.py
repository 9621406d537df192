"""What a mean on samples that were measured promises of a mean on samples that were not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import special

from spear_deploy.hardware import Over

RISK = 0.01
"""How often, at most, a network that keeps a budget by its bound may break it on the split ahead."""

FEWEST = 2
"""Samples that have a spread at all."""


def prediction_bound(each: NDArray[np.float64], ahead: float, risk: float = RISK) -> float:
    """Upper bound of the mean of `ahead` further samples, from the mean of those measured, `[N]`.

        mean + t * s * sqrt(1 / N + 1 / ahead)

    with s the standard deviation between samples and t the quantile of Student's t with N - 1
    degrees of freedom at 1 - risk: the prediction interval for the mean of future observations
    (Hahn & Meeker, Statistical Intervals, 1991, section 4.8). It is exact where samples are
    normal and of one distribution. With infinitely many ahead it bounds the distribution's
    mean. A single sample has no spread: its bound is infinite.
    """
    if len(each) < FEWEST:
        return math.inf
    quantile = float(special.stdtrit(len(each) - 1, 1 - risk))
    return float(each.mean()) + quantile * float(each.std(ddof=1)) * math.sqrt(1 / len(each) + 1 / ahead)


def largest_bound(each: NDArray[np.float64], ahead: float, risk: float = RISK) -> float:
    """Upper bound of the largest of `ahead` further samples, from those measured, `[N]`.

        mean + t * s * sqrt(1 + 1 / N)

    with t the quantile of Student's t with N - 1 degrees of freedom at 1 - risk / ahead: a prediction
    interval that each of them keeps (Bonferroni), where samples are normal and of one distribution. Never
    below the largest that was measured; of a single sample nothing more is known.
    """
    largest = float(each.max())
    if len(each) < FEWEST:
        return largest
    quantile = float(special.stdtrit(len(each) - 1, 1 - risk / ahead))
    return max(largest, float(each.mean()) + quantile * float(each.std(ddof=1)) * math.sqrt(1 + 1 / len(each)))


def p99_bound(each: NDArray[np.float64], ahead: float, risk: float = RISK) -> float:
    """Upper bound of the 99th percentile of `ahead` further samples, from those measured, `[N]`.

        mean + k * s

    with k such that the sample of rank ceil(0.99 ahead), from the smallest, stays within it at 1 - risk, over
    all that the mean and the standard deviation s of N normal samples may be. Tails of spikes may be longer
    than normal ones, so that it is never below the measured sample whose rank promises as much whatever the
    distribution, or below the largest where too few were measured for that. Of a single sample nothing more is known.
    """
    measured = float(np.sort(each)[_rank(len(each), int(ahead), risk) - 1])
    if len(each) < FEWEST:
        return measured
    reach = _reach(len(each), int(ahead), risk)
    return max(measured, float(each.mean()) + reach * float(each.std(ddof=1)))


Counts = NDArray[np.int64] | int

_TAIL = 0.99
_GRID = 64
_HALVINGS = 40


@lru_cache(maxsize=256)
def _reach(count: int, ahead: int, risk: float) -> float:
    """The k of `p99_bound`: where the chance, over a grid of equally likely means and deviations, is 1 - risk.

    The rank-th smallest of n numbers between 0 and 1 is below u with probability I_u(rank, n - rank + 1).
    """
    rank = math.ceil(_TAIL * ahead)
    likely = (np.arange(_GRID) + 0.5) / _GRID
    mean = (special.ndtri(likely) / math.sqrt(count))[:, None]
    deviation = np.sqrt(special.chdtri(count - 1, likely) / (count - 1))[None, :]
    low, high = 0.0, 1e3
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        kept = special.betainc(rank, ahead - rank + 1, special.ndtr(mean + middle * deviation)).mean()
        low, high = (middle, high) if kept < 1 - risk else (low, middle)
    return high


@lru_cache(maxsize=256)
def _rank(count: int, ahead: int, risk: float) -> int:
    """The rank of a measured sample that the 99th percentile of `ahead` further ones stays within at 1 - risk.

    Of n samples and m further ones of any continuous distribution, j of these lie above the r-th smallest of
    those with probability C(n - r + j, j) C(r - 1 + m - j, m - j) / C(n + m, m).
    """
    above = np.arange(ahead - math.ceil(_TAIL * ahead) + 1)
    for rank in range(math.ceil(_TAIL * count), count):
        ways = _choices(count - rank + above, above) + _choices(rank - 1 + ahead - above, ahead - above)
        if np.exp(ways - _choices(count + ahead, ahead)).sum() >= 1 - risk:
            return rank
    return count


def _choices(things: Counts, taken: Counts) -> NDArray[np.float64]:
    """Logarithm of the number of ways to take some of these things."""
    chosen: NDArray[np.float64] = (
        special.gammaln(np.add(things, 1))
        - special.gammaln(np.add(taken, 1))
        - special.gammaln(np.subtract(things, taken) + 1)
    )
    return chosen


BOUNDS: Mapping[Over, Callable[[NDArray[np.float64], float], float]] = MappingProxyType(
    {Over.MEAN: prediction_bound, Over.P99: p99_bound, Over.LARGEST: largest_bound}
)
"""The bound of what further samples will show, by what a quantity takes of them."""


def factor_ahead(each: NDArray[np.float64], over: Over, ahead: float) -> float:
    """What `ahead` further samples may show over what was measured, at least 1; 1 where no spread is known."""
    if len(each) < FEWEST:
        return 1.0
    measured = _MEASURED[over](each)
    return max(1.0, BOUNDS[over](each, ahead) / measured) if measured > 0 else 1.0


_MEASURED: Mapping[Over, Callable[[NDArray[np.float64]], float]] = MappingProxyType(
    {
        Over.MEAN: lambda each: float(each.mean()),
        Over.P99: lambda each: float(np.sort(each)[math.ceil(_TAIL * len(each)) - 1]),
        Over.LARGEST: lambda each: float(each.max()),
    }
)


def margin(each: NDArray[np.float64], ahead: float, risk: float = RISK) -> float:
    """The bound's distance from the mean, relative to it."""
    mean = float(each.mean())
    return prediction_bound(each, ahead, risk) / mean - 1 if mean else 0.0


def samples_for(each: NDArray[np.float64], ahead: float, wanted: float, risk: float = RISK) -> int | None:
    """How many samples of the same spread would leave a relative margin of `wanted`.

    None where no number would: the split ahead is too small itself, or the spread is not known.
    """
    mean, deviation = float(each.mean()), float(each.std(ddof=1)) if len(each) >= FEWEST else math.nan
    if not mean or math.isnan(deviation):
        return None
    for count in np.unique(np.geomspace(FEWEST, 1e6, 400).astype(int)):
        reach = float(special.stdtrit(count - 1, 1 - risk)) * deviation / mean * math.sqrt(1 / count + 1 / ahead)
        if reach <= wanted:
            return int(count)
    return None


def shared_risk(finalists: int) -> float:
    """The risk that each of some finalists may take, of which the best on the same samples is chosen.

    Half of `RISK` is theirs, in equal parts (Bonferroni): whichever is chosen, it was one of them.
    """
    return RISK / 2 / max(finalists, 1)


def closing_risk(step: int) -> float:
    """The risk of the network after closing step `step`, from 1: the other half, in parts that fall as 1 / step^2."""
    return RISK / 2 * 6 / math.pi**2 / step**2
