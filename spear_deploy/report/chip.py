"""From placement, cost and integers to their parts of the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean

from spear_deploy.backends.fixed_point.losses import RoundingLoss
from spear_deploy.hardware import Core, Cost, Placement
from spear_deploy.hardware.chip.figures import Spread
from spear_deploy.hardware.cost.mesh import CoreMap
from spear_deploy.report.chip_part import (
    CoreReport,
    CostReport,
    EnergyPartReport,
    LayerCoresReport,
    MeshReport,
    PlacementReport,
    RoundingReport,
)
from spear_deploy.report.part import Range

MOST_CORES = 512
"""Cores that the report lists; more make neither a readable table nor a readable map."""


def placement_report(placement: Placement, core_map: CoreMap | None, needed: Mapping[str, int]) -> PlacementReport:
    """The cores, where they lie, and how full they are; `needed` are the cores of layers that lie on more."""
    shown = placement.cores[:MOST_CORES]
    places: Sequence[tuple[int | None, int | None]] = [(None, None)] * len(shown)
    if core_map is not None:
        places = [(int(column), int(row)) for column, row in core_map.place[: len(shown)]]
    return PlacementReport(
        cores=placement.cores_needed,
        cores_available=placement.profile.cores_available,
        chips=placement.chips_needed,
        verdict=placement.verdict,
        mesh=None
        if core_map is None
        else MeshReport(
            columns=core_map.mesh.columns, rows=core_map.mesh.rows, cores_per_router=core_map.mesh.cores_per_router
        ),
        per_layer=[
            _layer(layer, [core for core in placement.cores if core.layer == layer]) for layer in placement.grids
        ],
        core_table=[
            CoreReport(
                core=core.number,
                layer=core.layer,
                neurons=core.neurons,
                column=column,
                row=row,
                binding=None if core.binding is None else core.binding.resource,
                share=_share(core),
            )
            for core, (column, row) in zip(shown, places, strict=True)
        ],
        needed=dict(needed),
        cores_left_out=placement.cores_needed - len(shown),
    )


def cost_report(cost: Cost) -> CostReport:
    """Energy by part and time; null where a price is not known."""
    return CostReport(
        steps=cost.steps,
        energy_pj=_range(cost.energy_pj),
        priced_pj=_range(cost.priced_pj),
        unpriced=list(cost.unpriced),
        energy_status=str(cost.energy_status),
        energy_at_least=cost.energy_at_least,
        parts=[
            EnergyPartReport(
                name=part.name,
                figures=list(part.figures),
                count=part.count if math.isfinite(part.count) else None,
                energy_pj=_range(part.energy_pj),
                status=str(part.status),
                at_least=part.at_least,
                lacks=part.lacks,
            )
            for part in cost.parts
        ],
        synops_share=cost.synops_share,
        time_ns=_range(cost.time_ns),
        time_at_least=cost.time_ns is not None and cost.timing.at_least,
        time_status=None if cost.time_ns is None else str(cost.timing.status),
    )


def rounding_report(losses: Sequence[RoundingLoss]) -> list[RoundingReport]:
    """What rounding did to each connection; nothing where the target does not compute in integers."""
    return [RoundingReport(**asdict(loss)) for loss in losses]


def _layer(layer: str, cores: Sequence[Core]) -> LayerCoresReport:
    shares = [share for core in cores if (share := _share(core)) is not None]
    fullest = max(cores, key=lambda core: _share(core) or 0.0)
    return LayerCoresReport(
        layer=layer,
        cores=len(cores),
        neurons=sum(core.neurons for core in cores),
        binding=None if fullest.binding is None else fullest.binding.resource,
        share=_share(fullest),
        mean_share=fmean(shares) if shares else None,
    )


def _share(core: Core) -> float | None:
    return None if core.binding is None or not math.isfinite(core.binding.share) else core.binding.share


def _range(spread: Spread | None) -> Range | None:
    return None if spread is None else Range(low=spread.low, typical=spread.typical, high=spread.high)
