"""Every limit of a run: what the user granted and what the chip demands."""

from __future__ import annotations

from collections.abc import Sequence

from spear_deploy.errors import BudgetError
from spear_deploy.hardware import BudgetKind, Limit, Placement, Profile, limit_of, parse_budgets, place
from spear_deploy.network import Network
from spear_deploy.search import LimitUse

STRUCTURAL = ("cores", "neurons", "synapse memory")
"""Quantities that follow exactly from the network's structure and the chip."""


def limits_of(budgets: Sequence[str], dense_synops: float) -> tuple[Limit, ...]:
    """The limits that budgets set; always one on SynOps, first (the dense network's, if none was given).

    Raises:
        BudgetError: a budget cannot be understood, or nothing here can hold a network to it.

    """
    parsed = parse_budgets(budgets)
    if not any(budget.kind in (BudgetKind.SHARE, BudgetKind.SYNOPS) for budget in parsed):
        parsed = (*parse_budgets(["100%"]), *parsed)
    limits = [limit_of(budget, dense_synops) for budget in parsed]
    for limit in limits:
        if limit.quantity not in ("synops", *STRUCTURAL):
            raise BudgetError(
                f"{limit.origin}: {limit.name} cannot be a limit of the search yet;"
                " what can: a share (50%), SynOps (120k), cores=4, neurons=2000, synapse-memory=64KiB"
            )
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
