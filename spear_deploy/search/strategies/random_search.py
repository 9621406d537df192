"""Random search: keep ratios that cover the space evenly."""

from __future__ import annotations

import numpy as np

from spear_deploy.search.problem import Evaluation, SearchProblem
from spear_deploy.search.strategies.strategy import Proposals


def draw(problem: SearchProblem, uniform: Evaluation, count: int, seed: int) -> Proposals:
    """A Latin hypercube in the logarithm of the keep ratios, from the lowest ratio to 1.

    Projection scales all ratios by one factor: in the logarithm it is a shift, so that only the
    differences between groups count, and these are spread evenly. After one comes another.
    """
    from scipy.stats import qmc  # no other search needs it

    hypercube = qmc.LatinHypercube(problem.dimensions, rng=np.random.default_rng(seed))
    while True:
        for place in hypercube.random(count):
            yield np.asarray(problem.lowest ** (1.0 - place), dtype=np.float64)
