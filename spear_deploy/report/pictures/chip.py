"""The chip: cores, energy by part, rounding of the weights."""

from __future__ import annotations

from spear_deploy.hardware.amounts import energy_text, unit_for
from spear_deploy.hardware.cost.cost import lacking_text
from spear_deploy.report.chip_part import CostReport
from spear_deploy.report.part import Range
from spear_deploy.report.pictures.figure import Axis, Figure, Level, Mark, Panel, Series, Table, number_text
from spear_deploy.report.schema import Report


def cores_figure(report: Report) -> Figure | None:
    """How full each core is; None where not recorded or where no limit is known."""
    placement = report.placement
    if placement is None or all(core.share is None for core in placement.core_table):
        return None
    layers = list(dict.fromkeys(core.layer for core in placement.core_table))
    series = []
    for place, layer in enumerate(layers):
        cores = [core for core in placement.core_table if core.layer == layer]
        series.append(
            Series(
                layer,
                tuple(float(core.core) for core in cores),
                tuple(core.share for core in cores),
                Mark.BARS,
                style=place,
            )
        )
    more = f"; the first {len(placement.core_table)} are shown" if placement.cores_left_out else ""
    return Figure(
        "cores",
        "How full the cores are",
        f"{placement.cores:,} cores on {placement.chips:,} chip{'s' if placement.chips > 1 else ''}{more}: the share"
        " that each uses of the resource that fills it most.",
        (Panel(Axis("core", whole=True), Axis("used", percent=True), tuple(series), (Level("full", 1.0),)),),
        Table(
            ("core", "layer", "neurons", "router (column, row)", "fullest resource", "used"),
            tuple(
                (
                    str(core.core),
                    core.layer,
                    number_text(core.neurons),
                    "not available" if core.column is None else f"{core.column}, {core.row}",
                    core.binding or "no limit is known",
                    number_text(core.share, percent=True),
                )
                for core in placement.core_table
            ),
        ),
    )


def energy_figure(report: Report) -> Figure | None:
    """Energy by part, dense and pruned, each with its range and status; None where nothing is priced."""
    costs = {name: cost for name, cost in report.cost.items() if cost.priced_pj is not None}
    if not costs:
        return None
    parts = {part.name: part for cost in costs.values() for part in cost.parts}
    every = [part.energy_pj.high for cost in costs.values() for part in cost.parts if part.energy_pj is not None]
    unit, worth_pj = unit_for(max(every), "pJ")
    series = tuple(
        _energies(name, cost, tuple(parts), place, worth_pj) for place, (name, cost) in enumerate(costs.items())
    )
    lacking = {part.name: part.lacks for cost in costs.values() for part in cost.parts if part.energy_pj is None}
    gap = f" The total is not available: {lacking_text(sorted(lacking.items()))}." if lacking else ""
    zero = [name for name, part in parts.items() if part.energy_pj is not None and part.energy_pj.high == 0]
    gap += f" Nothing is spent on {', '.join(zero)}, which a logarithmic axis cannot show." if zero else ""
    statuses = sorted({cost.energy_status for cost in costs.values()})
    sure: dict[str, list[str]] = {}
    for name, part in parts.items():  # beside the parts on the axis there is no room for it on a narrow screen
        if part.energy_pj is not None:
            sure.setdefault(part.status, []).append(name)
    each = "; ".join(f"{status}: {', '.join(names)}" for status, names in sure.items())
    return Figure(
        "energy",
        "Energy of an inference by part",
        f"Typical energy on {report.target} with its range, from the spikes measured on test; the total is"
        f" {' and '.join(statuses)}. Prices are {each}.{gap}",
        (Panel(Axis("", categories=tuple(parts)), Axis(f"energy [{unit}]", log=True), series),),
        _parts(costs),
    )


def rounding_figure(report: Report) -> Figure | None:
    """Rounding error by connection; None where the target does not compute in integers."""
    if not report.rounding:
        return None
    names = tuple(f"{row.source} → {row.layer}" for row in report.rounding)
    worst = tuple(row.worst_error for row in report.rounding)
    mean = tuple(row.mean_error for row in report.rounding)
    return Figure(
        "rounding",
        "What rounding cost",
        f"Error of the weights of each connection in {report.budget.arithmetic}, relative to its largest weight.",
        (
            Panel(
                Axis("", categories=names),
                Axis("error of a weight", percent=True),
                (Series("worst", names, worst, Mark.BARS, style=3), Series("mean", names, mean, Mark.BARS)),
            ),
        ),
        Table(
            ("connection", "weights", "bits", "scale", "exponent", "worst", "mean", "clipped", "vanished", "headroom"),
            tuple(
                (
                    name,
                    number_text(row.weights),
                    number_text(row.weight_bits),
                    number_text(row.scale),
                    str(row.exponent),
                    f"{row.worst_error:.3%}",
                    f"{row.mean_error:.3%}",
                    number_text(row.clipped),
                    number_text(row.vanished),
                    "not recorded" if row.headroom is None else number_text(row.headroom, percent=True),
                )
                for name, row in zip(names, report.rounding, strict=True)
            ),
        ),
    )


def _energies(name: str, cost: CostReport, names: tuple[str, ...], place: int, worth_pj: float) -> Series:
    found = {part.name: part.energy_pj for part in cost.parts}
    ranges = [found.get(part) for part in names]
    return Series(
        name,
        names,
        tuple(None if each is None else _drawable(each.typical / worth_pj) for each in ranges),
        low=tuple(None if each is None else _drawable(each.low / worth_pj) for each in ranges),
        high=tuple(None if each is None else each.high / worth_pj for each in ranges),
        style=(5, 0)[place % 2],
        emphasis=True,
    )


def _drawable(energy: float) -> float | None:
    """A logarithmic axis has no zero; the table has."""
    return energy if energy > 0 else None


def _parts(costs: dict[str, CostReport]) -> Table:
    rows = []
    for name, cost in costs.items():
        for part in cost.parts:
            status = f"at least, {part.status}" if part.at_least else part.status
            rows.append(
                (name, part.name, number_text(part.count), *_ends(part.energy_pj), status, ", ".join(part.figures))
            )
        rows.append((name, "total", "", *_ends(cost.energy_pj), cost.energy_status, ""))
    return Table(("", "part", "count", "low", "typical", "high", "status", "prices"), tuple(rows))


def _ends(energy: Range | None) -> tuple[str, str, str]:
    if energy is None:
        return ("not available",) * 3
    return energy_text(energy.low), energy_text(energy.typical), energy_text(energy.high)
