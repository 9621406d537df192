"""What the score of a network's answers is called and written as: an accuracy in per cent, or R2."""

from __future__ import annotations

from collections.abc import Iterable

from spear_deploy.measure import SCORINGS, Scoring
from spear_deploy.report.schema import Report


def scoring(report: Report) -> Scoring:
    """How the answers of a report's network are scored."""
    return SCORINGS[report.objective.partition(":")[0]]


def right_answers(report: Report) -> str:
    """What the score is called: without labels, right is what the dense network says."""
    if report.labels == "data":
        return scoring(report).name
    return "agreement with dense" if in_percent([report]) else f"{scoring(report).name} to dense"


def score_text(report: Report, score: float) -> str:
    """A score as it is written."""
    return scoring(report).text(score)


def points(report: Report) -> str:
    """What a hundredth of a score of 1 is called."""
    return scoring(report).points


def names(reports: Iterable[Report]) -> str:
    """What the scores of several reports are called."""
    return " or ".join(dict.fromkeys(scoring(report).name for report in reports))


def in_percent(reports: Iterable[Report]) -> bool:
    """Whether the scores of all reports are shares."""
    return all(report.objective == "classification" for report in reports)
