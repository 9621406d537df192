"""What a search is fairly held against: the network of equal ratios, given the same fine-tunes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spear_deploy.search.bounds import shared_risk
from spear_deploy.search.finalists import finished
from spear_deploy.search.problem import SearchProblem
from spear_deploy.search.tuning import Finalist, Tuner, tune_plain


def tuned_uniform(problem: SearchProblem, tuner: Tuner, fine_tunes: int = 2) -> Finalist:
    """The network of equal ratios, filled up to the search's limit, with as many fine-tunes as the finalists had.

    Each has a seed of its own; the most accurate one that keeps the limits is taken, as of
    finalists.
    """
    ratios = problem.project(np.ones(problem.dimensions)).features.keep_ratios
    plains = [
        tune_plain(replace(tuner, seed=tuner.seed + number), ratios, problem.estimator) for number in range(fine_tunes)
    ]
    return finished(tuner, plains, shared_risk(fine_tunes)).winner
