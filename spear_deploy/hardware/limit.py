"""Limits: what a search must keep, from budgets and from chips, held against what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spear_deploy.errors import BudgetError
from spear_deploy.hardware.budget import FRACTION, Budget, BudgetKind
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.cost.cost import Cost
from spear_deploy.hardware.placement.placement import Placement

_QUANTITIES: dict[BudgetKind, str] = {
    BudgetKind.SYNOPS: "synops",
    BudgetKind.SHARE: "synops",
    BudgetKind.P99: "p99",
    BudgetKind.STEP: "step",
    BudgetKind.CORES: "cores",
    BudgetKind.NEURONS: "neurons",
    BudgetKind.SYNAPSE_MEMORY: "synapse memory",
    BudgetKind.ENERGY: "energy",
    BudgetKind.TIME: "time",
    BudgetKind.POWER: "power",
}
"""What each kind of budget is held against."""


@dataclass(frozen=True)
class Limit:
    """An upper limit that a search keeps.

    Attributes:
        name: such as "SynOps per inference" or "cores".
        quantity: the key of what is measured against it.
        allowed: the most that is allowed, in `unit`.
        unit: of `allowed`.
        origin: who set it, such as "budget 50%" or "profile loihi2".

    """

    name: str
    quantity: str
    allowed: float
    unit: str
    origin: str


def limit_of(
    budget: Budget, dense_synops: float, *, dense_p99: float | None = None, dense_step: float | None = None
) -> Limit:
    """The absolute limit of a budget; a share is taken of what the dense network uses.

    `dense_synops` is its mean per inference, `dense_p99` its 99th percentile inference and
    `dense_step` its busiest time step.
    """
    kind = BudgetKind.SYNOPS if budget.kind is BudgetKind.SHARE else budget.kind
    value, unit = budget.value, budget.unit
    if budget.unit == FRACTION:
        dense = {BudgetKind.SYNOPS: dense_synops, BudgetKind.P99: dense_p99, BudgetKind.STEP: dense_step}[kind]
        if dense is None:
            raise ValueError(f"budget '{budget.text}' needs the dense network's {kind}")
        value, unit = budget.value * dense, "SynOps"
    return Limit(str(kind), _QUANTITIES[kind], value, unit, f"budget {budget.text}")


def quantities(placement: Placement, cost: Cost | None = None) -> dict[str, float]:
    """What limits are held against: sizes, and of energy, time and power the high end where known."""
    found = dict(placement.quantities)
    if cost is not None:
        found["synops"] = cost.synops
        for name, spread in (("energy", cost.energy_pj), ("time", cost.time_ns), ("power", cost.power_mw)):
            if spread is not None:
                found[name] = spread.high
    return found


def exceeded(limits: tuple[Limit, ...], found: Mapping[str, float]) -> tuple[Limit, ...]:
    """The limits that do not hold; each must speak of something that was found."""
    return tuple(limit for limit in limits if found[limit.quantity] > limit.allowed)


def require_known(budget: Budget, profile: Profile, cost: Cost) -> None:
    """Refuse a budget of energy, time or power on a chip where that cannot be known.

    Raises:
        BudgetError: naming what is missing and what can be asked instead.

    """
    unpriced = ", ".join(cost.unpriced)
    missing = {
        BudgetKind.ENERGY: f"no price for {unpriced}" if cost.energy_pj is None else "",
        BudgetKind.TIME: "no time of a step" if cost.time_ns is None else "",
        BudgetKind.POWER: (f"no price for {unpriced}" if unpriced else "no time of a step")
        if cost.power_mw is None
        else "",
    }.get(budget.kind, "")
    if missing:
        known = [
            name
            for name, spread in (("energy (3uJ)", cost.energy_pj), ("time (2ms)", cost.time_ns))
            if spread is not None
        ]
        instead = ", ".join(["SynOps (120k or 50%)", "cores=4", "synapse-memory=64KiB", *known])
        raise BudgetError(
            f"budget '{budget.text}' cannot be held on {profile.name}: {missing} (spear-deploy profiles show"
            f" {profile.name}); ask for {instead} instead"
        )
