"""Energies, times and powers as people write them."""

from __future__ import annotations

from spear_deploy.hardware.chip.figures import Bound, Figure, Quantity, Read, Spread, TimeCurve
from spear_deploy.hardware.chip.profile import Profile

_ENERGY_PJ = (("pJ", 1.0), ("nJ", 1e3), ("uJ", 1e6), ("mJ", 1e9), ("J", 1e12))
_TIME_NS = (("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9))
_POWER_MW = (("uW", 1e-3), ("mW", 1.0), ("W", 1e3))

Scale = tuple[tuple[str, float], ...]


def energy_text(energy_pj: Spread | float) -> str:
    """Such as `1.20 uJ`, or `1.20 to 3.40 uJ` for a spread."""
    return _text(energy_pj, _ENERGY_PJ)


def time_text(time_ns: Spread | float) -> str:
    """Such as `12.0 us`."""
    return _text(time_ns, _TIME_NS)


def power_text(power_mw: Spread | float) -> str:
    """Such as `104 mW`."""
    return _text(power_mw, _POWER_MW)


def error_text(percent: float | None) -> str:
    """Such as `+3.1 %`: how far a prediction is from what was measured."""
    return "not comparable" if percent is None else f"{percent:+.1f} %"


def value_text(figure: Figure) -> str:
    """The value of a figure with its unit, as the profile has it."""
    value = figure.value
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(figure, TimeCurve):
        return ", ".join(f"{time:,g} {figure.unit} at {number:,g}" for number, time in value)
    if isinstance(value, tuple):
        text = ", ".join(str(each) for each in value)
        return text if figure.unit == "names" else f"{text} {figure.unit}"
    bound = {Bound.MINIMUM: "at least ", Bound.MAXIMUM: "at most "}.get(figure.bound, "")
    text = f"{bound}{value:,g} {figure.unit}"
    if isinstance(figure, Quantity) and figure.low != figure.high:
        low = value if figure.low is None else figure.low
        high = value if figure.high is None else figure.high
        text += f" ({low:,g} to {high:,g})"
    return text


def inherited_text(profile: Profile) -> str:
    """How many figures of a profile are another's."""
    return f"{len(profile.inherited)} of {len(profile.figures())} figures are those of {profile.inherits}"


def status_text(figure: Figure) -> str:
    """How sure a figure is, in words."""
    parts = [str(figure.status)]
    if figure.basis is not None:
        parts.append(str(figure.basis))
    if figure.read is Read.SECOND_HAND:
        parts.append("quoted at second hand")
    return ", ".join(parts)


def _text(value: Spread | float, scale: Scale) -> str:
    if isinstance(value, Spread):
        unit, factor = _unit(value.high, scale)
        low, high = _digits(value.low / factor), _digits(value.high / factor)
        return f"{high} {unit}" if low == high else f"{low} to {high} {unit}"
    unit, factor = _unit(value, scale)
    return f"{_digits(value / factor)} {unit}"


def _unit(value: float, scale: Scale) -> tuple[str, float]:
    fitting = [each for each in scale if value >= each[1]]
    return fitting[-1] if fitting else scale[0]


def _digits(value: float) -> str:
    """Three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
