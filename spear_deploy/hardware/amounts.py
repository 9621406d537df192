"""Amounts as people write them: three digits, and the unit that makes them short."""

from __future__ import annotations

import math

from spear_deploy.hardware.chip.figures import Spread

Scale = tuple[tuple[str, float], ...]

_SCALES: dict[str, Scale] = {
    "pJ": (("pJ", 1.0), ("nJ", 1e3), ("uJ", 1e6), ("mJ", 1e9), ("J", 1e12)),
    "ns": (("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)),
    "mW": (("uW", 1e-3), ("mW", 1.0), ("W", 1e3)),
    "1/s": (("/s", 1.0),),
}
"""By base unit; what is counted in another unit is written out."""

AT_LEAST, AT_MOST, OPEN = "at least", "at most", "about"
"""What a figure is of which a part is not known; open where the true one may lie on either side."""

_SCALED = {shown for scale in _SCALES.values() for shown, _ in scale}
_MOST_DIGITS = 9
_NO_DIFFERENCE = 1e-9


def energy_text(energy_pj: Spread | float) -> str:
    """Such as `1.20 uJ`, or `1.20 to 3.40 uJ` for a spread."""
    return amount_text(energy_pj, "pJ")


def time_text(time_ns: Spread | float) -> str:
    """Such as `12.0 us`."""
    return amount_text(time_ns, "ns")


def power_text(power_mw: Spread | float) -> str:
    """Such as `104 mW`."""
    return amount_text(power_mw, "mW")


def amount_text(value: Spread | float, unit: str) -> str:
    """An amount in its base unit, such as `60.3 us` of 60,260 ns, or `1,234 SynOps`; of a spread low and high."""
    if isinstance(value, Spread):
        shown, factor = unit_for(value.high, unit)
        low, high = _number(value.low / factor, shown), _number(value.high / factor, shown)
        return f"{high} {shown}" if low == high else f"{low} to {high} {shown}"
    shown, factor = unit_for(value, unit)
    return f"{_number(value / factor, shown)} {shown}"


def both_texts(used: float, allowed: float, unit: str) -> tuple[str, str, str]:
    """Two amounts and the unit that both are in, with as many digits as it takes to tell them apart."""
    shown, factor = unit_for(max(used, allowed), unit)
    texts = [_number(value / factor, shown) for value in (used, allowed)]
    for digits in range(4, _MOST_DIGITS + 1):
        if texts[0] == texts[1] and used != allowed:
            texts = [f"{value / factor:,.{digits}g}" for value in (used, allowed)]
    return texts[0], texts[1], shown


def share_text(share: float) -> str:
    """A share in percent, such as `87%`; none but a whole one reads 100%, as `100.2%` is more than all."""
    texts = (f"{share:.{digits}%}" for digits in range(_MOST_DIGITS))
    return next(text for text in texts if share == 1 or float(text[:-1]) != 100 or abs(share - 1) < _NO_DIFFERENCE)


def keep_text(share: float) -> str:
    """The share that may stay, in percent: rounded down, and to a digit that leaves some of it."""
    for digits in range(_MOST_DIGITS):
        parts = 100 * 10**digits
        kept = math.floor(share * parts + _NO_DIFFERENCE)  # a share of 29 % times 100 is 28.999...
        if kept or not share:
            return f"{kept / parts:.{digits}%}"
    return f"{share:.1e}"


def unit_for(value: float, unit: str) -> tuple[str, float]:
    """The unit that makes an amount short, and what it is worth in the base unit."""
    scale = _SCALES.get(unit, ((unit, 1.0),))
    fitting = [each for each in scale if abs(value) >= each[1]]
    return fitting[-1] if fitting else scale[0]


def _number(value: float, unit: str) -> str:
    """Three significant digits and all before the point; what is counted and whole is written whole."""
    if unit in ("%", "points"):
        return f"{value:,.2f}"
    if value == 0 or abs(value) >= 100 or (unit not in _SCALED and value == int(value)):
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"
