"""What LRE's prediction can be held against in a report, of this version or an earlier one."""

from __future__ import annotations

from dataclasses import dataclass

from spear_deploy.backends import TORCH
from spear_deploy.report.answers_part import AnswersReport
from spear_deploy.report.lre_part import LreCheck
from spear_deploy.report.schema import Report

PLAIN = "plain"
DELIVERED = "delivered"


def computes_as_target(report: Report, arithmetic: str) -> bool:
    """Whether an arithmetic is the target's; predictions for it are scaled by what that does to SynOps."""
    return arithmetic == report.budget.arithmetic


def predicted_in(report: Report, arithmetic: str) -> tuple[float, float, float]:
    """LRE's prediction in an arithmetic: low, value, high."""
    factor = report.lre.target_factor if computes_as_target(report, arithmetic) else 1.0
    return factor * report.lre.low, factor * report.lre.predicted, factor * report.lre.high


def besides_torch(report: Report) -> list[str]:
    """The backends that measured the result, without the one that it was searched in."""
    return [name for name in report.measured if name != TORCH]


def repeated(report: Report) -> dict[str, str]:
    """The backends that were to repeat every spike of another, each with that other."""
    names = list(report.measured)
    return {name: other for name in names for other in names if f"{other}_{name}" in report.agreement}


def references(report: Report) -> list[AnswersReport]:
    """The pruned network's answers beside those of each dense network, once each: as it was given, fine-tuned alike."""
    held = (report.answers_to_given, report.answers_to_tuned, report.answers)  # earlier reports lack some
    return list({each.reference: each for each in held if each is not None}.values())


def error_percent(predicted: float, synops: float) -> float | None:
    """How far a prediction is from what was measured, in percent of that; None of a network that does nothing."""
    return 100.0 * (predicted - synops) / synops if synops else None


def checks(report: Report) -> dict[str, LreCheck]:
    """LRE's prediction beside each backend's measurement of what it predicts, the plain fine-tune.

    Reports of before there was a second phase hold the pruned network's own measurements; there,
    a backend that ran fewer images than torch is left out: no prediction was made for these.
    """
    if report.lre.check or not report.measured:
        return report.lre.check
    most = max(found.samples for found in report.measured.values())
    found = {}
    for name, measured in report.measured.items():
        if measured.samples == most:
            low, value, high = predicted_in(report, measured.arithmetic)
            found[name] = LreCheck(
                arithmetic=measured.arithmetic,
                samples=measured.samples,
                synops=measured.synops,
                predicted=value,
                low=low,
                high=high,
                covered=low <= measured.synops <= high,
                error_percent=error_percent(value, measured.synops),
            )
    return found


@dataclass(frozen=True)
class Row:
    """A prediction beside a measurement of the network that it is about.

    Attributes:
        network: which one: `PLAIN` or `DELIVERED`.
        backend: which measured it.
        check: predicted and measured, in that backend's arithmetic, on its samples.
        constant: what a single constant ratio predicts of the same; None where not recorded.

    """

    network: str
    backend: str
    check: LreCheck
    constant: float | None


def predictions(report: Report) -> list[Row]:
    """Every prediction of a report: of the plainly fine-tuned network, then of the delivered one."""
    lre, delivered = report.lre, report.lre.delivered
    constant = lre.estimators["constant"].predicted if "constant" in lre.estimators else None
    rows = [
        Row(PLAIN, name, one, None if constant is None else _in_terms_of(one, lre.predicted, constant))
        for name, one in checks(report).items()
    ]
    if delivered is not None:
        rows += [
            Row(DELIVERED, name, one, _in_terms_of(one, delivered.predicted, delivered.constant))
            for name, one in delivered.check.items()
        ]
    return rows


def _in_terms_of(check: LreCheck, in_torch: float, other: float) -> float:
    """Another prediction in torch, for the images and the arithmetic of a check."""
    return other * check.predicted / in_torch if in_torch else other
