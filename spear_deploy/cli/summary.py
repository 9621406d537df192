"""The table that a person reads in ten seconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.text import Text

from spear_deploy.report import Report
from spear_deploy.report.checks import besides_torch, predictions, references, repeated
from spear_deploy.report.front import front_columns, front_notes, front_rows
from spear_deploy.report.terminal.table import Table
from spear_deploy.report.words.caveats import caveats
from spear_deploy.report.words.quantity_text import (
    error_text,
    limit_names,
    limit_texts,
    prediction_texts,
    unsure_text,
    used_text,
)
from spear_deploy.report.words.scores import points, right_answers, score_text
from spear_deploy.report.words.wording import cut_mark, cut_text, repeated_text
from spear_deploy.report.write import PAGE


def summary(report: Report, folder: Path) -> Group:
    """Dense and pruned side by side, budget, prediction, what Lava measured, and the verdict."""
    table = Table(title=f"{Path(report.model).name} on {report.target}", title_justify="left")
    table.add_column("")
    table.add_column("dense", justify="right")
    table.add_column("pruned", justify="right")
    table.add_column("", justify="right")
    dense, pruned = report.dense, report.pruned
    change = 100 * (pruned.accuracy - dense.accuracy)
    table.add_row(
        f"{right_answers(report)} (test)",
        score_text(report, dense.accuracy),
        score_text(report, pruned.accuracy),
        f"{change:+z.2f} {points(report)}",
    )
    table.add_row("SynOps / inference, torch", *_counts(dense.synops, pruned.synops))
    judged = report.budget.limits[0]
    if report.verdict.basis in besides_torch(report):
        table.add_row(f"SynOps / inference, {report.verdict.basis}", *_counts(judged.dense, judged.pruned))
    if dense.synops_analog:
        table.add_row("analog input ops", *_counts(dense.synops_analog, pruned.synops_analog))
    table.add_row("parameters", *_counts(dense.parameters, pruned.parameters))
    shown = [limit for limit in report.budget.limits[1:] if not limit.name.endswith("per core")]
    for name, limit in zip(limit_names(shown), shown, strict=True):
        table.add_row(name, *limit_texts(limit))
    written = Text(f"written to {folder}, to read: {folder / PAGE}")
    return Group(table, _prediction(report), *_lines(report), _verdict(report), written)


def _prediction(report: Report) -> Table:
    """LRE's predictions of two networks, each beside what was measured of that one."""
    lre, basis = report.lre, report.verdict.basis
    title = f"SynOps as LRE predicts them ({lre.basis}) and as {basis} measures them"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("network", no_wrap=True)
    for name in ("predicted", "95 % interval", "constant", "measured", "error", ""):
        table.add_column(name, justify="right", no_wrap=name != "95 % interval")
    for row in predictions(report):
        if row.backend == basis:
            one = row.check
            table.add_row(
                row.network,
                f"{one.predicted:,.0f}",
                f"{one.low:,.0f} to {one.high:,.0f}",
                "" if row.constant is None else f"{row.constant:,.0f}",
                f"{one.synops:,.0f}",
                error_text(one.error_percent),
                "inside" if one.covered else "OUTSIDE",
            )
    return table


def front(reports: Mapping[Path, Report]) -> Group:
    """Accuracy against SynOps on the test split, in each target's arithmetic, and what no other result beats."""
    table = Table(title="front", title_justify="left")
    table.add_column("result")
    for name in front_columns(reports):
        table.add_column(name, justify="right")
    for folder, cells in front_rows(reports).items():
        report = reports[folder]
        table.add_row(f"{report.target} {report.budget.source}{cut_mark(report)}", *cells)
    return Group(table, *map(Text, front_notes(reports)))


def _counts(dense: float, pruned: float) -> tuple[str, str, str]:
    return f"{dense:,.0f}", f"{pruned:,.0f}", f"{pruned / dense:.1%}" if dense else ""


def _lines(report: Report) -> list[Text]:
    budget, lre = report.budget, report.lre
    share = budget.limits[0].pruned / budget.synops
    lines = [
        Text(f"budget     {budget.synops:,.0f} SynOps ({budget.source} on {budget.split}); used {share:.1%} on test"),
    ]
    if report.adapted:
        lines.append(Text(f"adapted    {report.adapted}"))
    binding = next(limit for limit in budget.limits if limit.binds)
    lines.append(Text(f"binds      {binding.name}: {used_text(binding)} ({binding.origin})"))
    for limit in budget.limits:
        if (texts := prediction_texts(limit)) is not None:
            predicted, measured, held = texts
            lines.append(
                Text(f"predicted  {limit.name}: bound on test {predicted}; the plain network: {measured}, bound {held}")
            )
    for name in besides_torch(report):  # whose figures are those of the table
        lines += _measured(report, name)
    if report.answers is not None:
        lost = report.answers
        others = [each for each in references(report) if each.reference != lost.reference]
        beside = "".join(f"; {-each.drop_points:+z.2f} against the {each.reference}" for each in others)
        lines.append(
            Text(
                f"{'change':<10} {-lost.drop_points:+z.2f} {points(report)} against the {lost.reference} in"
                f" {budget.arithmetic} ({score_text(report, lost.reference_accuracy)} to"
                f" {score_text(report, lost.accuracy)}), 95 % interval {-lost.drop_high:+z.2f} to"
                f" {-lost.drop_low:+z.2f}{beside}"
            )
        )
    lines += [Text(f"warning    {caveat}", style="bold yellow") for caveat in caveats(report)]
    if lre.extrapolated:
        lines.append(Text(f"warning    LRE extrapolates: {lre.extrapolated}", style="bold yellow"))
    if report.budget.unchecked:
        lines.append(Text(f"unchecked  {', '.join(report.budget.unchecked)}", style="dim"))
    return lines


def _measured(report: Report, name: str) -> list[Text]:
    """What a backend measured, and whether it agrees with the one that it was held against."""
    found = report.measured[name]
    right = f"{right_answers(report)} {score_text(report, found.accuracy)}"
    text = f"{name:<10} {found.synops:,.0f} SynOps, {right} on {found.samples} samples"
    against = repeated(report).get(name)
    if against is None:
        return [Text(text)]
    agreement = report.agreement[f"{against}_{name}"]
    if agreement.first_difference is None:
        return [Text(f"{text}; spikes equal to {against} in all {len(agreement.layers)} layers")]
    at = agreement.first_difference
    counts = ", ".join(f"{who} {count:,}" for who, count in at.spikes.items())
    where = f"layer {at.layer}, step {at.step}, sample {at.sample}, neuron {at.neuron}"
    return [
        Text(f"{text}; spikes NOT equal to {against}"),
        Text(f"           first at {where}; spikes there: {counts}"),
    ]


def _verdict(report: Report) -> Text:
    if report.verdict.ok:
        unsure = unsure_text(report.budget.limits)
        known = f" as far as is known ({unsure})" if unsure else ""
        return Text(f"OK: within budget{known}{repeated_text(report)}{cut_text(report)}", style="bold green")
    return Text(f"NOT OK: {report.verdict.reason}{cut_text(report)}", style="bold red")
