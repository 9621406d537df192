"""Networks on many chips: one table, on the terminal, as CSV and as HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf

from rich.box import SIMPLE_HEAD

from spear_deploy.hardware.amounts import amount_text, both_texts, energy_text, keep_text, share_text, time_text
from spear_deploy.hardware.comparison import Row
from spear_deploy.hardware.gates import Held
from spear_deploy.hardware.limit import Limit
from spear_deploy.report.content import Drawn, Page, Section
from spear_deploy.report.pictures import Table as NumberTable
from spear_deploy.report.pictures.comparison_picture import comparison_svg
from spear_deploy.report.tables import Captioned
from spear_deploy.report.terminal.table import Table


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
    least = "at least " if placement.uncut else ""
    cores = f"{least}{placement.cores_needed:,}" + ("" if available is None else f" of {available:,}")
    limit = "none known" if binding is None else f"{binding.resource}, {share_text(binding.share)}"
    if not row.verdict.fits:
        broken = row.verdict.violations
        first = next((each for each in broken if binding and (each.rule, each.node) == binding.place), broken[0])
        others = len(row.verdict.violations) - 1
        limit = f"{first.rule}: {first.found}" + (f" and {others} more" if others else "")
    energy = time = _NOT_AVAILABLE
    if cost is not None:
        if cost.energy_pj is not None:
            energy = ("at least " if cost.energy_at_least else "") + energy_text(cost.energy_pj)
        elif cost.priced_pj is not None:
            energy = f"above {energy_text(cost.priced_pj.low)}, without {', '.join(cost.unpriced)}"
        if cost.time_ns is not None:
            time = ("at least " if cost.timing.at_least else "") + time_text(cost.time_ns)
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
        "pruning cannot" if row.keep is None else keep_text(row.keep),
    )


def comparison_table(rows: Sequence[Row], *, with_model: bool) -> Table:
    """A line for each model on each chip, readable at 80 columns; SynOps are the model's, and stand below."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in (*(["model"] if with_model else []), "target", "fits", "cores", "what binds", "energy", "time"):
        table.add_column(column, no_wrap=column == "target")  # a name has to be typed
    for row in rows:
        found = dict(zip(COLUMNS, cells(row), strict=True))
        energy, status = found["energy"], found["status"]
        table.add_row(
            *([found["model"]] if with_model else []),
            found["target"],
            found["fits"] if row.verdict.fits else f"no; keep to fit: {found['keep to fit']}",
            found["cores"],
            found["binding limit"],
            energy if energy == _NOT_AVAILABLE else f"{energy} ({status})",
            found["time"],
            style="" if row.verdict.fits else "dim",
        )
    return table


def synops_text(rows: Sequence[Row], origins: Mapping[tuple[str, str], str]) -> list[str]:
    """SynOps of each model, with the chips on which they are that many, and what they were measured on.

    Args:
        rows: of the table.
        origins: what each model was measured on for each target, in words.

    """
    chips: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        synops = "" if row.cost is None else f"{row.cost.synops:,.0f} SynOps an inference, "
        chips.setdefault((row.model, synops + origins[row.model, row.profile.name]), []).append(row.profile.name)
    alone = len(chips) == len({model for model, _ in chips})
    return [
        f"{model}: {text}" if alone else f"{model} on {', '.join(on)}: {text}" for (model, text), on in chips.items()
    ]


_CSV_COLUMNS = (
    "model",
    "target",
    "encoding",
    "fits",
    "verdict",
    "cores",
    "cores_at_least",
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
    "time_status",
    "time_at_least",
    "keep_ratio_to_fit",
    "violations",
    "unchecked",
)


def csv_columns(limits: Sequence[Limit]) -> tuple[str, ...]:
    """The columns of `csv_row`: five for each budget, after those that every row has.

    What is used of a budget may be that of other cores than the row's own columns tell of; `moved` says of which. It
    is a bound where a price or time is one: `at least`, `at most`, `about`.
    """
    budgets = [
        (
            f"budget {limit.quantity.key}: used [{limit.unit}]",
            f"budget {limit.quantity.key}: allowed [{limit.unit}]",
            f"budget {limit.quantity.key}: kept",
            f"budget {limit.quantity.key}: moved",
            f"budget {limit.quantity.key}: bound",
        )
        for limit in limits
    ]
    return (*_CSV_COLUMNS, *(name for columns in budgets for name in columns))


def _held_cells(held: Held) -> tuple[object, ...]:
    if held.use is None:
        return None, held.limit.allowed, None, None, None
    return held.use.used, held.limit.allowed, held.kept, held.moved or None, held.bound or None


def csv_row(row: Row, encoding: str, held: Sequence[Held]) -> tuple[object, ...]:
    """Plain numbers in the order of `csv_columns`, empty where not available."""
    cost, binding = row.cost, row.binding
    energy = cost.energy_pj if cost is not None else None
    time = cost.time_ns if cost is not None else None
    return (
        row.model,
        row.profile.name,
        encoding,
        row.verdict.fits,
        row.verdict.text,
        row.verdict.placement.cores_needed,
        bool(row.verdict.placement.uncut),
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
        None if cost is None or time is None else str(cost.timing.status),
        None if cost is None or time is None else cost.timing.at_least,
        row.keep,
        "; ".join(dict.fromkeys(finding.rule for finding in row.verdict.violations)),
        "; ".join(row.verdict.placement.unchecked),
        *(cell for each in held for cell in _held_cells(each)),
    )


def comparison_html(rows: Sequence[Row], held: Sequence[Sequence[Held]], told: Sequence[str]) -> str:
    """Table and plot on a page like that of a run, with the budgets of each row and what a user hears of the data."""
    from spear_deploy.report.html import render  # a page takes long to import, and few ask for one

    models = ", ".join(dict.fromkeys(row.model for row in rows))
    chips = len({row.profile.name for row in rows})
    table = NumberTable(COLUMNS, tuple(cells(row) for row in rows))
    caption = "Each model on each chip. Every figure has its source in: spear-deploy profiles show NAME"
    drawn = Drawn(comparison_svg(rows), "Energy of an inference on each chip. The numbers are in the table above.")
    sections = [Section("chips", "The chips", (Captioned(caption, table),), drawn=drawn)]
    if any(held):
        sections.append(Section("budgets", "The budgets", (_budgets(rows, held),)))
    verdict = f"{_fitting(rows)}{_keeping([each for of_row in held for each in of_row])}."
    return render(Page(f"{models} on {chips} chips", None, verdict, tuple(dict.fromkeys(told)), tuple(sections)))


def _fitting(rows: Sequence[Row]) -> str:
    return f"{sum(row.verdict.fits for row in rows)} of {len(rows)} rows fit"


def _keeping(held: Sequence[Held]) -> str:
    unknown = sum(each.use is None for each in held)
    broken = sum(not each.kept for each in held) - unknown
    said = f"; {broken} of {len(held)} budgets BROKEN" if held else ""
    return said + (f", {unknown} cannot be held" if unknown else "")


def _budgets(rows: Sequence[Row], held: Sequence[Sequence[Held]]) -> Captioned:
    columns = ("model", "target", "budget", "what is held", "used", "allowed", "", "placed with")
    of_rows = [(row, each) for row, of_row in zip(rows, held, strict=True) for each in of_row]
    return Captioned(
        "Each budget on each chip, by the unfavourable end of what is known of its prices.",
        NumberTable(
            columns,
            tuple((row.model, row.profile.name, each.limit.granted, *_held_texts(each)) for row, each in of_rows),
        ),
    )


def _held_texts(held: Held) -> tuple[str, ...]:
    allowed, unit = held.limit.allowed, held.limit.unit
    if held.use is None:
        return held.name, _NOT_AVAILABLE, amount_text(allowed, unit), held.outcome, held.moved
    used, most, shared = both_texts(held.use.used, allowed, unit)
    return held.name, f"{held.bound} {used} {shared}".strip(), f"{most} {shared}", held.outcome, held.moved
