"""A report in words: the verdict in one sentence, energies with their status, what to be wary of."""

from __future__ import annotations

from pathlib import Path

from spear_deploy.hardware.amounts import energy_text, time_text
from spear_deploy.hardware.chip.figures import Spread
from spear_deploy.hardware.cost.cost import lacking_text
from spear_deploy.report.checks import repeated
from spear_deploy.report.chip_part import CostReport
from spear_deploy.report.part import Range
from spear_deploy.report.schema import Report
from spear_deploy.report.words.caveats import caveats
from spear_deploy.report.words.quantity_text import unsure_text
from spear_deploy.report.words.scores import points, right_answers, score_text, scoring

NOT_RECORDED = "not recorded"


def verdict_text(report: Report) -> str:
    """The outcome in one sentence."""
    verdict, budget = report.verdict, report.budget
    model, change = Path(report.model).name, 100 * (report.pruned.accuracy - report.dense.accuracy)
    check = report.lre.check.get(verdict.basis)
    measured = check or report.measured.get(verdict.basis)
    error = verdict.prediction_error_percent
    off = "cannot be held" if error is None else f"is off by {error:+z.1f} %"
    where = f"{verdict.basis} on {measured.samples} test samples" if measured else verdict.basis
    inside = "inside" if verdict.covered else "OUTSIDE"
    tuned = " after the plain fine-tune" if check is not None else ""
    figures = (
        f"test {right_answers(report)} {score_text(report, report.pruned.accuracy)} in torch"
        f" ({change:+z.2f} {points(report)}),"
        f" {_judged(report):,.0f} of {budget.synops:,.0f} SynOps per inference in {budget.arithmetic};"
        f" LRE's prediction {off} against {where}{tuned}, which is {inside} its 95 % interval"
    )
    if not verdict.ok:
        return f"NOT OK: {model} pruned for {report.target}: {verdict.reason}{cut_text(report)} ({figures})."
    return (
        f"OK: {model} pruned for {report.target} keeps its budget{repeated_text(report)}{cut_text(report)}: {figures}."
    )


def cut_text(report: Report) -> str:
    """Where its user cut the work on a result short, for the end of a sentence on it; empty where nobody did."""
    return f" (cut short in the {report.interrupted}: the best so far)" if report.interrupted else ""


def repeated_text(report: Report) -> str:
    """Who repeated every spike of the result, as the end of a sentence on one that is OK."""
    names = list(repeated(report))
    if not names:
        return " (no other program ran it)"
    return f", and {' and '.join(names)} repeat{'' if len(names) > 1 else 's'} every spike"


def cut_mark(report: Report) -> str:
    """The same behind the name of a result among others."""
    return " (cut short)" if report.interrupted else ""


def warnings(report: Report) -> list[str]:
    """What a reader must not overlook."""
    found = []
    if report.interrupted:
        found.append(f"Cut short by the user during the {report.interrupted}: this is the best so far.")
    if not report.verdict.covered:
        found.append("The measured SynOps lie outside LRE's 95 % interval.")
    found += caveats(report)
    if report.lre.extrapolated:
        found.append(f"LRE extrapolates: the pruned network lies outside of the samples in {report.lre.extrapolated}.")
    for name, agreement in report.agreement.items():
        at = agreement.first_difference
        if at is not None:
            where = f"layer {at.layer}, step {at.step}, sample {at.sample}, neuron {at.neuron}"
            found.append(f"{name.replace('_', ' and ', 1)} differ, first in {where}.")
    if report.labels == "dense network":
        found.append(f"The data held no labels: every {scoring(report).name} is the agreement with the dense network.")
    if not report.agreement:
        found.append("The result was run by no other program, such as Lava.")
    if report.budget.unchecked:
        found.append(f"Not checked, because not known here: {', '.join(report.budget.unchecked)}.")
    if report.profile:
        found.append(f"The profile {report.target} rests on another: {report.profile}.")
    cost = report.cost.get("pruned")
    if cost is not None and cost.energy_pj is None:
        found.append(f"The energy is not available: {_lacking(cost)}.")
    elif cost is not None and cost.energy_status != "published":
        found.append(f"The energy is {cost.energy_status}: at least one price in it is not published.")
    if unsure := unsure_text(report.budget.limits):
        found.append(f"Kept or not as far as is known: {unsure}.")
    if report.adapted:
        found.append(f"{report.adapted[0].upper()}{report.adapted[1:]}.")
    elif report.adaptations:  # of earlier versions
        layers = ", ".join(dict.fromkeys(each.layer for each in report.adaptations))
        found.append(f"Neurons were converted to what {report.target} can run: {layers}.")
    if report.repairs:
        found.append(f"The budget was kept only after {report.repairs} repair{'s' if report.repairs > 1 else ''}.")
    return found


def energy_words(cost: CostReport | None) -> str:
    """The energy of an inference with its range and status, or why there is none."""
    if cost is None:
        return NOT_RECORDED
    if cost.energy_pj is not None:
        least = "at least " if cost.energy_at_least else ""
        return f"{least}{energy_text(_spread(cost.energy_pj))} ({cost.energy_status})"
    rest = "" if cost.priced_pj is None else f"; what is priced: {energy_text(_spread(cost.priced_pj))}"
    return f"not available: {_lacking(cost)}{rest}"


def _lacking(cost: CostReport) -> str:
    return lacking_text([(part.name, part.lacks) for part in cost.parts if part.energy_pj is None])


def time_words(cost: CostReport | None) -> str:
    """The time of an inference with its range and status."""
    if cost is None:
        return NOT_RECORDED
    if cost.time_ns is None:
        return "not available"
    least = "at least " if cost.time_at_least else ""
    return f"{least}{time_text(_spread(cost.time_ns))} ({cost.time_status})"


def _judged(report: Report) -> float:
    """SynOps of the pruned network on test in the arithmetic of the budget."""
    return report.budget.limits[0].pruned if report.budget.limits else report.pruned.synops


def _spread(found: Range) -> Spread:
    return Spread(found.low, found.typical, found.high)
