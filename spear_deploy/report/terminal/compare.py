"""Networks on many chips: one table, on the terminal, as CSV and as HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from math import inf

from rich.table import Table

from spear_deploy.hardware.amounts import energy_text, time_text
from spear_deploy.hardware.comparison import Row
from spear_deploy.report.pictures.comparison_picture import comparison_svg
from spear_deploy.system.files import MARK


def _energy(row: Row) -> float:
    energy = row.cost.energy_pj if row.cost is not None else None
    return inf if energy is None else energy.typical


def _time(row: Row) -> float:
    time = row.cost.time_ns if row.cost is not None else None
    return inf if time is None else time.typical


SORT_KEYS: dict[str, Callable[[Row], tuple[float, str] | str]] = {
    "target": lambda row: row.profile.name,
    "fits": lambda row: (float(not row.verdict.fits), row.profile.name),
    "cores": lambda row: (float(row.verdict.placement.cores_needed), row.profile.name),
    "energy": lambda row: (_energy(row), row.profile.name),
    "time": lambda row: (_time(row), row.profile.name),
    "keep": lambda row: (-row.keep if row.keep is not None else inf, row.profile.name),
}
"""What rows can be ordered by; what is not available comes last."""

COLUMNS = ("model", "target", "fits", "cores", "binding limit", "SynOps", "energy", "status", "time", "keep to fit")
_NOT_AVAILABLE = "not available"


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


def comparison_table(rows: Sequence[Row], *, with_model: bool) -> Table:
    """A line for each model on each chip."""
    first = 0 if with_model else 1
    table = Table()
    for column in COLUMNS[first:]:
        table.add_column(column, no_wrap=column == "target")  # the name has to be typed
    for row in rows:
        table.add_row(*cells(row)[first:], style="" if row.verdict.fits else "dim")
    return table


CSV_COLUMNS = (
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


def csv_row(row: Row) -> tuple[object, ...]:
    """Plain numbers in the order of `CSV_COLUMNS`, empty where not available."""
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


def comparison_html(rows: Sequence[Row]) -> str:
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
