"""How long a time step takes: what the busiest core or link does in it, and the barrier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spear_deploy.hardware.chip.figures import Bound, Rate, Status, Time, TimeCurve
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.cost.links import links_of_chips, routes
from spear_deploy.hardware.cost.mesh import MESH_KEYS, CoreMap
from spear_deploy.hardware.cost.wiring import Wiring
from spear_deploy.hardware.cost.work import Work
from spear_deploy.hardware.placement.packing import Integers

Array = NDArray[np.float64]
_NS_PER_S = 1e9

UPDATES = "neuron updates"
SENT = "messages out"
SYNOPS = "synaptic operations"
READS = "synapse-memory reads"
LOOK_UPS = "axon look-ups"
LINKS = "busiest link"
BETWEEN_CHIPS = "busiest link of chips"
WAY = "farthest message"
BARRIER = "barrier"
FLOOR = "least step under load"

_KEYS: dict[str, tuple[str, ...]] = {
    UPDATES: ("neuron_update_active", "neuron_update_inactive"),
    SENT: ("spike", "message_out"),
    SYNOPS: ("synaptic_operation",),
    READS: ("memory_read",),
    LOOK_UPS: ("message_in",),
    LINKS: ("router_rate",),
    BETWEEN_CHIPS: ("message_between_chips",),
    WAY: ("hop_horizontal", "hop_vertical"),
    BARRIER: ("barrier",),
    FLOOR: ("step_floor",),
}
"""What a step holds, and the keys of its times in a profile."""

UNITS = {
    UPDATES: "updates",
    SENT: "messages",
    SYNOPS: "SynOps",
    READS: "words",
    LOOK_UPS: "messages",
    LINKS: "messages",
    BETWEEN_CHIPS: "messages",
    WAY: "hops",
    BARRIER: "",
    FLOOR: "",
}
"""What each is counted in."""


@dataclass(frozen=True)
class StepPrices:
    """The times of a chip, `[3]` each (low, typical, high; ns); zero where none is known.

    Attributes:
        times: by key of the profile; of the router's rate the time of one message.
        known: keys that have a value and are used, and their status.
        unknown: keys that the profile has without a value.
        minimum: full keys whose time is known as a minimum only, a barrier of one chip on several among them.
        unmapped: terms that have a time, and cannot be counted because it is not known where cores lie.
        complete: whether a step has a time at all: an update and an operation have one.
        of_one_chip: whether several chips are in use, and what they add to the barrier is not known.

    """

    times: dict[str, Array]
    known: dict[str, Status]
    unknown: frozenset[str]
    minimum: frozenset[str]
    unmapped: tuple[str, ...]
    complete: bool
    of_one_chip: bool

    @staticmethod
    def of(profile: Profile, *, mapped: bool, chips: int) -> StepPrices:
        """Read once from a profile; `mapped` tells whether it is known where the `chips` chips' cores lie."""
        times, known = {}, {}
        for key in (key for keys in _KEYS.values() for key in keys):
            figure = getattr(profile.time, key)
            times[key] = np.zeros(3)
            if figure is not None and figure.known:
                known[key] = figure.status
                spread = figure.spread
                values = np.array([spread.low, spread.typical, spread.high])
                times[key] = values if isinstance(figure, Time) else _NS_PER_S / values[::-1]
        for key, other in (_KEYS[UPDATES], _KEYS[UPDATES][::-1]):
            if getattr(profile.time, key) is None:
                # Where there is only one time an update takes as long either way.
                times[key] = times[other]
        updated = all(getattr(profile.time, key) is None or key in known for key in _KEYS[UPDATES])
        complete = "synaptic_operation" in known and updated and not known.keys().isdisjoint(_KEYS[UPDATES])
        unmapped = [] if mapped else [term for term in (LINKS, WAY) if not known.keys().isdisjoint(_KEYS[term])]
        curves = {"barrier_by_routers": mapped, "barrier_by_chips": chips > 1}
        for key, used in curves.items():
            figure = getattr(profile.time, key)
            if figure is not None and figure.known and used:
                known[key] = figure.status
        if not mapped and "barrier" not in known and _has_curve(profile):
            unmapped.append(BARRIER)
        elif "barrier_by_routers" in known:
            known.pop("barrier", None)
        figures = {key: figure for key in (*times, *curves) if (figure := getattr(profile.time, key)) is not None}
        unknown = frozenset(key for key, figure in figures.items() if not figure.known)
        minimum = {f"time.{key}" for key, figure in figures.items() if _is_minimum(figure)}
        of_barrier = known.keys() & {"barrier", "barrier_by_routers"}
        of_one_chip = chips > 1 and bool(of_barrier) and "barrier_by_chips" not in known
        if of_one_chip:
            minimum |= {f"time.{key}" for key in of_barrier}
        return StepPrices(times, known, unknown, frozenset(minimum), tuple(unmapped), complete, of_one_chip)

    def figures(self, term: str) -> tuple[str, ...]:
        """The keys of a term that have a value."""
        return tuple(f"time.{key}" for key in self._keys(term) if key in self.known)

    def statuses(self, term: str) -> list[Status]:
        """How sure the times of a term are."""
        return [self.known[key] for key in self._keys(term) if key in self.known]

    def missing(self, term: str) -> tuple[str, ...]:
        """The keys that would price a term of which no time is known, or not all."""
        if term in self.unmapped:
            return MESH_KEYS
        more = ("time.barrier_by_chips",) if term == BARRIER and self.of_one_chip else ()
        if term == BARRIER and "barrier_by_routers" in self.known:
            return more
        none = self.known.keys().isdisjoint(_KEYS[term])
        return (*(f"time.{key}" for key in _KEYS[term] if none or key in self.unknown), *more)

    @staticmethod
    def _keys(term: str) -> tuple[str, ...]:
        return (*_KEYS[term], "barrier_by_routers", "barrier_by_chips") if term == BARRIER else _KEYS[term]


@dataclass(frozen=True, eq=False)
class Measured:
    """Some steps in time.

    Attributes:
        step_ns: the whole step: low, typical, high, `[S, 3]`.
        counts: by term, what the core or link does that does most of it, `[S]`.
        terms_ns: by term, the longest time that it takes on one core or link, `[S, 3]`.
        slowest: the core that takes longest (typical), `[S]`.
        most_synops: the core that does most synaptic operations, `[S]`.

    """

    step_ns: Array
    counts: dict[str, Array]
    terms_ns: dict[str, Array]
    slowest: NDArray[np.int64]
    most_synops: NDArray[np.int64]


class StepClock:
    """Times steps on the cores of a placement.

    A core updates its neurons and sends their spikes while it takes messages in, reads synapses
    and adds them up; the slowest core, or the busiest link, sets the pace for all.

    - typical: the longer of the two on the slowest core, or the busiest link; then the message
      that travels farthest and the barrier.
    - low: everything overlaps; the longest single term of any core or link, the way and the
      barrier among them (Timcheck et al., arXiv 2601.10035: a step of Loihi 2 is that maximum).
    - high: on the slowest core nothing overlaps; then the way and the barrier.

    No step is shorter than the chip's least step under load, where that is known.

    `active` is the share of updates on each core that are active, `[cores]`, where that was
    measured; else at least the neurons that spike (low) and at most all (typical, high). `chip` is
    the chip that each core lies on, `[cores]`: two chips are joined by one link in each direction.
    """

    def __init__(
        self,
        prices: StepPrices,
        wiring: Wiring,
        core_map: CoreMap | None,
        active: Array | None,
        barrier: Array,
        chip: Integers,
    ) -> None:
        self.prices, self.wiring, self.active, self.barrier = prices, wiring, active, barrier
        self.over = links_of_chips(chip[wiring.source], chip[wiring.target])
        self.routes = None
        if core_map is not None:
            self.routes = routes(core_map.place[wiring.source], core_map.place[wiring.target])
            times = prices.times
            way = np.multiply.outer(self.routes.horizontal, times["hop_horizontal"])
            self.way = way + np.multiply.outer(self.routes.vertical, times["hop_vertical"])
            # Without times the hops decide which message travels farthest.
            far = self.way[:, 1] if self.way.any() else self.routes.horizontal + self.routes.vertical
            self.by_way = np.argsort(-far, kind="stable")

    def measure(self, work: Work) -> Measured:
        """The time of each step of some work, `[S, ..]`."""
        times, neurons = self.prices.times, self.wiring.neurons
        steps, cores = work.spikes.shape
        sent, received = np.zeros((steps, cores)), work.from_input.copy()
        _add_columns(sent, self.wiring.source, work.messages)
        _add_columns(received, self.wiring.target, work.messages)
        most = np.minimum(work.spikes, neurons)
        every = np.broadcast_to(neurons, most.shape)
        active = (most, every, every) if self.active is None else (neurons * self.active,) * 3
        counts = {
            UPDATES: np.full(steps, neurons.max(initial=0.0)),
            SENT: sent.max(1, initial=0.0),
            SYNOPS: work.operations.max(1, initial=0.0),
            READS: work.words.max(1, initial=0.0),
            LOOK_UPS: received.max(1, initial=0.0),
            BARRIER: np.ones(steps),
            FLOOR: np.ones(steps),
        }
        longest: dict[str, Array] = {name: np.zeros((steps, 3)) for name in _KEYS}
        pace = np.zeros((steps, 3))
        slowest = np.zeros(steps, dtype=np.int64)
        for case in range(3):
            busy, idle = times["neuron_update_active"][case], times["neuron_update_inactive"][case]
            updates = [each * busy + (neurons - each) * idle for each in active]
            on_core = {
                # An active update may take less than an inactive one: most of them is then the low end.
                UPDATES: (np.min, lambda each, _: each[1], np.max)[case](np.broadcast_arrays(*updates), 0),
                SENT: work.spikes * times["spike"][case] + sent * times["message_out"][case],
                SYNOPS: work.operations * times["synaptic_operation"][case],
                READS: work.words * times["memory_read"][case],
                LOOK_UPS: received * times["message_in"][case],
            }
            for name, value in on_core.items():
                longest[name][:, case] = np.broadcast_to(value, (steps, cores)).max(1, initial=0.0)
            neuron = on_core[UPDATES] + on_core[SENT]
            synapse = on_core[SYNOPS] + on_core[READS] + on_core[LOOK_UPS]
            if case == 0:
                pace[:, 0] = np.max([longest[name][:, 0] for name in on_core], axis=0)
            elif case == 1:
                both = np.maximum(neuron, synapse)
                slowest = both.argmax(1)
                pace[:, 1] = both.max(1)
            else:
                pace[:, 2] = (neuron + synapse).max(1)
        if self.over.shape[1]:
            counts[BETWEEN_CHIPS] = (work.messages @ self.over).max(1, initial=0.0)
            longest[BETWEEN_CHIPS] = np.multiply.outer(counts[BETWEEN_CHIPS], times["message_between_chips"])
        way = np.zeros((steps, 3))
        if self.routes is not None:
            counts[LINKS] = (work.messages @ self.routes.on).max(1, initial=0.0)
            longest[LINKS] = np.multiply.outer(counts[LINKS], times["router_rate"])
            way, counts[WAY] = self._farthest(work.messages)
            longest[WAY] = way
        longest[BARRIER] = np.broadcast_to(self.barrier, (steps, 3))
        longest[FLOOR] = np.broadcast_to(times["step_floor"], (steps, 3))
        pace = np.maximum(np.maximum(pace, longest[LINKS]), longest[BETWEEN_CHIPS])
        step = np.maximum(pace + way + self.barrier, longest[FLOOR])
        step[:, 0] = np.max([each[:, 0] for each in longest.values()], axis=0)
        return Measured(step, counts, {name: longest[name] for name in counts}, slowest, work.operations.argmax(1))

    def _farthest(self, messages: Array) -> tuple[Array, Array]:
        """Time and hops of the message that travels farthest in each step."""
        if self.routes is None or not messages.shape[1]:
            return np.zeros((len(messages), 3)), np.zeros(len(messages))
        present: NDArray[np.bool_] = np.greater(messages[:, self.by_way], 0)
        pair = self.by_way[present.argmax(1)]
        hops = (self.routes.horizontal + self.routes.vertical)[pair]
        any_sent = np.asarray(present.any(1))
        return np.where(any_sent[:, None], self.way[pair], 0.0), np.where(any_sent, hops, 0).astype(np.float64)


def barrier_of(profile: Profile, core_map: CoreMap | None, chips: int = 1) -> Array:
    """The barrier for the routers and chips in use, `[3]`.

    As the profile has it by the number of routers; else the same for any number. Where the profile has a time for
    more chips it is added, and the routers are those of the chip that uses most.
    """
    by_chips = profile.time.barrier_by_chips
    if by_chips is None or not by_chips.known or chips == 1:
        return _barrier_on(profile, None if core_map is None else core_map.routers)
    one = _barrier_on(profile, None if core_map is None else core_map.most_routers)
    return one + by_chips.amount_at(chips) - by_chips.amount_at(1)


def _barrier_on(profile: Profile, routers: int | None) -> Array:
    figure, curve = profile.time.barrier, profile.time.barrier_by_routers
    if curve is not None and curve.known and routers is not None:
        return np.full(3, curve.amount_at(routers))
    if figure is None or not figure.known:
        return np.zeros(3)
    spread = figure.spread
    return np.array([spread.low, spread.typical, spread.high])


def _is_minimum(figure: Time | TimeCurve | Rate) -> bool:
    """Whether no less time is known; at the highest rate it is least."""
    return figure.bound is (Bound.MAXIMUM if isinstance(figure, Rate) else Bound.MINIMUM)


def _has_curve(profile: Profile) -> bool:
    curve = profile.time.barrier_by_routers
    return curve is not None and curve.known


_ORDER = (Status.MEASURED, Status.PUBLISHED, Status.DERIVED, Status.ESTIMATED, Status.UNKNOWN)


def least_sure(statuses: list[Status]) -> Status:
    """The status of a figure that is made of others: that of the least sure."""
    return max(statuses, key=_ORDER.index, default=Status.UNKNOWN)


def _add_columns(total: Array, cores: NDArray[np.int64], values: Array) -> None:
    """Add values of pairs `[S, pairs]` to their cores `[S, cores]`."""
    if values.shape[1]:
        order = np.argsort(cores, kind="stable")
        found, starts = np.unique(cores[order], return_index=True)
        total[:, found] += np.add.reduceat(values[:, order], starts, axis=1)
