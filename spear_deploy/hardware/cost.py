"""What an inference costs on a chip: energy by part, time, power, from measured spikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spear_deploy.hardware.activity import Activity, synaptic_operations
from spear_deploy.hardware.figures import Energy, Power, Spread, Status
from spear_deploy.hardware.mesh import CoreMap, lay_out, map_cores
from spear_deploy.hardware.placement import Placement
from spear_deploy.hardware.profile import Profile
from spear_deploy.hardware.step_time import StepTime, least_sure, step_time
from spear_deploy.hardware.traffic import Traffic, traffic_of
from spear_deploy.network import Network

Array = NDArray[np.float64]
_NS_PER_S = 1e9

ALL_IN = "all-in"
SYNAPSES = "synapses"
INPUT = "input values"
STATIC_PARTS = ("idle chips", "active cores")


@dataclass(frozen=True)
class Part:
    """One part of the energy of an inference.

    Attributes:
        name: such as "synapses" or "hops".
        figures: the keys of its prices in the profile.
        count: how many operations; chips x seconds or cores x seconds for static parts.
        energy_pj: None where it has no price.
        status: of the least sure price.

    """

    name: str
    figures: tuple[str, ...]
    count: float
    energy_pj: Spread | None
    status: Status


@dataclass(frozen=True)
class Cost:
    """What one inference costs.

    Attributes:
        parts: the energy, split.
        steps: time steps that the chip runs for an inference: T, and one more for each layer
            after the first, through which spikes pass a step later.
        step: time of a step; None where the chip's times are unknown.
        synops: synaptic operations of spikes.
        analog_operations: synaptic operations of input values.
        core_map: the cores on the mesh; None where the chip has none.
        traffic: messages between cores.

    """

    parts: tuple[Part, ...]
    steps: int
    step: StepTime | None
    synops: float
    analog_operations: float
    core_map: CoreMap | None
    traffic: Traffic

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Parts that have no price."""
        return tuple(part.name for part in self.parts if part.energy_pj is None)

    @property
    def priced_pj(self) -> Spread | None:
        """The sum of the parts that have a price: less than the total where some have none."""
        energies = [part.energy_pj for part in self.parts if part.energy_pj is not None]
        return _sum(energies) if energies else None

    @property
    def energy_pj(self) -> Spread | None:
        """Energy of an inference; None where a part has no price."""
        return None if self.unpriced else self.priced_pj

    @property
    def energy_status(self) -> Status:
        """The least sure price in the energy; unknown where one is missing."""
        return least_sure([part.status for part in self.parts])

    @property
    def time_ns(self) -> Spread | None:
        """Time of an inference."""
        if self.step is None:
            return None
        step = self.step.step_ns
        return Spread(self.steps * step.low, self.steps * step.typical, self.steps * step.high)

    @property
    def inferences_per_s(self) -> Spread | None:
        """Inferences one after the other."""
        time = self.time_ns
        return None if time is None else Spread(_NS_PER_S / time.high, _NS_PER_S / time.typical, _NS_PER_S / time.low)

    @property
    def power_mw(self) -> Spread | None:
        """Mean power while inferences run: low is the low energy over the high time."""
        energy, time = self.energy_pj, self.time_ns
        if energy is None or time is None:
            return None
        static = _sum([part.energy_pj for part in self.parts if part.energy_pj and part.name in STATIC_PARTS])
        moving = Spread(energy.low - static.low, energy.typical - static.typical, energy.high - static.high)
        return Spread(
            moving.low / time.high + static.low / time.low,
            energy.typical / time.typical,
            moving.high / time.low + static.high / time.high,
        )

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
        """Which share of the typical energy the synaptic operations of spikes are; None where not all is priced.

        Also None where the chip has no price of its own for them.
        """
        energy = self.energy_pj
        synapses = [part.energy_pj for part in self.parts if part.name == SYNAPSES and part.energy_pj is not None]
        if energy is None or not synapses or energy.typical == 0:
            return None
        return synapses[0].typical / energy.typical


def estimate(
    network: Network,
    placement: Placement,
    activity: Activity,
    *,
    steps: int | None = None,
    core_map: CoreMap | None = None,
) -> Cost:
    """The cost of one inference of measured activity on the cores of a placement.

    `steps` overrides the number of time steps that the chip runs (see `Cost.steps`), `core_map`
    where the cores lie, which otherwise follows from the activity.

    Raises:
        DataError: the activity does not belong to the network.

    """
    profile = placement.profile
    traffic = traffic_of(network, placement, activity)
    core_map = map_cores(placement, traffic) if core_map is None else lay_out(core_map, traffic)
    steps = activity.time_steps + _depth(network) - 1 if steps is None else steps
    by_connection, analog = synaptic_operations(network, activity)
    synops = sum(by_connection.values())
    active = _active(placement, traffic, activity, steps)
    step = step_time(profile, traffic, core_map, steps, active[1])
    parts = _parts(profile, _counts(traffic, core_map, synops, analog, active, steps))
    if not _is_all_in(profile):
        parts += _static(placement, step, steps)
    return Cost(tuple(parts), steps, step, synops, analog, core_map, traffic)


_Counts = dict[str, Spread]


def _counts(
    traffic: Traffic,
    core_map: CoreMap | None,
    synops: float,
    analog: float,
    active: tuple[Array, Array, Array],
    steps: int,
) -> _Counts:
    """How many of each operation, by the key of its price."""
    updates = float(traffic.neurons.sum()) * steps
    busy = Spread(*(float(each.sum()) for each in active))
    # What is not active is inactive, in the low, the typical and the high case alike.
    idle = Spread(updates - busy.low, updates - busy.typical, updates - busy.high)
    return {
        "synaptic_operation": _exactly(synops),
        "multiply_accumulate": _exactly(analog),
        "neuron_update_active": busy,
        "neuron_update_inactive": idle,
        "spike": _exactly(float(traffic.spikes.sum())),
        "message_out": _exactly(float(traffic.messages.sum())),
        "message_in": _exactly(float(traffic.received.sum())),
        "hop_horizontal": _exactly(core_map.hops_horizontal if core_map is not None else 0.0),
        "hop_vertical": _exactly(core_map.hops_vertical if core_map is not None else 0.0),
    }


_PARTS: dict[str, tuple[str, ...]] = {
    SYNAPSES: ("synaptic_operation",),
    "neuron updates": ("neuron_update_active", "neuron_update_inactive"),
    "spikes": ("spike",),
    "messages": ("message_out", "message_in"),
    "hops": ("hop_horizontal", "hop_vertical"),
}
"""The parts of the energy that grow with operations, and the prices of each."""


def _parts(profile: Profile, counts: _Counts) -> list[Part]:
    prices = _prices(profile)
    parts = []
    for name, keys in _PARTS.items():
        if _is_all_in(profile) and name != SYNAPSES:
            continue  # a price that holds every other cost: adding to it would count twice
        priced = {key: figure for key in keys if (figure := prices[key]) is not None}
        if priced:
            parts.append(_part(name, priced, counts))
        elif name == SYNAPSES and profile.energy.static_per_core is None:
            parts.append(_unpriced(name, keys, counts[keys[0]].typical))
    if counts["multiply_accumulate"].high > 0:
        figure = prices["multiply_accumulate"]
        known = {"multiply_accumulate": figure} if figure is not None else {}
        count = counts["multiply_accumulate"].typical
        part = _part(INPUT, known, counts) if known else _unpriced(INPUT, ("multiply_accumulate",), count)
        parts.append(part)
    return parts


def _prices(profile: Profile) -> dict[str, Energy | None]:
    energy = profile.energy
    prices: dict[str, Energy | None] = {key: getattr(energy, key) for keys in _PARTS.values() for key in keys}
    prices["multiply_accumulate"] = energy.multiply_accumulate
    if prices["neuron_update_inactive"] is None:
        # Where only one price is known an update costs the same either way.
        prices["neuron_update_inactive"] = energy.neuron_update_active
    return prices


def _part(name: str, prices: dict[str, Energy], counts: _Counts) -> Part:
    count = sum(counts[key].typical for key in prices)
    if not all(figure.known for figure in prices.values()):
        return _unpriced(name, tuple(prices), count)
    energy = _sum([_times(figure.spread, counts[key]) for key, figure in prices.items()])
    figures = tuple(f"energy.{key}" for key in prices)
    return Part(name, figures, count, energy, least_sure([figure.status for figure in prices.values()]))


def _unpriced(name: str, keys: tuple[str, ...], count: float) -> Part:
    return Part(name, tuple(f"energy.{key}" for key in keys), count, None, Status.UNKNOWN)


def _static(placement: Placement, step: StepTime | None, steps: int) -> list[Part]:
    """Power that flows whether or not anything spikes, over the time of the inference."""
    energy = placement.profile.energy
    powers: tuple[tuple[str, str, Power | None, int], ...] = (
        (STATIC_PARTS[0], "static_per_chip", energy.static_per_chip, placement.chips_needed),
        (STATIC_PARTS[1], "static_per_core", energy.static_per_core, placement.cores_needed),
    )
    parts = []
    for name, key, figure, number in powers:
        if figure is None:
            continue
        if not figure.known or step is None:
            parts.append(_unpriced(name, (key,), float("nan") if step is None else number))
            continue
        each = step.step_ns
        held = Spread(*(number * steps * ns for ns in (each.low, each.typical, each.high)))
        drawn = _times(figure.spread, held)  # 1 mW x 1 ns = 1 pJ
        status = least_sure([figure.status, step.status])
        parts.append(Part(name, (f"energy.{key}",), held.typical / _NS_PER_S, drawn, status))
    return parts


def _is_all_in(profile: Profile) -> bool:
    return profile.energy.scope is not None and profile.energy.scope.value == ALL_IN


def _active(placement: Placement, traffic: Traffic, activity: Activity, steps: int) -> tuple[Array, Array, Array]:
    """Active neuron updates of each core in an inference: low, typical, high.

    As measured; without a measurement at least those that spike and at most all, which is
    also what is typical: a membrane that leaks is seldom exactly zero.
    """
    every = traffic.neurons * steps
    if activity.updates is None:
        return np.minimum(traffic.spikes, every), every, every
    totals: dict[str, float] = {}
    for core in placement.cores:
        totals[core.layer] = totals.get(core.layer, 0.0) + core.neurons
    measured = np.array([activity.updates[core.layer] * core.neurons / totals[core.layer] for core in placement.cores])
    return measured, measured, measured


def _depth(network: Network) -> int:
    """Layers on the longest way from input to output, loops left aside."""
    depth: dict[str, int] = {network.input: 0}
    for layer in network.layers:
        depth[layer] = 1 + max((depth.get(each.source, 0) for each in network.into(layer)), default=0)
    return max(depth.values())


def _exactly(count: float) -> Spread:
    return Spread(count, count, count)


def _times(price: Spread, count: Spread) -> Spread:
    return Spread(price.low * count.low, price.typical * count.typical, price.high * count.high)


def _sum(spreads: list[Spread]) -> Spread:
    return Spread(
        sum(each.low for each in spreads), sum(each.typical for each in spreads), sum(each.high for each in spreads)
    )
