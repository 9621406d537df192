"""`spear-deploy compare MODEL.. --target a,b,c|all`: one table for many chips."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from spear_deploy.cli.console import TerminalProgress, err, out
from spear_deploy.cli.gates import Budgets, FailOn
from spear_deploy.cli.reading import (
    Arch,
    Data,
    Dt,
    InputEncoding,
    InputShape,
    OutputObjective,
    OutputReadOut,
    TimeSteps,
    reading,
)
from spear_deploy.cli.targets import Target
from spear_deploy.jobs.asked import budgets_of, gates_of
from spear_deploy.jobs.check import SAMPLES, check_all, subjects_of
from spear_deploy.jobs.chips import chips_of
from spear_deploy.report.chip_json import held_json, row_json
from spear_deploy.report.pictures.comparison_picture import comparison_svg
from spear_deploy.report.pictures.file import write_picture
from spear_deploy.report.terminal.compare import (
    SORT_KEYS,
    comparison_html,
    comparison_table,
    csv_columns,
    csv_row,
    synops_text,
)

EPILOG = """
Examples:

  spear-deploy compare model.pt --target all --sort energy

  spear-deploy compare model.pt --target all --budget 3uJ --fail-on misfit,budget

  spear-deploy compare dense.pt pruned.pt --target loihi1,loihi2 --csv > table.csv

Every figure has its source in: spear-deploy profiles show NAME

Exit code 0: each model passes every gate of --fail-on, by default none, on each target; 1: one does not; 2: bad input.
"""


def compare(
    models: Annotated[list[Path], typer.Argument(help="Model files, dense or pruned.", metavar="MODEL..")],
    target: Target = "all",
    data: Data = None,
    samples: Annotated[
        int | None,
        typer.Option(
            min=1, help="Test samples, spread over the split, whose spikes are measured.", show_default=str(SAMPLES)
        ),
    ] = None,
    arch: Arch = None,
    input_shape: InputShape = None,
    time_steps: TimeSteps = None,
    dt: Dt = None,
    encoding: InputEncoding = None,
    read_out: OutputReadOut = None,
    objective: OutputObjective = None,
    budget: Budgets = None,
    fail_on: FailOn = "",
    sort: Annotated[str, typer.Option(help=f"Order of the rows: {', '.join(SORT_KEYS)}.")] = "target",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV alone on stdout.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write table and plot.", metavar="FILE")] = None,
    svg: Annotated[Path | None, typer.Option(help="Write the plot.", metavar="FILE")] = None,
) -> None:
    """Place and price MODEL on many chips: what fits, what binds, what an inference costs."""
    if sort not in SORT_KEYS:
        raise typer.BadParameter(f"--sort {sort}: no such column; known: {', '.join(SORT_KEYS)}")
    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv both print on stdout; give one")
    profiles, limits, at = chips_of(target), budgets_of(budget or ()), gates_of(fail_on)
    given = reading(arch, input_shape, time_steps, dt, encoding, read_out, objective)
    tell = TerminalProgress().notice
    subjects = subjects_of(models, data, samples, given, tell)
    found = sorted(check_all(subjects, profiles, limits, tell), key=lambda each: SORT_KEYS[sort](each.row))
    rows = [each.row for each in found]
    if as_json:
        listed = [
            row_json(each.row) | {"measured": each.origin, "budgets": held_json(each.held), "told": list(each.told)}
            for each in found
        ]
        print(json.dumps(listed, indent=2))
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        encodings = {subject.name: str(subject.model.encoding) for subject in subjects}
        writer.writerow(csv_columns(limits))
        writer.writerows(csv_row(each.row, encodings[each.row.model], each.held) for each in found)
    else:
        out.print(comparison_table(rows, with_model=len(models) > 1))
        for each in found:
            for held in each.held:
                out.print(f"{each.row.model} on {each.row.profile.name}: {held.text}")
        for line in synops_text(rows, {(each.row.model, each.row.profile.name): each.origin_text for each in found}):
            out.print(line)
        out.print("sources of every figure: spear-deploy profiles show NAME")
    if svg is not None:
        _write(svg, comparison_svg(rows))
    if html is not None:
        told = [line for each in found for line in each.told]
        _write(html, comparison_html(rows, [each.held for each in found], told))
    stopped = [line for each in found for line in each.stopped_at(at)]
    for line in stopped:
        err.print(line)
    if stopped:
        raise typer.Exit(1)


def _write(file: Path, content: str) -> None:
    write_picture(file, content)
    err.print(f"written to {file}")
