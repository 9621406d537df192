"""What an inference costs on a chip: energy by part, time, power, from measured spikes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from spear_deploy.hardware.amounts import AT_LEAST, AT_MOST, OPEN
from spear_deploy.hardware.chip.figures import Spread, Status
from spear_deploy.hardware.cost.input_output import Outside
from spear_deploy.hardware.cost.mesh import CoreMap
from spear_deploy.hardware.cost.step_time import least_sure
from spear_deploy.hardware.cost.timing import Timing
from spear_deploy.hardware.cost.traffic import Traffic

_NS_PER_S = 1e9

SYNAPSES = "synapses"
INPUT = "input values"
MESSAGES = "messages"
BETWEEN_CHIPS = "messages between chips"
UPDATES = "neuron updates"
STATIC_PARTS = ("idle chips", "active cores")

NO_PRICE = "no price"
NO_TIME = "no time of a step"
NO_MESH = "no mesh of routers"


@dataclass(frozen=True)
class Part:
    """One part of the energy of an inference.

    Attributes:
        name: such as "synapses" or "hops".
        figures: the keys of its prices in the profile.
        count: how many operations; chips x seconds or cores x seconds for static parts.
        energy_pj: None where it has no price, or what it is to be multiplied by is not known.
        status: of the least sure price.
        at_least: whether a price is known as a minimum only, so that the energy is one too.
        lacks: what is not known of it where it has no energy.

    """

    name: str
    figures: tuple[str, ...]
    count: float
    energy_pj: Spread | None
    status: Status
    at_least: bool = False
    lacks: str = NO_PRICE


@dataclass(frozen=True)
class Cost:
    """What one inference costs.

    Attributes:
        parts: the energy, split.
        timing: how long it takes, step by step.
        synops: synaptic operations of spikes.
        analog_operations: synaptic operations of input values.
        core_map: the cores on the mesh; None where the chip has none.
        traffic: messages between cores.
        outside: what is beside the cores, and time and energy with it.
        links_unpriced: whether messages go from one chip to another, and no price holds what that costs.
        synops_each: of single inferences, in the order of the timing's; empty where that is not known.

    """

    parts: tuple[Part, ...]
    timing: Timing
    synops: float
    analog_operations: float
    core_map: CoreMap | None
    traffic: Traffic
    outside: Outside
    links_unpriced: bool
    synops_each: tuple[float, ...] = ()

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Parts of which no energy is known."""
        return tuple(part.name for part in self.parts if part.energy_pj is None)

    @property
    def unpriced_text(self) -> str:
        """Such as `no price for synapses; no time of a step for idle chips`; empty where all is known."""
        return lacking_text([(part.name, part.lacks) for part in self.parts if part.energy_pj is None])

    @property
    def priced_pj(self) -> Spread | None:
        """The sum of the parts that have a price: less than the total where some have none."""
        energies = [part.energy_pj for part in self.parts if part.energy_pj is not None]
        return total(energies) if energies else None

    @property
    def energy_pj(self) -> Spread | None:
        """Energy of an inference; None where a part has no price."""
        return energy_of(self.parts)

    @property
    def energy_status(self) -> Status:
        """The least sure price in the energy; unknown where one is missing."""
        return least_sure([part.status for part in self.parts])

    @property
    def energy_at_least(self) -> bool:
        """Whether the energy is a lower bound: a price in it is a minimum, or messages between chips have none."""
        return self.links_unpriced or any(part.at_least for part in self.parts)

    @property
    def energy_bound(self) -> str:
        """Whether the energy is a bound, in a word."""
        return AT_LEAST if self.energy_at_least else ""

    @property
    def time_bound(self) -> str:
        """Whether the time is a bound, in a word."""
        return AT_LEAST if self.timing.at_least else ""

    @property
    def throughput_bound(self) -> str:
        """Whether the throughput is a bound, in a word: what takes longer is done less often."""
        return AT_MOST if self.timing.at_least else ""

    @property
    def power_bound(self) -> str:
        """Whether the power is a bound, in a word: more energy makes it more, more time less."""
        if not self.timing.at_least:
            return self.energy_bound
        return OPEN if self.energy_at_least else AT_MOST

    @property
    def steps(self) -> int:
        """Time steps that the chip runs for an inference: T, and one more for each layer after the
        first, through which spikes pass a step later.
        """
        return self.timing.steps

    @property
    def time_ns(self) -> Spread | None:
        """Latency of an inference alone on the chip, the mean over samples."""
        return None if self.timing.latency is None else self.timing.latency.mean

    @property
    def sequential_per_s(self) -> Spread | None:
        """Inferences in a second, one after the other."""
        return _rate(self.time_ns)

    @property
    def throughput_per_s(self) -> Spread | None:
        """Inferences in a second in a full pipeline: the next one starts while layers still work on the last."""
        return _rate(self.timing.interval_ns)

    @property
    def power_mw(self) -> Spread | None:
        """Mean power while inferences run: low is the low energy over the high time."""
        energy, time = self.energy_pj, self.time_ns
        if energy is None or time is None:
            return None
        static = total([part.energy_pj for part in self.parts if part.energy_pj and part.name in STATIC_PARTS])
        moving = Spread(energy.low - static.low, energy.typical - static.typical, energy.high - static.high)
        return Spread(
            _over(moving.low, time.high) + _over(static.low, time.low),
            _over(energy.typical, time.typical),
            _over(moving.high, time.low) + _over(static.high, time.high),
        )

    @property
    def energy_each_pj(self) -> tuple[float, ...]:
        """The energy of single inferences, by the high end; empty where that is not known.

        Each with its own time; what moves with spikes is taken in proportion to its SynOps.
        """
        energy, time = self.energy_pj, self.time_ns
        if energy is None:
            return ()
        moving, steady, idle = (self._high(kind) for kind in ("moving", "steady", "idle"))
        times = self.timing.latency_each_ns
        if time is None or not times:
            return tuple(steady + idle + moving * share for share in self._shares)
        return tuple(
            steady + _over(idle * each, time.high) + moving * share
            for share, each in zip(self._shares, times, strict=False)
        )

    @property
    def power_each_mw(self) -> tuple[float, ...]:
        """The power while single inferences run, by the high end, likewise."""
        power, time = self.power_mw, self.time_ns
        if power is None or time is None:
            return ()
        moving = _over(self._high("moving"), time.low)
        return tuple(power.high + moving * (share - 1) for share in self._shares)

    @property
    def _shares(self) -> list[float]:
        """SynOps of single inferences over their mean."""
        mean = sum(self.synops_each) / len(self.synops_each) if self.synops_each else 0.0
        return [each / mean for each in self.synops_each] if mean else []

    def _high(self, kind: str) -> float:
        """The high end of the parts that flow whatever happens (idle), that do not depend on spikes, or that do."""
        kinds = dict.fromkeys(STATIC_PARTS, "idle") | {UPDATES: "steady"}
        energies = [part.energy_pj for part in self.parts if kinds.get(part.name, "moving") == kind]
        return total(each for each in energies if each is not None).high

    @property
    def energy_delay_pj_s(self) -> Spread | None:
        """Energy x time of an inference."""
        energy, time = self.energy_pj, self.time_ns
        if energy is None or time is None:
            return None
        return Spread(
            energy.low * time.low / _NS_PER_S,
            energy.typical * time.typical / _NS_PER_S,
            energy.high * time.high / _NS_PER_S,
        )

    @property
    def synops_share(self) -> float | None:
        """Which share of the typical energy the synaptic operations of spikes are.

        None where not all is priced, or the chip has no price of its own for them.
        """
        return self._share(self.energy_pj)

    @property
    def synops_share_of_dynamic(self) -> float | None:
        """The same without the power that flows whether or not anything spikes."""
        dynamic = [part.energy_pj for part in self.parts if part.name not in STATIC_PARTS]
        return self._share(total(each for each in dynamic if each is not None)) if all(dynamic) else None

    def _share(self, energy: Spread | None) -> float | None:
        synapses = next((part.energy_pj for part in self.parts if part.name == SYNAPSES), None)
        if energy is None or synapses is None or energy.typical == 0:
            return None
        return synapses.typical / energy.typical


def lacking_text(parts: Iterable[tuple[str, str]]) -> str:
    """What is not known of parts of the energy, each with its name and what it lacks."""
    lacking: dict[str, list[str]] = {}
    for name, lacks in parts:
        lacking.setdefault(lacks, []).append(name)
    return "; ".join(f"{lacks} for {', '.join(names)}" for lacks, names in lacking.items())


def energy_of(parts: Sequence[Part]) -> Spread | None:
    """The sum of all parts; None where one has no price."""
    energies = [part.energy_pj for part in parts if part.energy_pj is not None]
    return total(energies) if energies and len(energies) == len(parts) else None


def total(spreads: Iterable[Spread]) -> Spread:
    """The sum, low with low and high with high."""
    every = list(spreads)
    return Spread(
        sum(each.low for each in every), sum(each.typical for each in every), sum(each.high for each in every)
    )


def _rate(time_ns: Spread | None) -> Spread | None:
    if time_ns is None:
        return None
    return Spread(*(_over(_NS_PER_S, ns) for ns in (time_ns.high, time_ns.typical, time_ns.low)))


def _over(amount: float, time: float) -> float:
    """The amount by time; without end in no time, as on cores that are idle for free while nothing spikes."""
    return amount / time if time else (inf if amount else 0.0)
