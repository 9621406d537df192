"""What a name given to `--strategy` stands for: a strategy with its estimator and penalty."""

from __future__ import annotations

from dataclasses import dataclass

from spear_deploy.errors import SearchError
from spear_deploy.search import STRATEGIES


@dataclass(frozen=True)
class Arm:
    """A pipeline that can be compared with others.

    Attributes:
        strategy: one of `search.STRATEGIES`.
        estimator: LRE's fit that the search trusts: "linear" or "ridge".
        penalty: whether the fine-tune is drawn towards the budget by a SynOps penalty. With it the
            search's limit lies above the budget, without it at the budget.

    """

    strategy: str
    estimator: str
    penalty: bool


ARMS = {name: Arm(name, estimator="ridge", penalty=True) for name in STRATEGIES} | {
    "spear": Arm("ddpg", estimator="linear", penalty=False)
}
"""By name: our pipeline with each strategy, and `spear`, the paper's (Xie et al., arXiv 2507.02945)."""


def arm_named(name: str) -> Arm:
    """The arm of a name.

    Raises:
        SearchError: there is none.

    """
    if name not in ARMS:
        raise SearchError(f"no search strategy called '{name}'; known: {', '.join(ARMS)}")
    return ARMS[name]
