"""TAR: the target-aware reward, accuracy against predicted overshoot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from spear_deploy.errors import SearchError
from spear_deploy.hardware import Use


@dataclass(frozen=True)
class TarConstants:
    """Constants of the reward; ours, chosen on the digits (SPEAR's are not available).

    Attributes:
        weight: how many points of accuracy (as a share) an overshoot of 100 % costs at the start.
        step: how fast the weight follows the share of broken limits.
        broken_share: the share of candidates that may break a limit in the long run.
        lowest, highest: the weight stays between them.

    Raises:
        SearchError: a constant is out of its range.

    """

    weight: float = 2.0
    step: float = 0.05
    broken_share: float = 0.2
    lowest: float = 0.5
    highest: float = 20.0

    def __post_init__(self) -> None:
        if not 0 <= self.lowest <= self.weight <= self.highest < math.inf:
            raise SearchError(
                f"TAR's weight {self.weight:g} must lie between its ends {self.lowest:g} and {self.highest:g}, and"
                " these must be finite and not below 0"
            )
        if not (math.isfinite(self.step) and self.step >= 0 and 0 <= self.broken_share <= 1):
            raise SearchError(
                f"TAR's step {self.step:g} must be finite and not below 0, its share of broken limits"
                f" {self.broken_share:g} between 0 and 1"
            )


@dataclass(frozen=True)
class Reward:
    """A reward and what it is made of; `penalties` by the name of the limit."""

    value: float
    accuracy: float
    penalties: dict[str, float]

    @property
    def keeps_limits(self) -> bool:
        """Whether every limit is predicted to be kept."""
        return not any(self.penalties.values())


class TargetAwareReward:
    """The reward of a candidate, with a weight that adapts.

        R = accuracy - w * sum over limits of max(0, used / allowed - 1)
        w <- clip(w * exp(step * (broken - broken_share)), lowest, highest)

    where `broken` is 1 if the candidate broke a limit, else 0: while more candidates break a
    limit than `broken_share`, breaking becomes dearer. For SynOps, `used` is the upper end of
    the prediction interval, so a candidate is rewarded for what can be promised. The formula
    is ours; SPEAR (arXiv 2507.02945) states the idea, but its formula is not available to us.
    An R2 below 0 counts as `worth` has it.
    """

    def __init__(self, constants: TarConstants | None = None) -> None:
        self.constants = constants or TarConstants()
        self.weight = self.constants.weight

    def __call__(self, accuracy: float, limits: Sequence[Use]) -> Reward:
        """The reward of one candidate; adapts the weight for the next."""
        reward = self.now(accuracy, limits)
        broken = 0.0 if reward.keeps_limits else 1.0
        grown = self.weight * math.exp(self.constants.step * (broken - self.constants.broken_share))
        self.weight = min(max(grown, self.constants.lowest), self.constants.highest)
        return reward

    def now(self, accuracy: float, limits: Sequence[Use]) -> Reward:
        """The reward of a candidate at the weight that stands; candidates of a whole search are compared by it."""
        penalties: dict[str, float] = {}
        for limit in limits:  # the chip and the user may both limit a quantity
            penalties[limit.name] = penalties.get(limit.name, 0.0) + self.weight * limit.overshoot
        return Reward(worth(accuracy) - sum(penalties.values()), accuracy, penalties)


def worth(score: float) -> float:
    """What a score counts in the reward, above -1: an R2 has no lower end, and would outweigh every penalty.

    Scores of 0 and more, as every accuracy is, count as they are; of two below it the larger still counts more.
    """
    return score if score >= 0 else score / (1.0 - score)
