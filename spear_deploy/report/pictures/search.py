"""The search: what was evaluated, in its order and as a front."""

from __future__ import annotations

from itertools import accumulate

from spear_deploy.report.pictures.figure import Axis, Figure, Level, Mark, Panel, Series, Table, number_text
from spear_deploy.report.schema import Report
from spear_deploy.report.search_part import EvaluationReport
from spear_deploy.report.words.scores import in_percent, scoring

ALLOWED = "the search's limit"
"""Not the budget where a second phase draws SynOps to it: the search may then leave more."""


def search_figure(report: Report) -> Figure | None:
    """Reward, accuracy and predicted SynOps over the evaluations; None where not recorded."""
    if report.search is None:
        return None
    history = report.search.history
    number = tuple(float(place + 1) for place in range(len(history)))
    rewards = tuple(one.reward for one in history)
    best: list[float] = list(accumulate(rewards, max))
    axis = Axis("evaluation", whole=True)
    return Figure(
        "search",
        "The search",
        f"{len(history)} candidates in the order of their evaluation, before fine-tuning: reward,"
        f" {scoring(report).name} on validation, and predicted SynOps with their 95 % interval in torch's arithmetic,"
        " whose high end the search bounds.",
        (
            Panel(
                axis,
                Axis("reward"),
                (
                    Series("reward", number, rewards),
                    Series("best so far", number, tuple(best), Mark.STEPS, style=3),
                ),
            ),
            Panel(
                axis,
                _score(report),
                (Series(scoring(report).name, number, tuple(one.accuracy for one in history)),),
            ),
            Panel(
                axis,
                Axis("SynOps per inference"),
                (
                    Series(
                        "predicted",
                        number,
                        tuple(one.predicted for one in history),
                        low=tuple(one.low for one in history),
                        high=tuple(one.high for one in history),
                    ),
                ),
                (Level(ALLOWED, report.search.budget_synops),),
            ),
        ),
        _evaluations(report, report.search.groups, history),
    )


def pareto_figure(report: Report) -> Figure | None:
    """Accuracy against SynOps of everything that was evaluated, with the front; None where not recorded."""
    if report.search is None:
        return None
    distinct = list({tuple(one.keep_ratios): one for one in report.search.history}.values())
    front = pareto_front([(one.predicted, one.accuracy) for one in distinct])
    panels = [
        Panel(
            Axis("predicted SynOps"),
            _score(report),
            (
                _candidates("keeps every limit", [one for one in distinct if one.keeps_limits], 0),
                _candidates("breaks a limit", [one for one in distinct if not one.keeps_limits], 5),
                Series("front", *_columns(front), Mark.STEPS, style=3),
            ),
            (Level(ALLOWED, report.search.budget_synops, upright=True),),
        )
    ]
    if report.finalists:
        panels.append(_finalists(report))
    return Figure(
        "pareto",
        f"{scoring(report).name.capitalize()} against SynOps",
        f"All {len(distinct)} distinct candidates on validation: before fine-tuning with predicted SynOps (torch);"
        f" below, the {len(report.finalists)} that were fine-tuned, with measured SynOps ({report.budget.arithmetic}).",
        tuple(panels),
    )


def _finalists(report: Report) -> Panel:
    """What was fine-tuned: after the plain fine-tune, and after the second phase where it went through it."""
    finished = [one for one in report.finalists if one.finished and not one.chosen]
    plain = [
        (one.plain_synops, one.plain_accuracy)
        for one in report.finalists
        if one.closes is None and one.plain_synops is not None and one.plain_accuracy is not None
    ]
    rows = (
        ("plain fine-tune", 6, plain),
        ("second phase", 1, [(one.synops, one.accuracy) for one in finished]),
        ("chosen", 3, [(one.synops, one.accuracy) for one in report.finalists if one.chosen]),
    )
    return Panel(
        Axis(f"measured SynOps ({report.budget.arithmetic})"),
        _score(report),
        tuple(
            Series(name, *_columns(points), style=style, emphasis=style == 3) for name, style, points in rows if points
        ),
        (Level("budget", report.budget.synops, upright=True),),
    )


def _score(report: Report) -> Axis:
    return Axis(scoring(report).name, percent=in_percent([report]))


def pareto_front(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (cost, gain) points that no other beats in one without losing in the other, by cost."""
    front: list[tuple[float, float]] = []
    for cost, gain in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or gain > front[-1][1]:
            front.append((cost, gain))
    return front


def _candidates(name: str, ones: list[EvaluationReport], style: int) -> Series:
    return Series(name, tuple(one.predicted for one in ones), tuple(one.accuracy for one in ones), style=style)


def _columns(points: list[tuple[float, float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(cost for cost, _ in points), tuple(gain for _, gain in points)


def _evaluations(report: Report, groups: list[str], history: list[EvaluationReport]) -> Table:
    columns = ("evaluation", "reward", scoring(report).name, "predicted SynOps", "low", "high", "penalties")
    rows = [
        (
            str(place + 1),
            number_text(one.reward),
            number_text(one.accuracy, percent=in_percent([report])),
            *(number_text(value) for value in (one.predicted, one.low, one.high)),
            ", ".join(f"{name} {penalty:.3g}" for name, penalty in one.penalties.items()) or "none",
            *(number_text(ratio, percent=True) for ratio in one.keep_ratios),
        )
        for place, one in enumerate(history)
    ]
    return Table((*columns, *(f"kept in {group}" for group in groups)), tuple(rows))
