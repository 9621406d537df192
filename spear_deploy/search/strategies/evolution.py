"""Evolution: CMA-ES over the keep ratios."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from spear_deploy.search.problem import Evaluation, SearchProblem
from spear_deploy.search.strategies.strategy import Proposals

STEP_SHARE = 0.25
"""The first step size, as a share of the range; pycma's advice is a quarter to a third."""


def evolve(problem: SearchProblem, uniform: Evaluation, count: int, seed: int) -> Proposals:
    """CMA-ES (Hansen, arXiv 1604.00772; library pycma) in the logarithm of the keep ratios.

    Starts from equal ratios in the middle of the range, with pycma's own population size, and
    begins again from random ratios where it has converged. Between the lowest ratio and 1 the
    logarithms are bounded by pycma's smooth transform.
    """
    with warnings.catch_warnings():  # pycma tells that it cannot plot where matplotlib is missing
        warnings.simplefilter("ignore", UserWarning)
        import cma  # half a second with what it brings, for this search alone

    generator = np.random.default_rng(seed)
    lowest = float(np.log(problem.lowest))
    size = max(problem.dimensions, 2)  # pycma has no search in one dimension: the second is not looked at
    start = np.full(size, lowest / 2)
    while True:
        strategy = cma.CMAEvolutionStrategy(start, STEP_SHARE * -lowest, _options(generator, lowest))
        while not strategy.stop():
            asked = strategy.ask()
            losses = []
            for log_ratios in asked:
                evaluation = yield np.exp(log_ratios[: problem.dimensions])
                losses.append(-evaluation.reward.value)
            strategy.tell(asked, losses)
        start = generator.uniform(lowest, 0.0, size)


def _options(generator: np.random.Generator, lowest: float) -> dict[str, Any]:
    """Quiet, without files, and with our generator instead of numpy's global one."""
    return {
        "bounds": [lowest, 0.0],
        "randn": lambda *shape: generator.standard_normal(shape),
        "seed": np.nan,
        "verbose": -9,
        "verb_log": 0,
        "verb_disp": 0,
    }
