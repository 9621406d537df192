"""Predicted against measured: LRE's samples and line, and this run in every backend."""

from __future__ import annotations

from spear_deploy.backends import TORCH
from spear_deploy.report.checks import checks
from spear_deploy.report.lre_part import ScatterPoint
from spear_deploy.report.pictures.figure import Axis, Figure, Level, Mark, Panel, Series
from spear_deploy.report.schema import Report
from spear_deploy.report.search_part import PRUNED


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
    return Figure(
        "measured",
        "Predicted and measured SynOps",
        "LRE's prediction with its 95 % interval, and the SynOps that each backend measured on test samples"
        f" ({ran}), which the search never saw. {_phases(report)}",
        (
            Panel(
                Axis("backend", categories=names),
                Axis("SynOps per inference"),
                (predicted, plain, final) if report.lre.check else (predicted, final),
                (Level("budget", report.budget.synops),),
            ),
        ),
    )


def _phases(report: Report) -> str:
    """Which network the prediction is of, and which one is final."""
    chosen = next((one for one in report.finalists if one.chosen), None)
    if chosen is not None and chosen.undone is not None and chosen.undone.back_to == PRUNED:
        return "The prediction is of the plain fine-tune; the final network is the one before it, which was undone."
    if report.lre.check and (chosen is None or (chosen.finished and chosen.undone is None)):
        return (
            "The prediction is of the plain fine-tune; the final network went through a second phase, in which a"
            " constraint holds its SynOps at the budget."
        )
    return "The final network is the one after the plain fine-tune."


def lre_figure(report: Report) -> Figure | None:
    """LRE's samples: SPEAR's line, and this estimator's held-out predictions; None where not recorded."""
    samples = report.lre.scatter
    if not samples:
        return None
    lre = report.lre
    by = f" by {len(lre.anchors)} networks near the limit," if lre.anchors else ""
    return Figure(
        "lre",
        "What LRE learned from",
        f"{len(samples)} networks that were pruned and fine-tuned, on train, and this run's own network on test;"
        f" first SPEAR's line (R\u00b2 {lre.linear.r2:.3f}), then the predictions of the {lre.of_samples} estimator,"
        f" this run's{by} with its 95 % interval. SynOps in torch.",
        (_line_panel(report, samples), _estimator_panel(report, samples)),
    )


def _line_panel(report: Report, samples: list[ScatterPoint]) -> Panel:
    line, in_torch = report.lre.linear, checks(report).get(TORCH)
    before = [sample.pruned_synops for sample in samples]
    own = [(line.predicted - line.intercept) / line.slope] if line.slope else []
    ends = _ends(before + own)
    series = [
        Series("samples", tuple(before), tuple(sample.synops for sample in samples)),
        Series("line", ends, tuple(line.slope * x + line.intercept for x in ends), Mark.LINE, style=5),
    ]
    if own and in_torch is not None:
        series.append(Series("this run, measured", tuple(own), (in_torch.synops,), style=3, emphasis=True))
    return Panel(Axis("SynOps right after pruning"), Axis("SynOps after fine-tuning"), tuple(series))


def _estimator_panel(report: Report, samples: list[ScatterPoint]) -> Panel:
    predicted = [sample.loo_predicted for sample in samples]
    in_torch = checks(report).get(TORCH)
    ends = _ends([*predicted, report.lre.predicted])
    series = [
        Series("samples, each predicted without itself", tuple(predicted), tuple(sample.synops for sample in samples)),
        Series("as predicted", ends, ends, Mark.LINE, style=5),
    ]
    if in_torch is not None:
        at = (in_torch.predicted,)
        interval = Series("this run, 95 % interval", at, at, low=(in_torch.low,), high=(in_torch.high,), style=1)
        series += [interval, Series("this run, measured", at, (in_torch.synops,), style=3, emphasis=True)]
    return Panel(Axis("SynOps predicted"), Axis("SynOps after fine-tuning"), tuple(series))


def _ends(values: list[float]) -> tuple[float, float]:
    return min(values), max(values)
