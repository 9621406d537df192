"""Figures of a profile in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spear_deploy.hardware.amounts import AT_LEAST, AT_MOST, amount_text, both_texts
from spear_deploy.hardware.chip.figures import Bound, Figure, Quantity, Read, Spread, TimeCurve
from spear_deploy.hardware.chip.profile import Profile

if TYPE_CHECKING:
    from spear_deploy.report.schema import LimitReport


def error_text(percent: float | None) -> str:
    """Such as `+3.1 %`: how far a prediction is from what was measured."""
    return "not comparable" if percent is None else f"{percent:+z.1f} %"


def limit_texts(limit: LimitReport) -> tuple[str, str, str]:
    """What the dense and the pruned network use of a limit, and what is allowed."""
    dense, allowed = (amount_text(each, limit.unit) for each in (limit.dense, limit.allowed))
    if limit.least:
        return dense, pruned_text(limit), f"at least {allowed}"
    share = f"at most {allowed}" if limit.unit == "points" else f"{limit.pruned / limit.allowed:.1%} of {allowed}"
    return dense, pruned_text(limit), share


def pruned_text(limit: LimitReport) -> str:
    """What the pruned network uses of a limit, such as `at least 9.97 nJ` where a price in it is not known."""
    return f"{limit.bound} {amount_text(limit.pruned, limit.unit)}".strip()


def limit_names(limits: Sequence[LimitReport]) -> list[str]:
    """The name of each limit; of several on one quantity, who set each is named too."""
    names = [limit.name for limit in limits]
    return [f"{limit.name} ({limit.origin})" if names.count(limit.name) > 1 else limit.name for limit in limits]


def used_text(limit: LimitReport) -> str:
    """What the pruned network uses of a limit, such as `60.3 of 50.0 us`."""
    used, allowed, unit = both_texts(limit.pruned, limit.allowed, limit.unit)
    return f"{limit.bound} {used} of {allowed} {unit}".strip()


def unsure_text(limits: Sequence[LimitReport]) -> str:
    """Limits of which what is used may lie beyond what is known of it; empty where none does.

    Such as `energy per inference: at least 9.97 of 11.0 nJ`.
    """
    surely = {True: AT_LEAST, False: AT_MOST}
    unsure = [limit for limit in limits if limit.bound not in ("", surely[limit.least])]
    return ", ".join(f"{limit.name}: {used_text(limit)}" for limit in unsure)


def prediction_texts(limit: LimitReport) -> tuple[str, str, str] | None:
    """The bound that was predicted of a limit with its interval, what was measured of that network, and whether it
    stayed within the end of that interval that lies nearer to the limit: it is no estimate of what is measured, and
    most networks stay well within it.
    """
    found = limit.prediction
    if found is None:
        return None
    interval = amount_text(Spread(found.low, found.predicted, found.high), limit.unit)
    predicted, measured = (amount_text(each, limit.unit) for each in (found.predicted, found.measured))
    return f"{predicted} ({interval})", measured, "kept" if found.kept else "BROKEN"


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
    """How many figures of a profile are another's; nothing where it inherits none."""
    if not profile.inherited:
        return ""
    return f"{len(profile.inherited)} of {len(profile.figures())} figures are those of {profile.inherits}"


def status_text(figure: Figure) -> str:
    """How sure a figure is, in words."""
    parts = [str(figure.status)]
    if figure.basis is not None:
        parts.append(str(figure.basis))
    if figure.read is Read.SECOND_HAND:
        parts.append("quoted at second hand")
    return ", ".join(parts)
