"""`spear-deploy validate RUN...`: did LRE's interval hold, and where does the gap come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from spear_deploy.cli.console import err, out
from spear_deploy.jobs.validate import validate as run_validate
from spear_deploy.report.gap import Coverage, Gap, RunCheck, coverage
from spear_deploy.report.lre_part import LreCheck
from spear_deploy.report.reading import find_runs, read_run
from spear_deploy.report.terminal.table import Table
from spear_deploy.report.words.names import names_apart
from spear_deploy.report.words.quantity_text import error_text

EPILOG = """
Examples:

  spear-deploy validate runs/model-loihi2-20260101-120000

  spear-deploy validate runs/* --json

LRE predicts the network after the plain fine-tune, and its interval is held against that; a delivered one that went
through the second phase has a table of its own. Exit code 0: LRE's interval holds every measurement; 1: it does not;
2: bad input.
"""


def validate(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or one of several targets or budgets.")],
    again: Annotated[
        bool, typer.Option("--again", help="Measure the network of the run again, in torch and the target's integers.")
    ] = False,
    data: Annotated[str | None, typer.Option(help="With --again: where the data lie now.")] = None,
    profile: Annotated[
        str | None, typer.Option(help="With --again: name or TOML file of the target.", metavar="NAME|FILE")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")] = False,
) -> None:
    """Hold LRE's interval against SynOps measured on data that the search never saw."""
    folders = [read_run(folder) for folder in find_runs(runs)]
    names = names_apart([folder.path for folder in folders])
    checked = []
    for name, folder in zip(names, folders, strict=True):
        checked.append(run_validate(name, folder, again=again, data=data, profile=profile))
        for gap in folder.gaps:
            err.print(f"{folder.path}: {gap}", style="yellow")
    together = coverage(checked)
    if as_json:
        print(json.dumps(_content(checked, together), indent=2))
    else:
        for run in checked:
            out.print(_shown(run))
        if together is not None:
            out.print(_together(together, checked))
    if not all(run.covered for run in checked):
        raise typer.Exit(1)


def _shown(run: RunCheck) -> Group:
    measured = "measured again" if run.again else "as the run measured"
    table = _held(f"{run.run} on {run.target}, {measured}", run.checks)
    second = (
        [_held("the same of the delivered network, after the second phase", run.delivered)] if run.delivered else []
    )
    parts: list[RenderableType] = [table, *second, _layers(run)]
    if not run.checks:
        parts.append(Text("nothing was measured that the prediction can be held against", style="red"))
    if run.gap is not None:
        parts.append(Text(_gap_text(run.gap, run.basis)))
    return Group(*parts)


def _held(title: str, checks: Mapping[str, LreCheck]) -> Table:
    """What was predicted of a network against what each backend measured."""
    table = Table(title=title, title_justify="left")
    table.add_column("backend")
    for column in ("samples", "predicted", "95 % interval", "measured", "error", ""):
        table.add_column(column, justify="right", no_wrap=True)
    for name, check in checks.items():
        table.add_row(
            f"{name} ({check.arithmetic})",
            f"{check.samples:,}",
            f"{check.predicted:,.0f}",
            f"{check.low:,.0f}..{check.high:,.0f}",
            f"{check.synops:,.0f}",
            error_text(check.error_percent),
            "inside" if check.covered else "OUTSIDE",
            style="" if check.covered else "red",
        )
    return table


def _layers(run: RunCheck) -> Table:
    backends = list(dict.fromkeys(name for layer in run.layers for name in layer.synops))
    table = Table(title=f"SynOps by layer, network {run.network}", title_justify="left")
    table.add_column("layer")
    for name in (*backends, "by rounding"):
        table.add_column(name, justify="right")
    for layer in run.layers:
        values = [f"{layer.synops[name]:,.0f}" if name in layer.synops else "not measured" for name in backends]
        table.add_row(layer.layer, *values, "" if layer.rounding is None else f"{layer.rounding:+z.2%}")
    return table


def _gap_text(gap: Gap, basis: str) -> str:
    text = f"predicted / measured in {basis}: {gap.total:.4f}"
    if gap.lre is None or gap.data is None:
        return f"{text}, of which quantisation {gap.quantisation:.4f}; LRE and data cannot be told apart in this run"
    return (
        f"{text} = LRE {gap.lre:.4f} x data {gap.data:.4f} x quantisation {gap.quantisation:.4f}"
        f" (most by {gap.largest})"
    )


def _together(found: Coverage, checked: list[RunCheck]) -> str:
    runs = f"{found.runs} run{'s' if found.runs > 1 else ''}"
    held = (
        f"{runs}: LRE's interval held in {found.covered} ({found.covered / found.runs:.0%}), after the plain fine-tune"
    )
    if found.mean_error_percent is not None:
        held += f"; error {found.mean_error_percent:.1f} % on average, {found.worst_error_percent:.1f} % at worst"
    further = [all(check.covered for check in run.delivered.values()) for run in checked if run.delivered]
    if further:
        held += f"; that of the delivered network in {sum(further)} of {len(further)}"
    return held


def _content(runs: list[RunCheck], together: Coverage | None) -> dict[str, object]:
    return {
        "runs": [
            {
                "run": run.run,
                "target": run.target,
                "basis": run.basis,
                "measured_again": run.again,
                "covered": run.covered,
                "checks": {name: check.model_dump() for name, check in run.checks.items()},
                "delivered": {name: check.model_dump() for name, check in run.delivered.items()},
                "gap": None if run.gap is None else asdict(run.gap) | {"largest": run.gap.largest},
                "layers_of": run.network,
                "layers": [asdict(layer) for layer in run.layers],
            }
            for run in runs
        ],
        "coverage": None if together is None else asdict(together),
    }
