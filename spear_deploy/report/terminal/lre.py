"""How well SynOps were predicted."""

from __future__ import annotations

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.text import Text

from spear_deploy.report import LreReport, Report, ScatterPoint
from spear_deploy.report.terminal.table import Table

WIDTH, HEIGHT = 56, 16
"""Of the plot, in characters."""


def lre_text(report: Report) -> Group:
    """Every estimator of LRE, and each sample over what was predicted of it."""
    found = report.lre
    title = Text(f"LRE for {Path(report.model).name} on {report.data}: {found.samples} samples", style="bold")
    lacking = [name for name in ("estimators", "scatter") if not getattr(found, name)]
    if lacking:
        text = f"this report, of an earlier version, lacks {' and '.join(lacking)}; run deploy again to have them"
        line = f"linear: SynOps = {found.linear.slope:.4g} x pruned + {found.linear.intercept:,.0f}"
        return Group(title, Text(f"{line}, r2 {found.linear.r2:.3f}"), Text(text, style="yellow"))
    legend = "* used by the search; mean and worst error, share inside the interval: each sample by a fit on all others"
    parts: list[Table | Text] = [title, _table(found), Text(legend, "dim"), Text(), *_plot(found.scatter), Text()]
    line = f"{found.linear.slope:.4g} x SynOps after pruning + {found.linear.intercept:,.0f}"
    parts.append(Text(f"linear: SynOps = {line}"))
    if found.extrapolated:
        parts.append(Text(f"warning: the pruned network lies outside of the samples: {found.extrapolated}", "yellow"))
    return Group(*parts)


def _table(found: LreReport) -> Table:
    """Errors are those at each sample of a fit on all others; the prediction is for the pruned network."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    for heading in ("mean", "worst", "inside", "r2", "predicted", "95 % interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, each in found.estimators.items():
        table.add_row(
            f"{name} *" if name == found.estimator else name,
            f"{each.loo_mean_error_percent:.1f} %",
            f"{each.loo_worst_error_percent:.1f} %",
            f"{each.loo_coverage:.0%}",
            "" if each.loo_r2 is None else f"{each.loo_r2:.3f}",
            f"{each.predicted:,.0f}",
            f"{each.low:,.0f}-{each.high:,.0f}",
        )
    if found.anchors:
        interval = f"{found.low:,.0f}-{found.high:,.0f}"
        table.add_row(f"{found.estimator} *", "", "", "", "", f"{found.predicted:,.0f}", interval)
    return table


def _plot(points: list[ScatterPoint]) -> list[Text]:
    """Measured SynOps over predicted ones; a sample on the diagonal is predicted rightly."""
    most = max(max(point.synops, point.loo_predicted) for point in points)
    cells = [[" "] * WIDTH for _ in range(HEIGHT)]
    for column in range(WIDTH):
        cells[_row(column / (WIDTH - 1))][column] = "."
    for point in points:
        column = round(max(point.loo_predicted, 0.0) / most * (WIDTH - 1))
        cells[_row(point.synops / most)][column] = "o"
    label = f"{most:,.0f}"
    lines = [Text(f"{label if row == 0 else '':>12} |{''.join(cells[row])}") for row in range(HEIGHT)]
    axis = f"{'0':>12} +{'-' * WIDTH}"
    return [
        Text("SynOps after fine-tuning, measured (up) over predicted without the sample (right)"),
        *lines,
        Text(axis),
        Text(f"{'':>13}{label:>{WIDTH + 1}}"),
    ]


def _row(height: float) -> int:
    return HEIGHT - 1 - round(height * (HEIGHT - 1))
