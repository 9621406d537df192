"""Every limit of a run: what the user granted and what the chip demands."""

from __future__ import annotations

from collections.abc import Sequence

from spear_deploy.hardware import (
    Activity,
    BudgetKind,
    Limit,
    Placement,
    Profile,
    estimate,
    limit_of,
    parse_budgets,
    place,
    quantities,
    require_known,
)
from spear_deploy.network import Network
from spear_deploy.search import LimitUse

STRUCTURAL = ("cores", "neurons", "synapse memory")
"""Quantities that follow exactly from the network's structure and the chip."""

TAIL = ("p99", "step")
"""Quantities of SynOps that a mean does not tell."""

ACTIVITY = ("energy", "time", "power")
"""Quantities that follow from what the network does there."""


def limits_of(
    budgets: Sequence[str],
    dense_synops: float,
    *,
    dense_p99: float | None = None,
    dense_step: float | None = None,
) -> tuple[Limit, ...]:
    """The limits that budgets set; always one on SynOps, first (the dense network's, if none was given).

    Raises:
        BudgetError: a budget cannot be understood.

    """
    parsed = parse_budgets(budgets)
    if not any(budget.kind in (BudgetKind.SHARE, BudgetKind.SYNOPS) for budget in parsed):
        parsed = (*parse_budgets(["100%"]), *parsed)
    limits = [limit_of(budget, dense_synops, dense_p99=dense_p99, dense_step=dense_step) for budget in parsed]
    return tuple(sorted(limits, key=lambda limit: limit.quantity != "synops"))


def structural_uses(network: Network, profile: Profile, limits: Sequence[Limit]) -> tuple[LimitUse, ...]:
    """What a network uses of the chip's limits and of the structural ones that the user set."""
    placement = place(network, profile)
    return chip_uses(placement) + tuple(
        LimitUse(limit.name, placement.quantities[limit.quantity], limit.allowed, limit.unit, limit.origin)
        for limit in limits
        if limit.quantity in STRUCTURAL
    )


def chip_uses(placement: Placement) -> tuple[LimitUse, ...]:
    """What a placed network uses of its chip."""
    return tuple(LimitUse(use.resource, use.used, use.allowed, use.unit, use.origin) for use in placement.uses)


def energy_status(budgets: Sequence[str], profile: Profile, network: Network, activity: Activity) -> str:
    """How sure the chip's prices are; budgets of energy, time or power are refused where they are not known.

    Raises:
        BudgetError: naming what is missing and what can be asked instead.

    """
    cost = estimate(network, place(network, profile), activity)
    for budget in parse_budgets(budgets):
        require_known(budget, profile, cost)
    return str(cost.energy_status)


def activity_value(quantity: str, profile: Profile, network: Network, activity: Activity) -> float:
    """What a budget on activity is held against.

    Energy [pJ], time [ns] or power [mW] of an inference, the high end; SynOps of the 99th
    percentile inference or of the busiest time step, as they were measured.
    """
    if quantity in TAIL:
        tail = activity.p99_synops if quantity == "p99" else activity.busiest_step_synops
        if tail is None:
            raise ValueError(f"the activity does not hold {quantity}: it was not measured inference by inference")
        return tail
    placement = place(network, profile)
    return quantities(placement, estimate(network, placement, activity))[quantity]
