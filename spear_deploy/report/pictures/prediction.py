"""Predicted against measured: LRE's samples and line, and this run in every backend."""

from __future__ import annotations

from typing import Any

from spear_deploy.report.checks import checks
from spear_deploy.report.pictures.figure import Axis, Figure, Level, Mark, Panel, Series
from spear_deploy.report.schema import Report


def backends_figure(report: Report) -> Figure:
    """The interval beside what every backend measured."""
    held = checks(report)
    names = tuple(report.measured) + tuple(name for name in held if name not in report.measured)
    checked = [held.get(name) for name in names]
    predicted = Series(
        "predicted (LRE)",
        names,
        tuple(None if one is None else one.predicted for one in checked),
        low=tuple(None if one is None else one.low for one in checked),
        high=tuple(None if one is None else one.high for one in checked),
    )
    plain = Series(
        "measured, plain fine-tune",
        names,
        tuple(None if one is None else one.synops for one in checked),
        style=3,
        emphasis=True,
    )
    final = Series(
        "measured, final network",
        names,
        tuple(report.measured[name].synops if name in report.measured else None for name in names),
        style=5,
        emphasis=True,
    )
    ran = ", ".join(f"{name} {found.samples}" for name, found in report.measured.items())
    phases = (
        "The prediction is of the plain fine-tune; the final network went through a second phase, in which a penalty"
        " draws its SynOps to the budget."
        if report.lre.check
        else "The final network is the one after the plain fine-tune."
    )
    return Figure(
        "measured",
        "Predicted and measured SynOps",
        "LRE's prediction with its 95 % interval, and the SynOps that each backend measured on test samples"
        f" ({ran}), which the search never saw. {phases}",
        (
            Panel(
                Axis("backend", categories=names),
                Axis("SynOps per inference"),
                (predicted, plain, final) if report.lre.check else (predicted, final),
                (Level("budget", report.budget.synops),),
            ),
        ),
    )


def lre_figure(report: Report) -> Figure | None:
    """LRE's samples: the paper's line, and this estimator's held-out predictions; None where not recorded."""
    samples: list[Any] = list(getattr(report.lre, "scatter", None) or [])
    if not samples:
        return None
    lre = report.lre
    in_torch = checks(report).get("torch")
    measured = None if in_torch is None else in_torch.synops
    panels = [_line_panel(report, samples, measured)]
    held_out = [sample for sample in samples if sample.loo_predicted is not None]
    if held_out:
        ends = _ends([sample.loo_predicted for sample in held_out] + [lre.predicted])
        this = Series(
            "this run on test, with the interval",
            (lre.predicted,),
            (measured,),
            low=(lre.low,),
            high=(lre.high,),
            style=3,
            emphasis=True,
        )
        panels.append(
            Panel(
                Axis("SynOps predicted"),
                Axis("SynOps after fine-tuning"),
                (
                    Series(
                        "samples, each predicted without itself",
                        tuple(sample.loo_predicted for sample in held_out),
                        tuple(sample.synops for sample in held_out),
                    ),
                    Series("as predicted", ends, ends, Mark.LINE, style=5),
                    this,
                ),
            )
        )
    return Figure(
        "lre",
        "What LRE learned from",
        f"{len(samples)} networks that were pruned and fine-tuned on train, and this run's own network;"
        f" first the paper's line (R\u00b2 {lre.linear.r2:.3f}), then the predictions of the {lre.estimator} estimator."
        " SynOps in torch; the bar of this run reaches from the low to the high end of its 95 % interval.",
        tuple(panels),
    )


def _line_panel(report: Report, samples: list[Any], measured: float | None) -> Panel:
    line = report.lre.linear
    known = [sample for sample in samples if sample.pruned_synops is not None]
    before = [sample.pruned_synops for sample in known]
    series = [
        Series("samples", tuple(before), tuple(sample.synops for sample in known)),
    ]
    own = (line.predicted - line.intercept) / line.slope if line.slope else None
    ends = _ends(before + ([own] if own is not None else []))
    series.append(Series("line", ends, tuple(line.slope * x + line.intercept for x in ends), Mark.LINE, style=5))
    if own is not None:
        series.append(Series("this run on test", (own,), (measured,), style=3, emphasis=True))
    return Panel(Axis("SynOps right after pruning"), Axis("SynOps after fine-tuning"), tuple(series))


def _ends(values: list[float]) -> tuple[float, float]:
    return min(values), max(values)
