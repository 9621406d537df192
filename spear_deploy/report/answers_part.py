"""The part of a report that tells answers: how many are right, what was lost, what other budgets lose."""

from __future__ import annotations

from pydantic import Field

from spear_deploy.report.part import Part as _Part

MOST_LOST_POINTS = 10.0
"""A network that lost more accuracy for certain no longer does its work, unless the user said what may be lost."""


_MOST_DIGITS = 9


def interval_text(low: float, high: float) -> str:
    """The 95 % interval of a loss, with as many digits as tell its ends from `MOST_LOST_POINTS`."""
    beside = [end for end in (low, high) if end != MOST_LOST_POINTS]
    told = (n for n in range(1, _MOST_DIGITS) if all(round(end, n) != MOST_LOST_POINTS for end in beside))
    digits = next(told, _MOST_DIGITS)
    return f"95 % interval {low:.{digits}f} to {high:.{digits}f}"


class AnswersReport(_Part):
    """The pruned network's answers on the test split beside those of another, in the target's arithmetic."""

    reference: str = Field(description="what accuracy was lost against, such as the dense network")
    samples: int
    accuracy: float
    reference_accuracy: float
    most_by_guessing: float = Field(description="the highest accuracy that still counts as chance (99 %)")
    drop_points: float = Field(description="100 (reference_accuracy - accuracy)")
    drop_low: float = Field(description="of the paired 95 % interval of the points lost")
    drop_high: float


class TriedBudget(_Part):
    """What some SynOps cost in accuracy, on validation in the target's arithmetic.

    A budget that was tried to find the smallest one; where a budget was given too, a network that was fine-tuned.
    """

    share: float = Field(description="of the dense SynOps")
    accuracy: float
    drop_points: float
    keeps_limits: bool


class MaxDrop(_Part):
    """What was tried to lose no more accuracy than `points`."""

    points: float
    test_drop_points: float = Field(description="on the test split, in the target's arithmetic")
    tried: list[TriedBudget]
