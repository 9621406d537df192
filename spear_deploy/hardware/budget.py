"""Budgets: what a user grants, as typed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from spear_deploy.errors import BudgetError


class BudgetKind(StrEnum):
    """What a budget speaks of."""

    SHARE = "share of the dense SynOps"
    SYNOPS = "SynOps per inference"
    P99 = "SynOps of the 99th percentile inference"
    STEP = "SynOps of the busiest time step"
    CORES = "cores"
    NEURONS = "neurons"
    SYNAPSE_MEMORY = "synapse memory"
    ENERGY = "energy per inference"
    TIME = "time per inference"
    POWER = "power"


FRACTION = "fraction"
"""The unit of a budget that is a share of what the dense network uses."""

_UNITS: dict[BudgetKind, str] = {
    BudgetKind.SHARE: FRACTION,
    BudgetKind.SYNOPS: "SynOps",
    BudgetKind.P99: "SynOps",
    BudgetKind.STEP: "SynOps",
    BudgetKind.CORES: "cores",
    BudgetKind.NEURONS: "neurons",
    BudgetKind.SYNAPSE_MEMORY: "B",
    BudgetKind.ENERGY: "pJ",
    BudgetKind.TIME: "ns",
    BudgetKind.POWER: "mW",
}

UNDERSTOOD = (
    "50% (of the dense SynOps), 120k or 1.2M (SynOps per inference), p99=60% or p99=90k,"
    " step=20k, 3uJ, 2ms, power=20mW, cores=4, neurons=2000, synapse-memory=64KiB"
)
"""What `parse_budget` takes, in words."""

_COUNTS = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
_TAILS = {**_COUNTS, "%": 0.01}
_ENERGIES = {"pJ": 1.0, "nJ": 1e3, "uJ": 1e6, "µJ": 1e6, "μJ": 1e6, "mJ": 1e9}
_TIMES = {"ns": 1.0, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9}
_POWERS = {"uW": 1e-3, "µW": 1e-3, "μW": 1e-3, "mW": 1.0, "W": 1e3}
_MEMORIES = {"B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "KiB": 1024.0, "MiB": 1024.0**2}

_BY_UNIT: dict[str, tuple[BudgetKind, float]] = {
    "%": (BudgetKind.SHARE, 0.01),
    **{unit: (BudgetKind.SYNOPS, factor) for unit, factor in _COUNTS.items()},
    **{unit: (BudgetKind.ENERGY, factor) for unit, factor in _ENERGIES.items()},
    **{unit: (BudgetKind.TIME, factor) for unit, factor in _TIMES.items()},
    **{unit: (BudgetKind.POWER, factor) for unit, factor in _POWERS.items()},
}

_BY_NAME: dict[str, tuple[BudgetKind, Mapping[str, float]]] = {
    "synops": (BudgetKind.SYNOPS, _COUNTS),
    "p99": (BudgetKind.P99, _TAILS),
    "step": (BudgetKind.STEP, _TAILS),
    "cores": (BudgetKind.CORES, {"": 1.0}),
    "neurons": (BudgetKind.NEURONS, _COUNTS),
    "synapse-memory": (BudgetKind.SYNAPSE_MEMORY, _MEMORIES),
    "energy": (BudgetKind.ENERGY, _ENERGIES),
    "time": (BudgetKind.TIME, _TIMES),
    "power": (BudgetKind.POWER, _POWERS),
}

_FORM = re.compile(r"(?:(?P<name>[A-Za-z][A-Za-z0-9-]*)\s*=\s*)?(?P<number>\d+(?:\.\d+)?|\.\d+)\s*(?P<unit>[^\s\d]*)")


SYNOPS_KINDS = (BudgetKind.SHARE, BudgetKind.SYNOPS)
"""Kinds that limit the mean SynOps of an inference."""


@dataclass(frozen=True)
class Budget:
    """What a user grants.

    Attributes:
        kind: what it speaks of.
        value: how much, in `unit`.
        unit: fraction, SynOps, cores, neurons, B, pJ, ns or mW, as the kind has it.
        text: as it was given.

    """

    kind: BudgetKind
    value: float
    unit: str
    text: str


def parse_budget(text: str) -> Budget:
    """Read one budget, such as `50%`, `120k`, `3uJ` or `cores=4`.

    Raises:
        BudgetError: it cannot be understood, or grants nothing.

    """
    given = text.strip()
    match = _FORM.fullmatch(given)
    if match is None:
        raise BudgetError(f"budget '{given}' is not understood; understood are {UNDERSTOOD}")
    name, unit = match["name"], match["unit"]
    if name is None:
        if unit not in _BY_UNIT:
            raise BudgetError(f"budget '{given}': unknown unit '{unit}'; understood are {UNDERSTOOD}")
        kind, factor = _BY_UNIT[unit]
    else:
        if name not in _BY_NAME:
            raise BudgetError(f"budget '{given}': unknown name '{name}'; known: {', '.join(_BY_NAME)}")
        kind, units = _BY_NAME[name]
        if unit not in units:
            valid = ", ".join(repr(known) if known else "no unit" for known in units)
            raise BudgetError(f"budget '{given}': unknown unit '{unit}' for {name}; valid: {valid}")
        factor = units[unit]
    value = float(match["number"]) * factor
    if value <= 0:
        raise BudgetError(f"budget '{given}' grants nothing; a budget must be above zero")
    share = unit == "%"
    if _UNITS[kind] == "SynOps" and not share and value < 1:
        raise BudgetError(f"budget '{given}' is less than one SynOp; for a share of the dense SynOps write {value:.0%}")
    if share and value > 1:
        raise BudgetError(f"budget '{given}': a share of the dense SynOps lies between 0% and 100%")
    if kind in (BudgetKind.CORES, BudgetKind.NEURONS) and value != int(value):
        raise BudgetError(f"budget '{given}': {kind} come in whole numbers")
    return Budget(kind, value, FRACTION if share else _UNITS[kind], given)


def parse_budgets(texts: Iterable[str]) -> tuple[Budget, ...]:
    """Read several budgets; each kind once.

    Raises:
        BudgetError: one cannot be understood, or two speak of the same.

    """
    budgets: dict[BudgetKind, Budget] = {}
    for text in texts:
        budget = parse_budget(text)
        kind = BudgetKind.SYNOPS if budget.kind is BudgetKind.SHARE else budget.kind
        if kind in budgets:
            raise BudgetError(f"budgets '{budgets[kind].text}' and '{budget.text}' both speak of {kind}; give one")
        budgets[kind] = budget
    return tuple(budgets.values())
