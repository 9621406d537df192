"""What the agent for a front sees; without the library that walks it."""

from __future__ import annotations

import numpy as np

from spear_deploy.search.problem import SearchProblem

STATE = (
    "index",
    "convolution",
    "inputs",
    "channels",
    "height",
    "width",
    "stride",
    "kernel",
    "synops",
    "removed",
    "left",
    "last ratio",
    "budget",
    "widest",
)
"""The entries of the state, each in [0, 1]: the first twelve are AMC's, scaled over the groups of the network; then
where the budget lies (`budget_place`), and the largest keep ratio of the present group that the chip holds
(`Structure.widest`)."""

ACTION = ("keep ratio",)

LEAST_SHARE = 0.01
"""The share of the dense SynOps that 0 stands for; 1 stands for all of them."""


def budget_share(problem: SearchProblem) -> float:
    """What a search may use of the dense network's SynOps."""
    return problem.budget_synops / problem.factory.dense.synops


def budget_place(problem: SearchProblem) -> float:
    """Where the budget lies between `LEAST_SHARE` and the dense network in the logarithm, in [0, 1]."""
    return float(np.clip(1.0 - np.log(budget_share(problem)) / np.log(LEAST_SHARE), 0.0, 1.0))
