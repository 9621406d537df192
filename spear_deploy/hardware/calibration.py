"""Prices of a chip fitted to what was measured on it, with intervals, and what the rows cannot tell apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from spear_deploy.errors import DataError
from spear_deploy.hardware.price_fit import Counts, fit_prices

DYNAMIC = {
    "synops": "energy.synaptic_operation",
    "updates": "energy.neuron_update_active",
    "spikes": "energy.spike",
    "messages": "energy.message_out",
    "input_events": "energy.input_event",
}
"""Columns of counts of one inference, and the price of each (pJ)."""

PACE = {
    "steps": "time.barrier",
    "core_synops": "time.synaptic_operation",
    "core_updates": "time.neuron_update_active",
    "input_events": "time.input_event",
}
"""Columns that an inference's time is made of, and the time of each (ns): steps, what the core does in each that does
most of it (of updates and SynOps it need not be the same core), summed over steps, and events of the input."""

FIXED_PACE = {"steps": "time.step", "input_events": "time.input_event"}
"""Likewise on a chip whose steps are of fixed length."""

SIDE_BY_SIDE = ("time.neuron_update_active", "time.synaptic_operation")
"""Times of which a step waits for the longer, as `cost.step_time` has it of a typical step."""

STATIC = "energy.static_per_chip"
_PACERS = ("time.step", *SIDE_BY_SIDE)
MEASURED = ("mj_total", "mj_dynamic", "ms")
COLUMNS = ("network", "chips", *dict.fromkeys([*DYNAMIC, *PACE]), *MEASURED)
"""Every column that rows may have."""

_PJ_PER_MJ = 1e9
_NS_PER_MS = 1e6
_LEAST, _LARGEST = 1e-30, 1e30


@dataclass(frozen=True)
class Row:
    """One measured inference: its counts and what was measured, by column; what is not known is absent.

    Raises:
        DataError: a value that its column cannot have.

    """

    network: str
    values: Mapping[str, float]

    def __post_init__(self) -> None:
        """Hold every value to its column."""
        for column, value in self.values.items():
            if fault := fault_of_value(column, value):
                raise DataError(f"{self.network}: {fault}")


@dataclass(frozen=True)
class Fitted:
    """A price with its 95 % interval, in the base unit of its figure (pJ, ns or mW); one of low 0 is not told apart
    from 0.
    """

    key: str
    value: float
    low: float
    high: float

    @property
    def unit(self) -> str:
        """Of its figure."""
        return "mW" if self.key == STATIC else "ns" if self.key.startswith("time.") else "pJ"


@dataclass(frozen=True)
class Residual:
    """A measurement of one row (pJ or ns), and what the prices that are given make of it.

    Prices that are not given are the profile's own; `predicted` is None where it has none either.
    """

    network: str
    what: str
    measured: float
    predicted: float | None


@dataclass(frozen=True)
class Calibration:
    """Fitted prices.

    Attributes:
        prices: those that the rows determine.
        together: prices that the rows cannot tell apart, in groups; none of them is given.
        residuals: of every row and measurement.
        unused: measurements that nothing could be fitted to, each with what its row lacks.
        unseen: times that no row waits for, because what goes on beside it takes longer in every row; not given.
        added: prices of the profile for what rows do not count: predictions add them to what was fitted.

    """

    prices: tuple[Fitted, ...]
    together: tuple[tuple[str, ...], ...]
    residuals: tuple[Residual, ...]
    unused: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Equation:
    network: str
    what: str
    terms: Mapping[str, float]
    measured: float


def fault_of_value(column: str, value: float) -> str:
    """What is wrong with a value of a column; empty where nothing is."""
    least, needs = 0.0, "a number from 0 on"
    if column in MEASURED:
        least, needs = _LEAST, "a number above 0"
    elif column in ("chips", "steps"):
        least, needs = 1.0, "a number from 1 on"
    if not least <= value < float("inf"):
        return f"{column} must be {needs}, found {value:.6g}"
    if value > _LARGEST or 0 < value < _LEAST:
        return f"{column} must be 0 or from {_LEAST:g} to {_LARGEST:g}, found {value:.6g}"
    if column == "chips" and value != int(value):
        return f"chips must be a whole number, found {value:.6g}"
    return ""


def calibrate(rows: Sequence[Row], inherited: Mapping[str, float] = MappingProxyType({})) -> Calibration:
    """Fit prices to rows by the laws that `check` predicts typical energies and times with.

        mJ dynamic           = sum over counts of count * price
        mJ total - dynamic   = chips * ms * static power       (mJ total alone: both sums at once)
        ms                   = steps * barrier + the longer of core_synops * t and core_updates * t + input_events * t
                               (steps * step + input_events * t where the profile has steps of fixed length)

    Weighted least squares over prices from 0 on, with errors that grow with what is measured (weights one over the
    fitted value, iterated), so that what the prices predict of the rows is neither too much nor too little on the
    whole. The interval of a price is that of Student's t with as many degrees of freedom as measurements exceed
    prices. `inherited` are the prices (pJ, ns, mW) of the profile, which stand where none is given.

    Raises:
        DataError: fewer measurements than prices, with what is needed; or none that is above zero.

    """
    times = Counter((row.network, frozenset(row.values.items())) for row in rows)
    rows = [Row(network, dict(values)) for network, values in times]
    counted = frozenset(column for row in rows for column in row.values)
    pace = FIXED_PACE if "time.step" in inherited else PACE
    equations = [equation for row in rows for equation in (*_energy(row, counted), *_time(row, pace, counted))]
    if not equations:
        raise DataError(f"no row has counts and a measurement; needed are {', '.join(MEASURED)} beside counts")
    parts = [_fit(part, inherited) for part in _apart(equations)]
    once = [
        f"{network}: stands there {number} times with the same values: counted once"
        for (network, _), number in times.items()
        if number > 1
    ]
    return Calibration(
        tuple(price for part in parts for price in part.prices),
        tuple(group for part in parts for group in part.together),
        tuple(residual for part in parts for residual in part.residuals),
        (*once, *(text for row in rows for text in _unused(row, pace, counted))),
        tuple(key for part in parts for key in part.unseen),
    )


def _apart(equations: Sequence[_Equation]) -> list[list[_Equation]]:
    """In parts that share no price: what is measured of one says nothing of another, its errors neither."""
    parts: list[list[_Equation]] = []
    for equation in equations:
        joined = [part for part in parts if any(equation.terms.keys() & each.terms.keys() for each in part)]
        parts = [part for part in parts if part not in joined]
        parts.append([*(each for part in joined for each in part), equation])
    return parts


def _unused(row: Row, pace: Mapping[str, str], counted: Set[str]) -> list[str]:
    """Measurements of a row that no equation has, each with what is missing beside it."""
    values = row.values
    times = _time(row, pace, counted)
    used = {equation.what for equation in (*_energy(row, counted), *times)}
    counts = _lacking(row, DYNAMIC, counted) if any(values.get(column) for column in DYNAMIC) else ""
    counts = counts or f"a count ({', '.join(DYNAMIC)})"
    pacers = [column for column, key in pace.items() if key in _PACERS]
    lacks = {}
    if "mj_dynamic" in values and "mJ dynamic" not in used:
        lacks["mj_dynamic"] = counts
    if "mj_total" in values and not used & {"mJ total", "mJ total - dynamic"}:
        lacks["mj_total"] = _lacking(row, ("chips",), counted) or f"mj_dynamic, or {counts}"
        if "ms" not in values:
            lacks["mj_total"] = "ms"
    if "ms" in values and not times and not values.keys().isdisjoint(pacers):
        lacks["ms"] = _lacking(row, pace, counted) or f"a count above 0 ({', '.join(pace)})"
    elif "ms" in values and not used:
        lacks["ms"] = f"mj_total, or {' or '.join(pacers)}"
    return [f"{row.network}: {column} is not used: {lack} is missing" for column, lack in lacks.items()]


def _lacking(row: Row, columns: Iterable[str], counted: Set[str]) -> str:
    """The first of the columns that other rows have: what is not known is not zero."""
    return next((column for column in columns if column in counted and column not in row.values), "")


def _terms(row: Row, prices: Mapping[str, str], counted: Set[str]) -> dict[str, float]:
    """Counts by the keys of their prices; none where one is not known."""
    if _lacking(row, prices, counted):
        return {}
    return {key: row.values[column] for column, key in prices.items() if row.values.get(column)}


def _energy(row: Row, counted: Set[str]) -> list[_Equation]:
    values = row.values
    dynamic, idle = _terms(row, DYNAMIC, counted), {}
    if "ms" in values and not _lacking(row, ("chips",), counted):
        idle = {STATIC: values.get("chips", 1.0) * values["ms"] * _NS_PER_MS}
    total, moving = values.get("mj_total"), values.get("mj_dynamic")
    found = []
    if moving is not None and dynamic:
        found.append(_Equation(row.network, "mJ dynamic", dynamic, moving * _PJ_PER_MJ))
    if total is not None and moving is not None and idle:
        found.append(_Equation(row.network, "mJ total - dynamic", idle, (total - moving) * _PJ_PER_MJ))
    elif total is not None and dynamic and idle:
        found.append(_Equation(row.network, "mJ total", dynamic | idle, total * _PJ_PER_MJ))
    return found


def _time(row: Row, pace: Mapping[str, str], counted: Set[str]) -> list[_Equation]:
    terms = _terms(row, pace, counted)
    paced = any(column in row.values for column, key in pace.items() if key in _PACERS)
    if not terms or not paced or "ms" not in row.values:
        return []
    return [_Equation(row.network, "ms", terms, row.values["ms"] * _NS_PER_MS)]


def _fit(equations: Sequence[_Equation], inherited: Mapping[str, float]) -> Calibration:
    keys = sorted({key for equation in equations for key in equation.terms})
    if len(equations) <= len(keys):
        raise DataError(
            f"{len(equations)} measurements for {len(keys)} prices ({', '.join(keys)}): at least"
            f" {len(keys) + 1} are needed, so that an error can be told"
        )
    measured = np.array([equation.measured for equation in equations])
    if (measured <= 0).any():
        first = equations[int(np.argmin(measured))]
        unit = _NS_PER_MS if first.what == "ms" else _PJ_PER_MJ
        raise DataError(f"{first.network}: {first.what} must be above zero, found {first.measured / unit:g}")
    design = np.array([[equation.terms.get(key, 0.0) for key in keys] for equation in equations])
    updates, synops = SIDE_BY_SIDE
    both = {updates, synops} <= set(keys)
    counts = Counts(design, (keys.index(updates), keys.index(synops)) if both else None)
    fit = fit_prices(counts, measured)
    prices = tuple(
        Fitted(key, *(float(each[at]) for each in (fit.prices, fit.low, fit.high)))
        for at, key in enumerate(keys)
        if fit.told[at]
    )
    written = dict(inherited) | {price.key: price.value for price in prices}
    predicted = counts.predicted(np.array([written.get(key, np.nan) for key in keys]))
    residuals = tuple(
        Residual(each.network, each.what, each.measured, None if np.isnan(found) else float(found))
        for each, found in zip(equations, predicted, strict=True)
    )
    groups = tuple(tuple(keys[at] for at in group) for group in fit.groups)
    return Calibration(prices, groups, residuals, unseen=tuple(keys[at] for at in fit.unseen))
