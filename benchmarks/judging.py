"""How often a network that is said to keep its budget breaks it on test, for SynOps whose distribution is known.

    python -m benchmarks.judging

Each trial draws a validation and a test split, judges as the main job does, and looks whether the test mean breaks
the budget. Prints the tables of docs/method.md: what 1 % comes to.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from spear_deploy.search.bounds import RISK, closing_risk, shared_risk

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]

BUSY = 0.3
"""Share of the inferences that are busy, of those that are either idle or busy."""

DISTRIBUTIONS: Mapping[str, Draw] = MappingProxyType(
    {
        "normal, 15 %": lambda rng, shape: rng.normal(1.0, 0.15, shape),
        "two humps": lambda rng, shape: rng.choice([0.6, 1.4], shape) + rng.normal(0.0, 0.05, shape),
        "log-normal, sigma 0.5": lambda rng, shape: rng.lognormal(-0.125, 0.5, shape),
        "idle or busy": lambda rng, shape: 0.1 + (rng.random(shape) < BUSY) * 3.0,
    }
)
"""SynOps of single inferences."""

MEASURED = (5, 10, 20, 36, 100, 300, 1000)
AHEAD = (100, 400)
FINALISTS = 2
STEPS = 8
"""Closing steps that are followed; a network that is still over its budget then is not said to keep it."""

LOWERED = 0.01
"""What a closing step takes from the mean here: little, so that many are needed."""

OWN = 0.05
"""Deviation of a network's own from what the inputs make of every network."""


def bounds(each: Array, ahead: int, risks: Sequence[float]) -> Array:
    """`search.prediction_bound` of many splits at once, `[..., N]` to `[risks, ...]`."""
    count = each.shape[-1]
    quantiles = stats.t.ppf(1 - np.asarray(risks), count - 1).reshape(-1, *[1] * (each.ndim - 1))
    reach = each.std(-1, ddof=1) * np.sqrt(1 / count + 1 / ahead)
    return np.asarray(each.mean(-1) + quantiles * reach)


def at_its_bound(draw: Draw, measured: int, ahead: int, trials: int, rng: np.random.Generator) -> float:
    """Broken by a network that uses all of its budget by the bound: the worst that is called kept."""
    (budget,) = bounds(draw(rng, (trials, measured)), ahead, [RISK])
    return float((draw(rng, (trials, ahead)).mean(-1) > budget).mean())


def whole(draw: Draw, measured: int, ahead: int, trials: int, rng: np.random.Generator) -> float:
    """Broken among all trials in which finalists and closing steps are judged on the same inputs, as in a run.

    Networks share what the inputs make of them; all finalists' means lie equally far from the
    budget. One that keeps it by its bound is taken, else the first after a closing step that does.
    The distance from the budget at which most trials end broken is what counts.
    """
    inputs, later = draw(rng, (trials, measured)), draw(rng, (trials, ahead))
    finalists = inputs * rng.normal(1.0, OWN, (FINALISTS, trials, measured))
    test = (later * rng.normal(1.0, OWN, (FINALISTS, trials, ahead))).mean(-1)
    (first,) = bounds(finalists, ahead, [shared_risk(FINALISTS)])
    steps = range(1, STEPS + 1)
    closed = bounds(finalists[0], ahead, [closing_risk(step) for step in steps])
    scale = float(np.sqrt(inputs.var() * (1 / measured + 1 / ahead)))
    worst = 0.0
    for distance in np.linspace(0.0, 3.5, 8):
        budget = 1.0 + distance * scale
        done = (first <= budget).any(0)
        broken = done & (test[first.argmin(0), np.arange(trials)] > budget)
        for step, bound in zip(steps, closed, strict=True):
            factor = (1 - LOWERED) ** step
            now = ~done & (factor * bound <= budget)
            broken |= now & (factor * test[0] > budget)
            done |= now
        worst = max(worst, float(broken.mean()))
    return worst


def table(judged: Callable[[Draw, int, int, int, np.random.Generator], float], trials: int) -> str:
    """Broken in per cent, a row a distribution and size of the test split, a column a size of validation."""
    head = ["SynOps of an inference", "test samples", *(f"{count} validation" for count in MEASURED)]
    rows = [head, ["---"] * len(head)]
    for name, draw in DISTRIBUTIONS.items():
        for ahead in AHEAD:
            rng = np.random.default_rng(0)
            rows.append([name, str(ahead), *(f"{judged(draw, n, ahead, trials, rng):.1%}" for n in MEASURED)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=4000)
    trials = parser.parse_args().trials
    print(f"A network at its bound, {trials} trials:\n\n{table(at_its_bound, trials)}", flush=True)
    print(f"\n{FINALISTS} finalists and up to {STEPS} closing steps, {trials} trials:\n\n{table(whole, trials)}")


if __name__ == "__main__":
    main()
