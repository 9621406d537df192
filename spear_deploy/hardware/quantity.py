"""What can be limited: one table, a row a quantity, with how it follows from a network on its chip."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from spear_deploy.hardware.chip.figures import Spread, Status
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.cost.cost import NO_MESH, NO_TIME, Cost
from spear_deploy.hardware.cost.step_time import SYNOPS as CORE_SYNOPS
from spear_deploy.hardware.cost.step_time import least_sure
from spear_deploy.hardware.on_chip import OnChip
from spear_deploy.hardware.placement.limits import counts_synapses


class Follows(StrEnum):
    """What a quantity follows from."""

    MEAN = "the mean over inferences"
    """LRE predicts it; it is held with a confidence bound."""

    STRUCTURE = "the network's structure"
    """Known exactly before the network has run."""

    ACTIVITY = "the network's activity"
    """Predicted by a fit of its own on LRE's samples, and measured."""

    ANSWERS = "the network's answers"
    """Judged on the test split; the search does not predict it."""


class Over(StrEnum):
    """What a quantity takes of the values that inferences have."""

    MEAN = "mean"
    P99 = "99th percentile"
    LARGEST = "largest"


@dataclass(frozen=True)
class Quantity:
    """Something of a network that a budget or a chip limits.

    Attributes:
        key: as a budget has it, such as "p99" in `p99=60%`.
        name: as reports have it.
        unit: of its values.
        follows: what it follows from.
        value: of a network on a chip, in `unit`; of energy, latency and power the high end, of throughput the low.
        units: what may be typed after a number, and what it is worth in `unit`.
        bare: whether a number with such a unit means this quantity without its key.
        share: whether `%` is understood, as a share of what the dense network uses.
        whole: whether it comes in whole numbers.
        least: whether limits of it say the least that is allowed, not the most.
        example: budgets of it, in words.
        missing: why it cannot be known from a cost; empty where it can. None where no price enters it.
        uncounted: why a chip's profile does not let it be counted; empty where it does.
        status: how sure the prices and times are that it follows from, of a cost.
        bound: what its value is a bound of, of a cost, such as "at least"; empty where it is none.
        each: the values of single inferences that it follows from, in any unit and as far as they are known;
            None where it does not follow from them.
        over: what it takes of them.
        by_core: whether it depends on which core does what, so that another placement changes it.
        falls_with_spikes: whether fewer spikes of the same network make less of it, in about a straight line.

    """

    key: str
    name: str
    unit: str
    follows: Follows
    value: Callable[[OnChip], float]
    units: Mapping[str, float]
    bare: bool = False
    share: bool = False
    whole: bool = False
    least: bool = False
    example: str = ""
    missing: Callable[[Cost], str] | None = None
    uncounted: Callable[[Profile], str] = lambda _: ""
    status: Callable[[Cost], Status] = lambda cost: cost.energy_status
    bound: Callable[[Cost], str] = lambda _: ""
    each: Callable[[OnChip], Sequence[float]] | None = None
    over: Over = Over.MEAN
    by_core: bool = False
    falls_with_spikes: bool = True

    def __reduce__(self) -> tuple[Callable[[str, str], Quantity], tuple[str, str]]:
        """For another process: its key and name, by which it is found there."""
        if replace(QUANTITIES[self.key], name=self.name) != self:
            raise pickle.PicklingError(f"{self.name}: not as it stands in QUANTITIES")
        return quantity_named, (self.key, self.name)

    def __deepcopy__(self, memo: object) -> Quantity:
        return self

    @property
    def counts_synops(self) -> bool:
        """Whether it counts SynOps, which differ between torch and a chip's integers."""
        return self.unit == SYNOPS_UNIT

    def unknown(self, profile: Profile, cost: Callable[[], Cost] | None) -> str:
        """Why it is not known on a chip, without a cost where nothing was measured; empty where it is known."""
        missing = self.uncounted(profile)
        if missing or self.follows is Follows.STRUCTURE:
            return missing
        if cost is None:
            return "no spikes were measured"
        return "" if self.missing is None else self.missing(cost())

    @property
    def end(self) -> str:
        """Which end of a range is held against a limit: the unfavourable one."""
        return "low" if self.least else "high"


SYNOPS_UNIT = "SynOps"

_COUNTS = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}


def _tail(value: float | None) -> float:
    if value is None:
        raise ValueError("the activity was not measured inference by inference: its tails are not known")
    return value


def _no_price(cost: Cost) -> str:
    return cost.unpriced_text


def _priced(spread: Spread | None, missing: str) -> Spread:
    if spread is None:
        raise ValueError(missing)
    return spread


def _no_packing(profile: Profile) -> str:
    return "" if counts_synapses(profile) else "how synapses lie in memory is not known (synapses.packing, weight_bits)"


def _energy_pj(on_chip: OnChip) -> float:
    return _priced(on_chip.cost.energy_pj, _no_price(on_chip.cost)).high


def _time_ns(on_chip: OnChip) -> float:
    return _priced(on_chip.cost.time_ns, NO_TIME).high


def _per_s(on_chip: OnChip) -> float:
    return _priced(on_chip.cost.throughput_per_s, NO_TIME).low


def _core_step_synops(on_chip: OnChip) -> float:
    return on_chip.cost.timing.term(CORE_SYNOPS).worst


def _no_time(cost: Cost) -> str:
    if cost.time_ns is None and cost.timing.unmapped:
        return f"{NO_MESH} for {', '.join(cost.timing.unmapped)}"
    return NO_TIME if cost.time_ns is None else ""


def _power_mw(on_chip: OnChip) -> float:
    return _priced(on_chip.cost.power_mw, "no price or no time of a step").high


SYNOPS = Quantity(
    "synops",
    "SynOps per inference",
    SYNOPS_UNIT,
    Follows.MEAN,
    lambda on_chip: _tail(on_chip.measured.mean_synops),
    _COUNTS,
    bare=True,
    share=True,
    example="50% (of the dense SynOps), 120k or 1.2M (SynOps per inference)",
)

ACCURACY = "accuracy"
"""In a quantity's name; a report says what the score of the network's objective is called."""

MAX_DROP = Quantity(
    "max-drop",
    f"{ACCURACY} lost",
    "points",
    Follows.ANSWERS,
    lambda on_chip: on_chip.answered.drop_points,
    {"": 1.0, "points": 1.0},
    example="max-drop=1.5",
)

_ROWS = (
    SYNOPS,
    Quantity(
        "p99",
        "SynOps of the 99th percentile inference",
        SYNOPS_UNIT,
        Follows.ACTIVITY,
        lambda on_chip: _tail(on_chip.measured.p99_synops),
        _COUNTS,
        share=True,
        example="p99=60% or p99=90k",
        each=lambda on_chip: on_chip.measured.synops_each,
        over=Over.P99,
    ),
    Quantity(
        "step",
        "SynOps of the busiest time step",
        SYNOPS_UNIT,
        Follows.ACTIVITY,
        lambda on_chip: _tail(on_chip.measured.busiest_step_synops),
        _COUNTS,
        share=True,
        example="step=20k",
        each=lambda on_chip: on_chip.measured.step_synops_each,
        over=Over.LARGEST,
    ),
    Quantity(
        "core-step",
        "operations of the busiest core in a step",
        SYNOPS_UNIT,
        Follows.ACTIVITY,
        _core_step_synops,
        _COUNTS,
        share=True,
        example="core-step=5k",
        each=lambda on_chip: on_chip.cost.timing.synops_each,
        over=Over.LARGEST,
        by_core=True,
    ),
    Quantity(
        "cores",
        "cores",
        "cores",
        Follows.STRUCTURE,
        lambda on_chip: on_chip.placement.quantities["cores"],
        {"": 1.0},
        whole=True,
        example="cores=4",
    ),
    Quantity(
        "neurons",
        "neurons",
        "neurons",
        Follows.STRUCTURE,
        lambda on_chip: on_chip.placement.quantities["neurons"],
        _COUNTS,
        whole=True,
        example="neurons=2000",
    ),
    Quantity(
        "synapse-memory",
        "synapse memory",
        "B",
        Follows.STRUCTURE,
        lambda on_chip: on_chip.placement.quantities["synapse memory"],
        {"B": 1.0, "kB": 1e3, "MB": 1e6, "KiB": 1024.0, "MiB": 1024.0**2},
        example="synapse-memory=64KiB",
        uncounted=_no_packing,
    ),
    Quantity(
        "energy",
        "energy per inference",
        "pJ",
        Follows.ACTIVITY,
        _energy_pj,
        {"pJ": 1.0, "nJ": 1e3, "uJ": 1e6, "µJ": 1e6, "μJ": 1e6, "mJ": 1e9, "J": 1e12},
        bare=True,
        example="3uJ",
        missing=lambda cost: _no_price(cost) if cost.energy_pj is None else "",
        bound=lambda cost: cost.energy_bound,
        each=lambda on_chip: on_chip.cost.energy_each_pj,
        by_core=True,
    ),
    Quantity(
        "latency",
        "latency of an inference",
        "ns",
        Follows.ACTIVITY,
        _time_ns,
        {"ns": 1.0, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9},
        bare=True,
        example="2ms",
        missing=_no_time,
        each=lambda on_chip: on_chip.cost.timing.latency_each_ns,
        bound=lambda cost: cost.time_bound,
        status=lambda cost: cost.timing.status,
        by_core=True,
    ),
    Quantity(
        "throughput",
        "throughput of a full pipeline",
        "1/s",
        Follows.ACTIVITY,
        _per_s,
        {"": 1.0, "/s": 1.0, "k": 1e3, "k/s": 1e3, "M": 1e6, "M/s": 1e6},
        least=True,
        example="throughput=5000/s (at least)",
        missing=_no_time,
        each=lambda on_chip: on_chip.cost.timing.interval_each_ns,
        bound=lambda cost: cost.throughput_bound,
        status=lambda cost: cost.timing.status,
        by_core=True,
    ),
    Quantity(
        "power",
        "power",
        "mW",
        Follows.ACTIVITY,
        _power_mw,
        {"uW": 1e-3, "µW": 1e-3, "μW": 1e-3, "mW": 1.0, "W": 1e3},
        bare=True,
        example="power=20mW",
        missing=lambda cost: "" if cost.power_mw is not None else _no_price(cost) if cost.unpriced else _no_time(cost),
        status=lambda cost: least_sure([cost.energy_status, cost.timing.status]),
        each=lambda on_chip: on_chip.cost.power_each_mw,
        bound=lambda cost: cost.power_bound,
        by_core=True,
        falls_with_spikes=False,  # energy over time, and both fall
    ),
    Quantity(
        "min-accuracy",
        ACCURACY,
        "%",
        Follows.ANSWERS,
        lambda on_chip: on_chip.answered.accuracy_points,
        {"%": 1.0},
        least=True,
        example="min-accuracy=90%",
    ),
    MAX_DROP,
)

QUANTITIES: dict[str, Quantity] = {row.key: row for row in _ROWS}
"""What budgets may speak of, by key. A budget of another kind is one more entry."""

OTHER_KEYS = {"time": "latency"}
"""What else a quantity may be called in a budget."""


def quantity_named(key: str, name: str) -> Quantity:
    """The quantity of a key, itself where that is its name."""
    known = QUANTITIES[key]
    return known if known.name == name else replace(known, name=name)
