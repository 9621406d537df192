"""Verdicts, costs and profiles as plain values for JSON."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Any

from spear_deploy.hardware.chip.figures import Status
from spear_deploy.hardware.chip.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spear_deploy.hardware.chip.figures import Spread
    from spear_deploy.hardware.comparison import Row
    from spear_deploy.hardware.cost.cost import Cost
    from spear_deploy.hardware.cost.input_output import Outside
    from spear_deploy.hardware.cost.timing import Timing
    from spear_deploy.hardware.gates import Held
    from spear_deploy.hardware.placement.placement import Core
    from spear_deploy.hardware.placement.use import ResourceUse
    from spear_deploy.hardware.rules.finding import Finding


def row_json(row: Row, *, cores: bool = False) -> dict[str, Any]:
    """A row; with `cores` the table of cores as well."""
    placement = row.verdict.placement
    content = {
        "model": row.model,
        "target": row.profile.name,
        "fits": row.verdict.fits,
        "verdict": row.verdict.text,
        "cores": placement.cores_needed,
        "cores_at_least": bool(placement.uncut),
        "cores_available": row.profile.cores_available,
        "chips": placement.chips_needed,
        "uncut": list(placement.uncut),
        "unchecked": list(placement.unchecked),
        "binding": None if row.binding is None else use_json(row.binding),
        "uses": [use_json(use) for use in placement.uses],
        "findings": [finding_json(finding) for finding in row.verdict.findings],
        "keep_ratio_to_fit": row.keep,
        "cost": None if row.cost is None else cost_json(row.cost),
    }
    if cores:
        content["core_table"] = [core_json(core) for core in placement.cores]
    return content


def use_json(use: ResourceUse) -> dict[str, Any]:
    """One resource, used and allowed."""
    return {
        "resource": use.resource,
        "used": use.used,
        "allowed": use.allowed,
        "unit": use.unit,
        "layer": use.layer,
        "origin": use.origin,
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """One violation or note."""
    return {
        "rule": finding.rule,
        "kind": str(finding.kind),
        "node": finding.node,
        "found": finding.found,
        "allowed": finding.allowed,
        "mend": finding.mend,
        "source": finding.source,
    }


def core_json(core: Core) -> dict[str, Any]:
    """One core: its layer, its part of it, and (used, allowed) by resource."""
    return {
        "core": core.number,
        "layer": core.layer,
        "channels": list(core.tile.channels),
        "rows": list(core.tile.rows),
        "columns": list(core.tile.columns),
        "neurons": core.neurons,
        "uses": {use.resource: [use.used, use.allowed] for use in core.uses},
        "binding": None if core.binding is None else core.binding.resource,
    }


def cost_json(cost: Cost) -> dict[str, Any]:
    """What an inference costs; energies in pJ, times in ns, powers in mW; null is not available."""
    return {
        "synops": cost.synops,
        "analog_operations": cost.analog_operations,
        "steps": cost.steps,
        "energy_pj": _spread(cost.energy_pj),
        "priced_pj": _spread(cost.priced_pj),
        "unpriced": list(cost.unpriced),
        "energy_status": str(cost.energy_status),
        "energy_at_least": cost.energy_at_least,
        "parts": [
            {
                "name": part.name,
                "figures": list(part.figures),
                "count": _number(part.count),
                "energy_pj": _spread(part.energy_pj),
                "status": str(part.status),
            }
            for part in cost.parts
        ],
        "synops_share": cost.synops_share,
        "synops_share_of_dynamic": cost.synops_share_of_dynamic,
        "time_ns": _spread(cost.time_ns),
        "timing": timing_json(cost.timing),
        "sequential_per_s": _spread(cost.sequential_per_s),
        "throughput_per_s": _spread(cost.throughput_per_s),
        "throughput_bound": cost.throughput_bound or None,
        "power_mw": _spread(cost.power_mw),
        "power_bound": cost.power_bound or None,
        "energy_delay_pj_s": _spread(cost.energy_delay_pj_s),
        "hops": None if cost.core_map is None else cost.core_map.hops_horizontal + cost.core_map.hops_vertical,
        "messages": float(cost.traffic.messages.sum()),
        "input_messages": float(cost.traffic.from_input.sum()),
        "with_io": outside_json(cost.outside),
    }


def outside_json(outside: Outside) -> dict[str, Any]:
    """Energy and time with input and output; lower bounds where `missing` names prices."""
    return {
        "energy_pj": _spread(outside.energy_pj),
        "time_ns": _spread(outside.time_ns),
        "missing": list(outside.missing),
        "at_least": outside.at_least,
        "embedded_processor_pj": _spread(outside.processor_pj),
        "terms": [
            {
                "name": term.name,
                "count": term.count,
                "unit": term.unit,
                "time_ns": _spread(term.time_ns),
                "energy_pj": _spread(term.energy_pj),
                "missing": list(term.missing),
            }
            for term in outside.terms
        ],
    }


def timing_json(timing: Timing) -> dict[str, Any]:
    """Steps, what each waits for, and the latency over samples; `samples` is null where times follow from means."""
    latency = timing.latency
    return {
        "samples": timing.samples,
        "at_least": timing.at_least,
        "status": str(timing.status),
        "figures": list(timing.figures),
        "step_ns": _spread(timing.step_ns),
        "mean_ns": None if latency is None else _spread(latency.mean),
        "p99_ns": None if latency is None else _spread(latency.p99),
        "worst_ns": None if latency is None else _spread(latency.worst),
        "interval_ns": _spread(timing.interval_ns),
        "busiest_core": timing.busiest_core,
        "terms": [
            {
                "name": term.name,
                "count": _number(term.count),
                "worst": _number(term.worst),
                "unit": term.unit,
                "time_ns": _spread(term.time_ns),
                "missing": list(term.missing),
            }
            for term in timing.terms
        ],
    }


def profile_json(profile: Profile) -> dict[str, Any]:
    """A profile with every figure and its provenance, inherited ones included."""
    figures = {key: figure.model_dump(mode="json", exclude_none=True) for key, figure in profile.figures().items()}
    return {"name": profile.name, "title": profile.title, "about": profile.about.strip(), "figures": figures}


def profile_schema() -> dict[str, Any]:
    """The JSON schema of a profile."""
    return Profile.model_json_schema()


def _spread(spread: Spread | None) -> dict[str, float | None] | None:
    """The three ends; null is not known, or without end."""
    if spread is None:
        return None
    return {end: _number(value) for end, value in asdict(spread).items()}


def _number(value: float) -> float | None:
    return value if isfinite(value) else None


def held_json(held: Sequence[Held]) -> list[dict[str, Any]]:
    """Budgets, each against what is used of it."""
    return [
        {
            "budget": each.limit.granted,
            "quantity": each.limit.quantity.key,
            "allowed": each.limit.allowed,
            "used": None if each.use is None else _number(each.use.used),
            "unit": each.limit.unit,
            "kept": None if each.use is None else each.kept,
            "bound": each.bound or None,
            "missing": each.missing or None,
            "moved": each.moved or None,
        }
        for each in held
    ]


def overview_json(profile: Profile) -> dict[str, str | int | None]:
    """What a list says of a chip."""
    figures = profile.figures().values()
    price = profile.energy.synaptic_operation
    return {
        "name": profile.name,
        "title": profile.title,
        "cores": profile.cores_available,
        "figures": len(figures),
        "unknown": sum(figure.status is Status.UNKNOWN for figure in figures),
        "energy_status": None if price is None else str(price.status),
    }
