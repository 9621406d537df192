"""From measured spikes to the cost of an inference."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
from numpy.typing import NDArray

from spear_deploy.hardware.chip.figures import Bound, Energy, Power, Spread, Status
from spear_deploy.hardware.chip.profile import Energies, Profile
from spear_deploy.hardware.cost.activity import Activity, synaptic_operations
from spear_deploy.hardware.cost.cost import (
    BETWEEN_CHIPS,
    INPUT,
    MESSAGES,
    NO_MESH,
    NO_PRICE,
    NO_TIME,
    STATIC_PARTS,
    SYNAPSES,
    UPDATES,
    Cost,
    Part,
    energy_of,
    total,
)
from spear_deploy.hardware.cost.input_output import outside_of
from spear_deploy.hardware.cost.mesh import CoreMap, chip_of_cores, lay_out, map_cores
from spear_deploy.hardware.cost.step_time import least_sure
from spear_deploy.hardware.cost.timing import Timing, timing_of
from spear_deploy.hardware.cost.traffic import Traffic, traffic_of
from spear_deploy.hardware.cost.wiring import wiring_of
from spear_deploy.hardware.cost.work import ChipSteps, MeanEvents, delays_of
from spear_deploy.hardware.placement.placement import Placement
from spear_deploy.network import Network

Array = NDArray[np.float64]
_NS_PER_S = 1e9

ALL_IN = "all-in"
"""The scope of a price that holds every other cost."""


def estimate(
    network: Network,
    placement: Placement,
    activity: Activity,
    *,
    chip_steps: bool = False,
    core_map: CoreMap | None = None,
) -> Cost:
    """The cost of one inference of measured activity on the cores of a placement.

    `chip_steps` tells that the time steps of the activity are the chip's own, so that layers need
    none for spikes to pass (see `Cost.steps`); `core_map` is where the cores lie, which otherwise
    follows from the activity.

    Raises:
        DataError: the activity does not belong to the network.

    """
    activity.check(network)
    profile = placement.profile
    wiring = wiring_of(network, placement)
    traffic = traffic_of(wiring, activity)
    core_map = map_cores(placement, traffic) if core_map is None else lay_out(core_map, traffic)
    events = MeanEvents(activity) if activity.record is None else activity.record
    chip = chip_of_cores(placement, core_map)
    between_chips = float(traffic.messages[chip[traffic.source] != chip[traffic.target]].sum())
    delays = delays_of(network)
    steps = ChipSteps(wiring, events, dict.fromkeys(delays, 0) if chip_steps else delays)
    synops, analog = synaptic_operations(network, activity)
    active = _active(placement, traffic, activity, steps.steps)
    share = None if activity.updates is None else active[1] / (traffic.neurons * steps.steps)
    timing = timing_of(profile, steps, core_map, share, recorded=activity.record is not None, chip=chip)
    parts = _parts(profile, _counts(traffic, core_map, synops, analog, active, steps.steps, between_chips))
    if not _is_all_in(profile):
        parts += _static(placement, timing)
    priced = tuple(parts)
    outside = outside_of(
        profile,
        input_events=float(traffic.from_input.sum()),
        steps=activity.time_steps,
        time_ns=None if timing.latency is None else timing.latency.mean,
        energy_pj=energy_of(priced),
        static_mw=_static_mw(placement),
    )
    priced_links = _is_all_in(profile) or any(part.name == BETWEEN_CHIPS for part in priced)
    links_unpriced = between_chips > 0 and not priced_links
    return Cost(
        priced, timing, synops, analog, core_map, traffic, outside, links_unpriced, synops_each=activity.synops_each
    )


_Counts = dict[str, Spread]


def _counts(
    traffic: Traffic,
    core_map: CoreMap | None,
    synops: float,
    analog: float,
    active: tuple[Array, Array, Array],
    steps: int,
    between_chips: float,
) -> _Counts:
    """How many of each operation, by the key of its price."""
    updates, messages = float(traffic.neurons.sum()) * steps, float(traffic.messages.sum())
    nowhere = 0.0 if not messages else nan  # without a mesh it is not known how far messages travel
    busy = Spread(*(float(each.sum()) for each in active))
    # What is not active is inactive, in the low, the typical and the high case alike.
    idle = Spread(updates - busy.low, updates - busy.typical, updates - busy.high)
    return {
        "synaptic_operation": _exactly(synops),
        "multiply_accumulate": _exactly(analog),
        "neuron_update_active": busy,
        "neuron_update_inactive": idle,
        "spike": _exactly(float(traffic.spikes.sum())),
        "message_out": _exactly(messages),
        "message_in": _exactly(float(traffic.received.sum())),
        "hop_horizontal": _exactly(core_map.hops_horizontal if core_map is not None else nowhere),
        "hop_vertical": _exactly(core_map.hops_vertical if core_map is not None else nowhere),
        "message_between_chips": _exactly(between_chips),
    }


_PARTS: dict[str, tuple[str, ...]] = {
    SYNAPSES: ("synaptic_operation",),
    UPDATES: ("neuron_update_active", "neuron_update_inactive"),
    "spikes": ("spike",),
    MESSAGES: ("message_out", "message_in"),
    "hops": ("hop_horizontal", "hop_vertical"),
    BETWEEN_CHIPS: ("message_between_chips",),
}
"""The parts of the energy that grow with operations, and the prices of each."""

_COUNTED: dict[str, tuple[str, ...]] = {MESSAGES: ("message_out",)}
"""What is counted of a part where it is not all that is priced: a message is sent and taken in, and is one."""


def _parts(profile: Profile, counts: _Counts) -> list[Part]:
    prices = _prices(profile)
    parts = []
    for name, keys in _PARTS.items():
        if _is_all_in(profile) and name != SYNAPSES:
            continue  # a price that holds every other cost: adding to it would count twice
        if name == BETWEEN_CHIPS and not counts["message_between_chips"].high:
            continue  # one chip
        priced = {key: figure for key in keys if (figure := prices[key]) is not None}
        if priced:
            parts.append(_part(name, priced, counts, profile.energy))
        elif name == SYNAPSES and profile.energy.static_per_core is None:
            parts.append(_unpriced(name, keys, counts[keys[0]].typical))
    if counts["multiply_accumulate"].high > 0:
        figure = prices["multiply_accumulate"]
        known = {"multiply_accumulate": figure} if figure is not None else {}
        count = counts["multiply_accumulate"].typical
        part = (
            _part(INPUT, known, counts, profile.energy) if known else _unpriced(INPUT, ("multiply_accumulate",), count)
        )
        parts.append(part)
    return parts


def _prices(profile: Profile) -> dict[str, Energy | None]:
    energy = profile.energy
    prices: dict[str, Energy | None] = {key: getattr(energy, key) for keys in _PARTS.values() for key in keys}
    prices["multiply_accumulate"] = energy.multiply_accumulate
    # Where there is only one price an update costs the same either way.
    for key, other in (_PARTS[UPDATES], _PARTS[UPDATES][::-1]):
        prices[key] = prices[key] or getattr(energy, other)
    return prices


def _part(name: str, prices: dict[str, Energy], counts: _Counts, energies: Energies) -> Part:
    count = sum(counts[key].typical for key in _COUNTED.get(name, tuple(prices)))
    if not all(figure.known for figure in prices.values()):
        return _unpriced(name, tuple(prices), count)
    if isnan(count):
        return _unpriced(name, tuple(prices), count, NO_MESH)
    energy = _of_counts(prices, counts)
    figures = tuple(f"energy.{key}" for key, figure in prices.items() if getattr(energies, key) is figure)
    at_least = any(figure.bound is Bound.MINIMUM for figure in prices.values())
    return Part(name, figures, count, energy, least_sure([figure.status for figure in prices.values()]), at_least)


def _of_counts(prices: dict[str, Energy], counts: _Counts) -> Spread:
    """The energy of operations; of updates the low end may be most active ones, where these cost less than others."""
    cases = [
        total(_times(figure.spread, _exactly(getattr(counts[key], end))) for key, figure in prices.items())
        for end in ("low", "typical", "high")
    ]
    return Spread(min(each.low for each in cases), cases[1].typical, max(each.high for each in cases))


def _unpriced(name: str, keys: tuple[str, ...], count: float, lacks: str = NO_PRICE) -> Part:
    return Part(name, tuple(f"energy.{key}" for key in keys), count, None, Status.UNKNOWN, lacks=lacks)


def _static_mw(placement: Placement) -> Spread:
    """Power that flows while nothing happens, as far as it is known."""
    energy = placement.profile.energy
    powers = ((energy.static_per_chip, placement.chips_needed), (energy.static_per_core, placement.cores_needed))
    if _is_all_in(placement.profile):
        return Spread(0.0, 0.0, 0.0)
    return total(_times(each.spread, _exactly(number)) for each, number in powers if each is not None and each.known)


def _static(placement: Placement, timing: Timing) -> list[Part]:
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
        flows = not figure.known or figure.spread.high > 0
        if not figure.known or (flows and timing.latency is None):
            count = nan if timing.latency is None else number
            parts.append(_unpriced(name, (key,), count, NO_TIME if figure.known else NO_PRICE))
            continue
        time = _exactly(0.0) if timing.latency is None else timing.latency.mean
        held = Spread(*(number * ns for ns in (time.low, time.typical, time.high)))
        drawn = _times(figure.spread, held)  # 1 mW x 1 ns = 1 pJ
        status = least_sure([figure.status, timing.status])
        at_least = figure.bound is Bound.MINIMUM or timing.minimum
        parts.append(Part(name, (f"energy.{key}",), held.typical / _NS_PER_S, drawn, status, at_least))
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


def _exactly(count: float) -> Spread:
    return Spread(count, count, count)


def _times(price: Spread, count: Spread) -> Spread:
    return Spread(price.low * count.low, price.typical * count.typical, price.high * count.high)
