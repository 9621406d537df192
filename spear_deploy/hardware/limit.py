"""A limit of some quantity, and what a network uses of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from spear_deploy.errors import BudgetError
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.chip.spellings import product
from spear_deploy.hardware.cost.cost import Cost
from spear_deploy.hardware.on_chip import OnChip
from spear_deploy.hardware.placement.placement import Placement
from spear_deploy.hardware.quantity import QUANTITIES, Follows, Quantity

BUDGET = "budget "
"""What the origin of a limit begins with that the user set."""

FLOAT_ERROR = 1e-12
"""Relative, of a sum of prices: in floats three times 0.1 pJ are more than 0.3, and no limit is broken by that."""


@dataclass(frozen=True)
class Limit:
    """The most that a network may use of a quantity, or the least that it must reach.

    Attributes:
        quantity: what is limited.
        allowed: how much, in the quantity's unit; with `share`, over what the dense network uses.
        origin: who set it, such as "budget 50%" or "profile loihi2".
        share: whether `allowed` is still to be taken of what the dense network uses.

    """

    quantity: Quantity
    allowed: float
    origin: str
    share: bool = False

    @property
    def name(self) -> str:
        """Of the quantity."""
        return self.quantity.name

    @property
    def unit(self) -> str:
        """Of `allowed`."""
        return "fraction" if self.share else self.quantity.unit

    @property
    def granted(self) -> str:
        """As the user gave it, such as "50%"."""
        return self.origin.removeprefix(BUDGET)

    def absolute(self, dense: float) -> Limit:
        """The limit where the dense network uses `dense`."""
        return replace(self, allowed=product(self.allowed, dense), share=False) if self.share else self


@dataclass(frozen=True)
class Use:
    """A limit, and what a network uses of it, as predicted or as measured.

    Attributes:
        limit: the limit.
        used: of its quantity.
        silent: what the network would use where its neurons sent no spike that training can take away; None where
            that is not known, and taken to be nothing.

    """

    limit: Limit
    used: float
    silent: float | None = None

    @classmethod
    def of_share(cls, limit: Limit, share: float) -> Use:
        """A use of which the share of the limit is known."""
        if limit.quantity.least:
            return cls(limit, limit.allowed / share if share else math.inf)
        return cls(limit, share * limit.allowed)

    @property
    def name(self) -> str:
        """Of the quantity."""
        return self.limit.name

    @property
    def share(self) -> float:
        """Used over allowed; allowed over used where the limit is the least. What is no number keeps no limit."""
        if math.isnan(self.used):
            return math.inf
        used, allowed = self.used, self.limit.allowed
        if self.limit.quantity.least:
            used, allowed = allowed, used
        if allowed > 0:
            return 1.0 if math.isclose(used, allowed, rel_tol=FLOAT_ERROR) else used / allowed
        return math.inf if used > 0 else 0.0

    def spikes_for(self, share: float) -> float:
        """How many times its spikes a network may send to use this share of the limit, in a straight line from none."""
        silent = 0.0 if self.silent is None else replace(self, used=self.silent).share
        if self.share > silent:
            return max((share - silent) / (self.share - silent), 0.0)
        return math.inf if self.share <= share else 0.0

    @property
    def overshoot(self) -> float:
        """By how much the limit is broken, relative to it; 0 where it is kept."""
        return max(0.0, self.share - 1.0)


def uses_of_chip(placement: Placement) -> tuple[Use, ...]:
    """What a placed network uses of its chip's own limits."""
    found = []
    for use in placement.uses:
        quantity = Quantity(use.resource, use.resource, use.unit, Follows.STRUCTURE, _not_a_budget, {})
        found.append(Use(Limit(quantity, use.allowed, use.origin), use.used))
    return tuple(found)


def structural_uses(on_chip: OnChip, limits: Sequence[Limit]) -> tuple[Use, ...]:
    """What a network uses of the chip's limits, and of those of `limits` that follow from structure."""
    return uses_of_chip(on_chip.placement) + tuple(
        Use(limit, limit.quantity.value(on_chip)) for limit in limits if limit.quantity.follows is Follows.STRUCTURE
    )


def require_known(limit: Limit, profile: Profile, cost: Cost) -> None:
    """Refuse a limit on a quantity that cannot be known on a chip.

    Raises:
        BudgetError: naming what is missing and what can be asked instead.

    """
    missing = limit.quantity.unknown(profile, lambda: cost)
    if missing:
        others = [other for other in QUANTITIES.values() if not other.unknown(profile, lambda: cost)]
        known = [f"{other.key} ({other.example})" for other in others if other.missing is not None and other.bare]
        memory = [other.example for other in others if other.key == "synapse-memory"]
        instead = ", ".join(["SynOps (120k or 50%)", "cores=4", *memory, *known])
        raise BudgetError(
            f"budget '{limit.granted}' cannot be held on {profile.name}: {missing} (spear-deploy profiles show"
            f" {profile.name}); ask for {instead} instead"
        )


def _not_a_budget(_: OnChip) -> float:
    raise ValueError("a resource of a chip is counted by its placement")
