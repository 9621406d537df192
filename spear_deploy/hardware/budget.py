"""Budgets as typed, read into limits."""

from __future__ import annotations

import re
from collections.abc import Iterable

from spear_deploy.errors import BudgetError
from spear_deploy.hardware.chip.spellings import AMBIGUOUS, product
from spear_deploy.hardware.limit import BUDGET, Limit
from spear_deploy.hardware.quantity import OTHER_KEYS, QUANTITIES, SYNOPS_UNIT, Follows, Quantity

BYTES = "B"
_FORM = re.compile(r"(?:(?P<name>[A-Za-z][A-Za-z0-9-]*)\s*=\s*)?(?P<number>\d+(?:\.\d+)?|\.\d+)\s*(?P<unit>[^\s\d]*)")


def understood() -> str:
    """What `parse_budget` takes, in words."""
    return ", ".join(quantity.example for quantity in QUANTITIES.values() if quantity.example)


def parse_budget(text: str) -> Limit:
    """Read one budget, such as `50%`, `120k`, `3uJ` or `cores=4`.

    Raises:
        BudgetError: it cannot be understood, or grants nothing.

    """
    given = text.strip()
    match = _FORM.fullmatch(given)
    if match is None:
        raise BudgetError(f"budget '{given}' is not understood; understood are {understood()}")
    quantity, worth = _quantity(given, match["name"], match["unit"])
    value = product(match["number"], worth)
    if value <= 0 and quantity.follows is not Follows.ANSWERS:  # to lose no accuracy can be asked
        raise BudgetError(f"budget '{given}' grants nothing; a budget must be above zero")
    if value == float("inf"):
        raise BudgetError(f"budget '{given}' is more than can be counted")
    share = quantity.share and match["unit"] == "%"
    if quantity.unit == SYNOPS_UNIT and not share and value < 1:
        raise BudgetError(f"budget '{given}' is less than one SynOp; for a share of the dense SynOps write {value:.0%}")
    if share and value > 1:
        raise BudgetError(f"budget '{given}': a share of the dense SynOps lies between 0% and 100%")
    if quantity.unit == "%" and value > 100:
        raise BudgetError(f"budget '{given}': {quantity.name} is at most 100%")
    if quantity.whole and value != int(value):
        raise BudgetError(f"budget '{given}': {quantity.name} come in whole numbers")
    return Limit(quantity, value, f"{BUDGET}{given}", share)


def parse_budgets(given: Iterable[Limit | str]) -> tuple[Limit, ...]:
    """Read several budgets, where they are not read yet; each quantity once.

    Raises:
        BudgetError: one cannot be understood, or two speak of the same.

    """
    found: dict[str, Limit] = {}
    for each in given:
        limit = parse_budget(each) if isinstance(each, str) else each
        other = found.setdefault(limit.quantity.key, limit)
        if other is not limit:
            raise BudgetError(f"budgets '{other.granted}' and '{limit.granted}' both speak of {limit.name}; give one")
    return tuple(found.values())


def _quantity(given: str, name: str | None, unit: str) -> tuple[Quantity, float]:
    """What a budget speaks of, and what its unit is worth."""
    if name is None:
        for quantity in QUANTITIES.values():
            units = _units(quantity)
            if quantity.bare and unit in units:
                return quantity, units[unit]
        raise BudgetError(f"budget '{given}': unknown unit '{unit}'; understood are {understood()}")
    name = OTHER_KEYS.get(name, name)
    if name not in QUANTITIES:
        raise BudgetError(f"budget '{given}': unknown name '{name}'; known: {', '.join(QUANTITIES)}")
    units = _units(QUANTITIES[name])
    if unit not in units and unit in AMBIGUOUS and BYTES in units:
        raise BudgetError(f"budget '{given}': unit '{unit}' may mean {AMBIGUOUS[unit]}")
    if unit not in units:
        valid = ", ".join(repr(known) if known else "no unit" for known in units)
        raise BudgetError(f"budget '{given}': unknown unit '{unit}' for {name}; valid: {valid}")
    return QUANTITIES[name], units[unit]


def _units(quantity: Quantity) -> dict[str, float]:
    return {**quantity.units, **({"%": 0.01} if quantity.share else {})}
