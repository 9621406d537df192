"""`spear-deploy report RUN...`: the page that people open."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from spear_deploy.cli.console import err, out
from spear_deploy.report.reading import RunFolder, find_runs, read_run
from spear_deploy.report.seeds import SEEDS_SAID, left_out, seed_columns, seed_rows
from spear_deploy.report.terminal.table import Table
from spear_deploy.report.words.wording import cut_text
from spear_deploy.report.write import PAGE, PLOTS, make_page, write_page, write_plots

EPILOG = """
Examples:

  spear-deploy report runs/model-loihi2-20260101-120000 --open

  spear-deploy report runs/* --out comparison.html --plot    (runs of several seeds: mean and spread as well)

Exit code 0: everything was there; 1: the page says what is missing; 2: no run was found.
"""
COMPARISON = "comparison.html"


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or one of several targets or budgets.")],
    open_: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out", help=f"The page; by default {PAGE} in the run, or {COMPARISON} beside several.", metavar="FILE"
        ),
    ] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Write the figures as SVG and PNG as well.")] = False,
) -> None:
    """Make report.html again from a RUN; of several runs, one page that compares them."""
    folders = find_runs(runs)
    found = [read_run(folder) for folder in folders]
    page = make_page(found)
    path = out_file or _default(folders)
    write_page(page, path)
    for run in found:
        for gap in run.gaps:
            err.print(f"{run.path}: {gap}", style="yellow")
        if run.report is not None and run.report.interrupted:
            err.print(f"{run.path}{cut_text(run.report)}", style="yellow")
    for part in _over_seeds(found):
        out.print(part)
    out.print(f"written to {path}")
    if plot:
        write_plots(page, path.parent / PLOTS)
        out.print(f"figures in {path.parent / PLOTS}")
    if open_:
        webbrowser.open(path.absolute().as_uri())
    if any(run.gaps for run in found):
        raise typer.Exit(1)


def _over_seeds(runs: Sequence[RunFolder]) -> Iterator[RenderableType]:
    """Runs that differ in nothing but their seed, a column for each setting that there are several of."""
    reports = {str(run.path): run.report for run in runs if run.report is not None}
    rows = seed_rows(reports)
    if rows:
        yield Text(SEEDS_SAID)
        table = Table(show_header=False)
        for head, *cells in zip(seed_columns(reports), *rows, strict=True):
            table.add_row(head, *cells)
        for column in table.columns:
            column.overflow = "fold"
        yield table
    yield from map(Text, left_out(reports))


def _default(folders: list[Path]) -> Path:
    if len(folders) == 1:
        return folders[0] / PAGE
    return Path(os.path.commonpath([folder.absolute().parent for folder in folders])) / COMPARISON
