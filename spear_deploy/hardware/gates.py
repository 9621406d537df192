"""What a pipeline may stop at: a network that does not fit, a broken budget, or something that is not known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from spear_deploy.errors import BudgetError
from spear_deploy.hardware.amounts import AT_LEAST, AT_MOST, both_texts
from spear_deploy.hardware.comparison import Row
from spear_deploy.hardware.limit import Limit, Use
from spear_deploy.hardware.on_chip import OnChip
from spear_deploy.hardware.quantity import Follows
from spear_deploy.hardware.spreading import moved_text, spread


class Gate(StrEnum):
    """What a pipeline may stop at."""

    MISFIT = "misfit"
    BUDGET = "budget"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Held:
    """A budget held against what a network uses.

    Attributes:
        limit: the budget.
        use: what is used of it; None where that cannot be known.
        missing: why not.
        moved: which layers lie on more cores than they need for it; empty where none do.
        bound: what `use` is a bound of, where something of it is not known: "at least"; empty where all is.

    """

    limit: Limit
    use: Use | None
    missing: str = ""
    moved: str = ""
    bound: str = ""

    @property
    def kept(self) -> bool:
        """Whether it is known to be kept."""
        return self.use is not None and self.use.overshoot == 0

    @property
    def sure(self) -> bool:
        """Whether what is not known of it cannot change whether it is kept."""
        if self.use is None:
            return False
        surely = AT_LEAST if self.kept == self.limit.quantity.least else AT_MOST
        return self.bound in ("", surely)

    @property
    def name(self) -> str:
        """What is held; of what prices enter, the unfavourable end."""
        quantity = self.limit.quantity
        return self.limit.name if quantity.missing is None else f"{self.limit.name}, {quantity.end} end"

    @property
    def outcome(self) -> str:
        """Whether it is kept, in a word, or why that is not known."""
        if self.use is None:
            return f"cannot be held: {self.missing}"
        return "kept" if self.kept else "BROKEN"

    @property
    def text(self) -> str:
        """The budget, what is used of it, and whether it is kept."""
        if self.use is None:
            return f"budget {self.limit.granted}: {self.outcome}"
        used, allowed, unit = both_texts(self.use.used, self.limit.allowed, self.limit.unit)
        bound = f"{self.bound} " if self.bound else ""
        found = f"{self.name}: {bound}{used} of {allowed} {unit}"
        moved = f", with {self.moved}" if self.moved else ""
        return f"budget {self.limit.granted}: {self.outcome} ({found}){moved}"


def require_absolute(limits: Sequence[Limit]) -> None:
    """Refuse budgets that one network alone cannot be held to.

    Raises:
        BudgetError: a share of the dense network's use, or a limit on answers.

    """
    for limit in limits:
        if limit.share:
            raise BudgetError(
                f"budget '{limit.granted}' is a share of what a dense network uses; held here is one network:"
                " give an absolute number, such as 120k"
            )
        if limit.quantity.follows is Follows.ANSWERS:
            raise BudgetError(f"budget '{limit.granted}' speaks of answers; held here is what a network uses")


def hold(on_chip: OnChip, limits: Sequence[Limit]) -> tuple[Held, ...]:
    """Each budget against what a network uses on a chip, by the unfavourable end.

    Budgets of time and of the busiest core that are broken are held once more with layers on more cores, as `deploy`
    places them.
    """
    found = []
    for limit in limits:
        quantity = limit.quantity
        missing = quantity.unknown(on_chip.chip, None if on_chip.activity is None else lambda: on_chip.cost)
        use = None if missing else Use(limit, quantity.value(on_chip))
        if use is not None and math.isnan(use.used):
            use, missing = None, f"no number comes out for {limit.name}"
        found.append(Held(limit, use, missing, bound=_bound(on_chip, limit, use)))
    return tuple(_with_more_cores(on_chip, found))


def _with_more_cores(on_chip: OnChip, held: Sequence[Held]) -> list[Held]:
    broken = any(each.use is not None and not each.kept and each.limit.quantity.by_core for each in held)
    spread_out = spread(on_chip, [each.limit for each in held if each.use is not None]) if broken else on_chip
    if spread_out is on_chip:
        return list(held)
    text = moved_text(spread_out)
    return [each if each.use is None else _moved(each, each.use, spread_out, text) for each in held]


def _moved(held: Held, plain: Use, spread_out: OnChip, text: str) -> Held:
    """What is used of a budget on more cores; a budget of cores is among those that this changes."""
    use = Use(held.limit, held.limit.quantity.value(spread_out))
    bound = _bound(spread_out, held.limit, use)
    return held if use == plain else replace(held, use=use, moved=text, bound=bound)


def _bound(on_chip: OnChip, limit: Limit, use: Use | None) -> str:
    """What the use is a bound of; only what prices enter can be one."""
    return "" if use is None or limit.quantity.missing is None else limit.quantity.bound(on_chip.cost)


def stopped_at(row: Row, held: Sequence[Held]) -> dict[Gate, str]:
    """Every gate that a network on a chip does not pass, and why not."""
    cost, unknown = row.cost, [*map(str, row.verdict.placement.unchecked)]
    if cost is None or cost.energy_pj is None:
        unknown.append("energy")
    if cost is None or cost.time_ns is None:
        unknown.append("time")
    unknown += [f"budget {each.limit.granted}" for each in held if not each.sure]
    reasons = {
        Gate.MISFIT: "" if row.verdict.fits else "it does not fit",
        Gate.BUDGET: _listed("broken", [each.limit.granted for each in held if each.use is not None and not each.kept]),
        Gate.UNKNOWN: _listed("not known", unknown),
    }
    return {gate: reason for gate, reason in reasons.items() if reason}


def _listed(what: str, names: Sequence[str]) -> str:
    return f"{what}: {', '.join(names)}" if names else ""
