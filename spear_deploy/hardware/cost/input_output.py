"""What is outside of the cores: injecting the input's spikes, the host, the processor beside the cores.

Published rows give energy and time with and without it. Few prices are known, so that most of it is counted
and named as missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spear_deploy.hardware.chip.figures import Bound, Energy, Spread, Time
from spear_deploy.hardware.chip.profile import Profile

INJECTION = "injecting the input"
HOST = "host I/O"
PROCESSOR = "embedded processor"


@dataclass(frozen=True)
class OutsideTerm:
    """One thing beside the cores, of one inference.

    Attributes:
        name: such as "injecting the input".
        count: how many, in `unit`.
        unit: such as "events" or "steps".
        time_ns: None where no time is known.
        energy_pj: None where no price is known.
        missing: the keys of the profile that would price it.
        at_least: whether its price or time is known as a minimum only.

    """

    name: str
    count: float
    unit: str
    time_ns: Spread | None
    energy_pj: Spread | None
    missing: tuple[str, ...]
    at_least: bool


@dataclass(frozen=True)
class Outside:
    """An inference with its input and output.

    Attributes:
        terms: injection of the input and the host.
        processor_pj: what the processor beside the cores draws meanwhile; None where its power is not known. Published
            rows leave it out, so that it is in no total.
        time_ns: latency with I/O; None where the time without is not known.
        energy_pj: energy with I/O; None where the energy without is not known.

    """

    terms: tuple[OutsideTerm, ...]
    processor_pj: Spread | None
    time_ns: Spread | None
    energy_pj: Spread | None

    @property
    def missing(self) -> tuple[str, ...]:
        """Keys of the profile without which the totals are lower bounds."""
        return tuple(key for term in self.terms for key in term.missing)

    @property
    def at_least(self) -> bool:
        """Whether what is beside the cores makes the totals lower bounds."""
        return bool(self.missing) or any(term.at_least for term in self.terms)


def outside_of(
    profile: Profile,
    *,
    input_events: float,
    steps: int,
    time_ns: Spread | None,
    energy_pj: Spread | None,
    static_mw: Spread,
) -> Outside:
    """Count and price what lies beside the cores.

    `static_mw` is what flows while the host makes the chip wait. At the low end I/O and the cores
    overlap in time, typically and at the high end they follow each other.
    """
    terms = (
        _term(profile, INJECTION, "input_event", input_events, "events"),
        _term(profile, HOST, "host_step", steps, "steps"),
    )
    with_io = None if time_ns is None else _longer(time_ns, [term.time_ns for term in terms if term.time_ns])
    processor = profile.energy.embedded_processor
    drawn = None
    if processor is not None and processor.known and with_io is not None:
        drawn = _product(processor.spread, with_io)  # 1 mW x 1 ns = 1 pJ
    waiting = _waiting(static_mw, time_ns, with_io)
    energy = None
    if energy_pj is not None and waiting is not None:
        energy = _sum([energy_pj, waiting, *(term.energy_pj for term in terms if term.energy_pj)])
    return Outside(terms, drawn, with_io, energy)


def _waiting(static_mw: Spread, time_ns: Spread | None, with_io: Spread | None) -> Spread | None:
    """What flows while the chip waits; None where something does, for a time that is not known."""
    if time_ns is None or with_io is None:
        return None if static_mw.high else Spread(0.0, 0.0, 0.0)
    return _product(static_mw, _less(with_io, time_ns))


def _term(profile: Profile, name: str, key: str, count: float, unit: str) -> OutsideTerm:
    time: Time | None = getattr(profile.time, key)
    energy: Energy | None = getattr(profile.energy, key)
    spreads = [figure.spread if figure is not None and figure.known else None for figure in (time, energy)]
    keys = (f"time.{key}", f"energy.{key}")
    missing = tuple(each for each, spread in zip(keys, spreads, strict=True) if spread is None and count > 0)
    exact = Spread(count, count, count)
    time_ns, energy_pj = (None if spread is None else _product(spread, exact) for spread in spreads)
    at_least = count > 0 and any(figure is not None and figure.bound is Bound.MINIMUM for figure in (time, energy))
    return OutsideTerm(name, count, unit, time_ns, energy_pj, missing, at_least)


def _longer(cores: Spread, others: Sequence[Spread]) -> Spread:
    total = _sum([cores, *others])
    return Spread(max([cores.low, *(each.low for each in others)]), total.typical, total.high)


def _sum(spreads: Sequence[Spread]) -> Spread:
    return Spread(
        sum(each.low for each in spreads), sum(each.typical for each in spreads), sum(each.high for each in spreads)
    )


def _less(whole: Spread, part: Spread) -> Spread:
    return Spread(whole.low - part.low, whole.typical - part.typical, whole.high - part.high)


def _product(one: Spread, other: Spread) -> Spread:
    return Spread(one.low * other.low, one.typical * other.typical, one.high * other.high)
