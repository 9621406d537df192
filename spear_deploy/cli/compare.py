"""`spear-deploy compare MODEL.. --target a,b,c|all`: one table for many chips."""

from __future__ import annotations

import csv
import json
import sys
from html import escape
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from spear_deploy.cli.check import origin_text, subject_of
from spear_deploy.cli.console import out
from spear_deploy.cli.gates import Budgets, FailOn, gates, held_json, stop
from spear_deploy.cli.reading import Arch, Data, Dt, InputEncoding, InputShape, OutputReadOut, TimeSteps, reading
from spear_deploy.cli.targets import Target, read_targets
from spear_deploy.files import MARK, replaced_when_complete
from spear_deploy.hardware.budget import parse_budgets
from spear_deploy.hardware.comparison import SORT_KEYS, Row
from spear_deploy.jobs.check import SAMPLES, check_all
from spear_deploy.report.chip_json import row_json
from spear_deploy.report.pictures.comparison_picture import comparison_svg
from spear_deploy.report.words.quantity_text import energy_text, time_text

EPILOG = """
Examples:

  spear-deploy compare model.pt --target all --sort energy

  spear-deploy compare dense.pt pruned.pt --target loihi1,loihi2 --csv > table.csv

Every figure has its source in: spear-deploy profiles show NAME
"""

COLUMNS = ("model", "target", "fits", "cores", "binding limit", "SynOps", "energy", "status", "time", "keep to fit")
_NOT_AVAILABLE = "not available"


def compare(
    models: Annotated[list[Path], typer.Argument(help="Model files, dense or pruned.", metavar="MODEL..")],
    target: Target = "all",
    data: Data = None,
    samples: Annotated[int, typer.Option(min=1, help="Test samples whose spikes are measured.")] = SAMPLES,
    arch: Arch = None,
    input_shape: InputShape = None,
    time_steps: TimeSteps = None,
    dt: Dt = None,
    encoding: InputEncoding = None,
    read_out: OutputReadOut = None,
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
    profiles, limits, at = read_targets(target), parse_budgets(budget or ()), gates(fail_on)
    given = reading(arch, input_shape, time_steps, dt, encoding, read_out)
    subjects = [subject_of(path, data, samples, given) for path in models]
    found = sorted(check_all(subjects, profiles, limits), key=lambda each: SORT_KEYS[sort](each.row))
    rows = [each.row for each in found]
    origins = {subject.name: subject.origin for subject in subjects}
    if as_json:
        listed = [
            row_json(each.row) | {"measured": origins[each.row.model], "budgets": held_json(each)} for each in found
        ]
        print(json.dumps(listed, indent=2))
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(_CSV_COLUMNS)
        writer.writerows(_csv(row) for row in rows)
    else:
        out.print(_table(rows, with_model=len(models) > 1))
        for each in found:
            for held in each.held:
                out.print(f"{each.row.model} on {each.row.profile.name}: {held.text}")
        for subject in subjects:
            out.print(f"{subject.name}: {origin_text(subject)}")
        out.print("sources of every figure: spear-deploy profiles show NAME")
    for file, content in ((svg, comparison_svg), (html, _html)):
        if file is not None:
            with replaced_when_complete(file) as working:
                working.write_text(content(rows), encoding="utf-8")
            print(f"written to {file}", file=sys.stderr)
    stop(found, at)


def cells(row: Row) -> tuple[str, ...]:
    """One row of the table, in the order of `COLUMNS`."""
    placement, cost, binding = row.verdict.placement, row.cost, row.binding
    available = row.profile.cores_available
    cores = "-" if available is None else f"{placement.cores_needed:,} of {available:,}"
    limit = "none known" if binding is None else f"{binding.resource}, {binding.share:.0%}"
    if not row.verdict.fits:
        first = row.verdict.violations[0]
        others = len(row.verdict.violations) - 1
        limit = f"{first.rule}: {first.found}" + (f" and {others} more" if others else "")
    energy = time = _NOT_AVAILABLE
    if cost is not None:
        if cost.energy_pj is not None:
            energy = ("at least " if cost.energy_at_least else "") + energy_text(cost.energy_pj)
        elif cost.priced_pj is not None:
            energy = f"above {energy_text(cost.priced_pj.low)}, without {', '.join(cost.unpriced)}"
        time = _NOT_AVAILABLE if cost.time_ns is None else time_text(cost.time_ns)
    return (
        row.model,
        row.profile.name,
        row.verdict.text,
        cores,
        limit,
        "" if cost is None else f"{cost.synops:,.0f}",
        energy,
        "" if cost is None else str(cost.energy_status),
        time,
        "pruning cannot" if row.keep is None else f"{row.keep:.0%}",
    )


def _table(rows: list[Row], *, with_model: bool) -> Table:
    first = 0 if with_model else 1
    table = Table()
    for column in COLUMNS[first:]:
        table.add_column(column, no_wrap=column == "target")  # the name has to be typed
    for row in rows:
        table.add_row(*cells(row)[first:], style="" if row.verdict.fits else "dim")
    return table


_CSV_COLUMNS = (
    "model",
    "target",
    "fits",
    "verdict",
    "cores",
    "cores_available",
    "binding",
    "binding_used",
    "binding_allowed",
    "synops",
    "energy_low_pj",
    "energy_typical_pj",
    "energy_high_pj",
    "energy_status",
    "unpriced",
    "energy_at_least",
    "priced_low_pj",
    "time_low_ns",
    "time_typical_ns",
    "time_high_ns",
    "keep_ratio_to_fit",
    "violations",
)


def _csv(row: Row) -> tuple[object, ...]:
    """Plain numbers, empty where not available."""
    cost, binding = row.cost, row.binding
    energy = cost.energy_pj if cost is not None else None
    time = cost.time_ns if cost is not None else None
    return (
        row.model,
        row.profile.name,
        row.verdict.fits,
        row.verdict.text,
        row.verdict.placement.cores_needed,
        row.profile.cores_available,
        None if binding is None else binding.resource,
        None if binding is None else binding.used,
        None if binding is None else binding.allowed,
        None if cost is None else cost.synops,
        *((None,) * 3 if energy is None else (energy.low, energy.typical, energy.high)),
        None if cost is None else str(cost.energy_status),
        None if cost is None else "; ".join(cost.unpriced),
        None if cost is None else cost.energy_at_least,
        None if cost is None or cost.priced_pj is None else cost.priced_pj.low,
        *((None,) * 3 if time is None else (time.low, time.typical, time.high)),
        row.keep,
        "; ".join(dict.fromkeys(finding.rule for finding in row.verdict.violations)),
    )


def _html(rows: list[Row]) -> str:
    """Table and plot in one page that needs nothing else."""
    head = "".join(f"<th>{escape(name)}</th>" for name in COLUMNS)
    body = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells(row)) + "</tr>" for row in rows)
    models = escape(", ".join(dict.fromkeys(row.model for row in rows)))
    chips = len({row.profile.name for row in rows})
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="generator" content="{MARK}"><title>spear-deploy compare</title>
<style>body{{font-family:sans-serif;margin:2em}} table{{border-collapse:collapse;margin-bottom:2em}}
td,th{{border:1px solid #ccc;padding:.3em .6em;text-align:left}}</style></head><body>
<h1>{models} on {chips} chips</h1>
<table><tr>{head}</tr>
{body}
</table>
{comparison_svg(rows)}
</body></html>
"""
