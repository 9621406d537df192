"""Prices of a chip fitted to what was measured on it, with intervals, and what the rows cannot tell apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from spear_deploy.errors import DataError

Array = NDArray[np.float64]

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
"""Columns that an inference's time is made of, and the time of each (ns): steps, and what the busiest core
does in each, summed over steps."""

STATIC = "energy.static_per_chip"
MEASURED = ("mj_total", "mj_dynamic", "ms")
COLUMNS = ("network", "chips", *dict.fromkeys([*DYNAMIC, *PACE]), *MEASURED)
"""Every column that rows may have."""

_PJ_PER_MJ = 1e9
_NS_PER_MS = 1e6
_PASSES = 4
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Row:
    """One measured inference: its counts and what was measured, by column; what is not known is absent."""

    network: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Fitted:
    """A price with its 95 % interval, in the base unit of its figure (pJ, ns or mW)."""

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
    """What a fit makes of one row: predicted over measured."""

    network: str
    what: str
    measured: float
    predicted: float


@dataclass(frozen=True)
class Calibration:
    """Fitted prices.

    Attributes:
        prices: those that the rows determine.
        together: prices that the rows cannot tell apart, in groups; none of them is given.
        residuals: of every row and measurement.
        unused: measurements that nothing could be fitted to, each with what its row lacks.

    """

    prices: tuple[Fitted, ...]
    together: tuple[tuple[str, ...], ...]
    residuals: tuple[Residual, ...]
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Equation:
    network: str
    what: str
    terms: Mapping[str, float]
    measured: float


def calibrate(rows: Sequence[Row]) -> Calibration:
    """Fit prices to rows: dynamic energy, idle power and time are sums of counts times prices.

        mJ dynamic           = sum over counts of count * price
        mJ total - dynamic   = chips * ms * static power       (mJ total alone: both sums at once)
        ms                   = steps * barrier + core_synops * t + core_updates * t + input_events * t

    Weighted least squares with errors that grow with what is measured (weights one over the fitted
    value, iterated); the interval of a price is that of Student's t with as many degrees of freedom
    as measurements exceed prices.

    Raises:
        DataError: negative or missing values, or fewer measurements than prices; with what is needed.

    """
    equations = [equation for row in rows for equation in (*_energy(row), *_time(row))]
    if not equations:
        raise DataError(f"no row has counts and a measurement; needed are {', '.join(MEASURED)} beside counts")
    parts = [_fit(part) for part in _apart(equations)]
    return Calibration(
        tuple(price for part in parts for price in part.prices),
        tuple(group for part in parts for group in part.together),
        tuple(residual for part in parts for residual in part.residuals),
        tuple(text for row in rows for text in _unused(row)),
    )


def _apart(equations: Sequence[_Equation]) -> list[list[_Equation]]:
    """In parts that share no price: what is measured of one says nothing of another, its errors neither."""
    parts: list[list[_Equation]] = []
    for equation in equations:
        joined = [part for part in parts if any(equation.terms.keys() & each.terms.keys() for each in part)]
        parts = [part for part in parts if part not in joined]
        parts.append([*(each for part in joined for each in part), equation])
    return parts


def _unused(row: Row) -> list[str]:
    """Measurements of a row that no equation has, each with what is missing beside it."""
    values = row.values
    used = {equation.what for equation in (*_energy(row), *_time(row))}
    counts = f"a count ({', '.join(DYNAMIC)})"
    lacks = {}
    if "mj_dynamic" in values and "mJ dynamic" not in used:
        lacks["mj_dynamic"] = counts
    if "mj_total" in values and not used & {"mJ total", "mJ total - dynamic"}:
        lacks["mj_total"] = f"mj_dynamic, or {counts}" if values.get("ms") else "ms"
    if "ms" in values and not used & {"mJ total", "mJ total - dynamic", "ms"}:
        lacks["ms"] = "mj_total, or core_synops or core_updates"
    return [f"{row.network}: {column} is not used: {lack} is missing" for column, lack in lacks.items()]


def _energy(row: Row) -> list[_Equation]:
    values = row.values
    dynamic = {key: values[column] for column, key in DYNAMIC.items() if values.get(column)}
    idle = {STATIC: values.get("chips", 1.0) * values["ms"] * _NS_PER_MS} if values.get("ms") else {}
    total, moving = values.get("mj_total"), values.get("mj_dynamic")
    found = []
    if moving is not None and dynamic:
        found.append(_Equation(row.network, "mJ dynamic", dynamic, moving * _PJ_PER_MJ))
    if total is not None and moving is not None and idle:
        found.append(_Equation(row.network, "mJ total - dynamic", idle, (total - moving) * _PJ_PER_MJ))
    elif total is not None and dynamic and idle:
        found.append(_Equation(row.network, "mJ total", dynamic | idle, total * _PJ_PER_MJ))
    return found


def _time(row: Row) -> list[_Equation]:
    terms = {key: row.values[column] for column, key in PACE.items() if row.values.get(column)}
    needs = "core_synops" in row.values or "core_updates" in row.values
    if not needs or "ms" not in row.values:
        return []
    return [_Equation(row.network, "ms", terms, row.values["ms"] * _NS_PER_MS)]


def _fit(equations: Sequence[_Equation]) -> Calibration:
    keys = sorted({key for equation in equations for key in equation.terms})
    if len(equations) <= len(keys):
        raise DataError(
            f"{len(equations)} measurements for {len(keys)} prices ({', '.join(keys)}): at least"
            f" {len(keys) + 1} are needed, so that an error can be told"
        )
    design = np.array([[equation.terms.get(key, 0.0) for key in keys] for equation in equations])
    measured = np.array([equation.measured for equation in equations])
    if (measured <= 0).any():
        first = equations[int(np.argmin(measured))]
        unit = _NS_PER_MS if first.what == "ms" else _PJ_PER_MJ
        raise DataError(f"{first.network}: {first.what} must be above zero, found {first.measured / unit:g}")
    scale = np.linalg.norm(design / measured[:, None], axis=0)
    known, groups = _told_apart(design / measured[:, None] / scale, keys)
    value, spread = _weighted(design / scale, measured)
    freedom = len(equations) - np.linalg.matrix_rank(design / measured[:, None] / scale)
    reach = float(special.stdtrit(freedom, 0.5 + _CONFIDENCE / 2)) if freedom > 0 else float("inf")
    prices = tuple(
        Fitted(
            key,
            max(0.0, value[at] / scale[at]),
            max(0.0, (value[at] - reach * spread[at]) / scale[at]),
            max(0.0, (value[at] + reach * spread[at]) / scale[at]),
        )
        for at, key in enumerate(keys)
        if known[at]
    )
    predicted = design / scale @ value
    residuals = tuple(
        Residual(each.network, each.what, each.measured, float(found))
        for each, found in zip(equations, predicted, strict=True)
    )
    return Calibration(prices, groups, residuals)


def _told_apart(design: Array, keys: Sequence[str]) -> tuple[list[bool], tuple[tuple[str, ...], ...]]:
    """Which prices the rows determine, and those that only a sum of is determined."""
    _, sizes, directions = np.linalg.svd(design, full_matrices=True)
    full = np.zeros(len(keys))
    full[: len(sizes)] = sizes
    free = directions[full < 1e-6 * full.max()]
    known = [bool((np.abs(free[:, at]) < 1e-6).all()) for at in range(len(keys))]
    groups = tuple(tuple(key for key, part in zip(keys, row, strict=True) if abs(part) >= 1e-6) for row in free)
    return known, groups


def _weighted(design: Array, measured: Array) -> tuple[Array, Array]:
    """Coefficients and their standard errors, errors in proportion to the fitted values."""
    fitted = measured
    for _ in range(_PASSES):
        scaled, target = design / fitted[:, None], measured / fitted
        value = np.linalg.pinv(scaled) @ target
        fitted = np.maximum(design @ value, 0.05 * measured)
    freedom = max(1, len(measured) - np.linalg.matrix_rank(scaled))
    variance = float(((scaled @ value - target) ** 2).sum()) / freedom
    spread = np.sqrt(variance * np.diag(np.linalg.pinv(scaled.T @ scaled)))
    return value, spread
