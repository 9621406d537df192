"""Greedy search: keep ratio moved from group to group while it pays."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from spear_deploy.search.candidate import Ratios
from spear_deploy.search.problem import Evaluation, SearchProblem
from spear_deploy.search.strategies.strategy import Proposals

LARGEST_STEP = float(np.log(2.0))
"""A group is first made twice as wide against the others, or half as wide."""

SMALLEST_STEP = float(np.log(1.05))
"""Below it whole channels no longer move in layers of usual widths."""


def shift_greedily(problem: SearchProblem, uniform: Evaluation, count: int, seed: int) -> Proposals:
    """Widen or narrow one group at a time and keep what is better; projection pays from all others.

    Starts from equal ratios. A move that pays is repeated; when a round over all groups brings
    nothing, the step is halved; when it is smaller than channels are, the search begins again
    from random ratios. In the spirit of NetAdapt (Yang et al., ECCV 2018), which narrows one
    layer at a time; here the cost is held by the projection, so every candidate can be chosen.
    """
    generator = np.random.default_rng(seed)
    best = uniform
    while True:
        step = LARGEST_STEP
        while step >= SMALLEST_STEP:
            before = best
            for group in range(problem.dimensions):
                wider = yield from _follow(best, group, step)
                best = wider if wider is not best else (yield from _follow(best, group, -step))
            if best is before:
                step /= 2
        best = yield problem.lowest ** generator.uniform(0.0, 1.0, problem.dimensions)


def _follow(best: Evaluation, group: int, step: float) -> Generator[Ratios, Evaluation, Evaluation]:
    """Move one group by a step in the logarithm as long as that pays; the best that was found."""
    while True:
        ratios = best.ratios.copy()
        ratios[group] *= np.exp(step)
        evaluation = yield ratios
        if evaluation.reward.value <= best.reward.value:
            return best
        best = evaluation
