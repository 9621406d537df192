"""What a name given to `--strategy` stands for: a strategy with its estimator and constraint."""

from __future__ import annotations

from dataclasses import dataclass

from spear_deploy.errors import SearchError
from spear_deploy.search import STRATEGIES, Claim, expected, upper_end


@dataclass(frozen=True)
class Arm:
    """A pipeline that can be compared with others.

    Attributes:
        strategy: one of `search.STRATEGIES`.
        estimator: LRE's fit that the search trusts, a name of `lre.ESTIMATORS`; None for the one that errs
            least at samples left out of its fit.
        claim: what of its predictions is held against the budget.
        constrained: whether the second phase is held at the budget. With it the search's limit lies
            above the budget, without it at the budget.

    """

    strategy: str
    estimator: str | None
    claim: Claim
    constrained: bool


ARMS = {name: Arm(name, estimator=None, claim=upper_end, constrained=True) for name in STRATEGIES} | {
    "spear": Arm("ddpg", estimator="linear", claim=expected, constrained=False)
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
