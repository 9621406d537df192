"""Several results side by side as each is judged, and which of them nothing beats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from spear_deploy.report.schema import Measured, Report
from spear_deploy.report.words.scores import names as names_of_scores
from spear_deploy.report.words.scores import score_text

Name = TypeVar("Name")

STAR = "*: of the results for one chip that are OK, none has as much accuracy at fewer SynOps, or more at as many"


def judged(report: Report) -> Measured:
    """What was measured on test in the arithmetic that the verdict goes by."""
    return report.measured[report.verdict.basis]


def unbeaten(reports: Mapping[Name, Report]) -> set[Name]:
    """Those that are OK, and that no other one that is OK beats in SynOps or accuracy without losing in the other.

    Results of one network on one chip are held against each other, others cannot be.
    """
    fine = {name: report for name, report in reports.items() if report.verdict.ok}
    return {name for name, one in fine.items() if not any(_beats(other, one) for other in fine.values())}


def _beats(other: Report, one: Report) -> bool:
    if (other.model_sha256, other.target) != (one.model_sha256, one.target):
        return False
    theirs, own = judged(other), judged(one)
    no_worse = theirs.synops <= own.synops and theirs.accuracy >= own.accuracy
    return no_worse and (theirs.synops, theirs.accuracy) != (own.synops, own.accuracy)


def front_columns(reports: Mapping[Name, Report]) -> tuple[str, ...]:
    """The heads of `front_rows`, beside that of the result's name."""
    return "SynOps / inference", "of dense", names_of_scores(reports.values()), "to dense", "ok", ""


def front_rows(reports: Mapping[Name, Report]) -> dict[Name, tuple[str, ...]]:
    """SynOps, share of the dense network's, accuracy, its change, the verdict, and a star for what nothing beats."""
    best = unbeaten(reports)
    return {
        name: (
            f"{judged(report).synops:,.0f}",
            f"{judged(report).synops / report.budget.limits[0].dense:.1%}",
            score_text(report, judged(report).accuracy),
            "" if report.answers is None else f"{-report.answers.drop_points:+z.2f}",
            "yes" if report.verdict.ok else "NO",
            "*" if name in best else "",
        )
        for name, report in reports.items()
    }


def front_notes(reports: Mapping[Name, Report]) -> list[str]:
    """What the columns mean: the star, and which dense network accuracy is held against where."""
    against: dict[str, list[str]] = {}
    for report in reports.values():
        if report.answers is not None:
            where = against.setdefault(f"{report.answers.reference} in {report.budget.arithmetic}", [])
            if report.target not in where:
                where.append(report.target)
    held = "; ".join(f"{reference} ({', '.join(targets)})" for reference, targets in against.items())
    return [STAR, *([f"to dense: against the {held}"] if held else [])]
