"""How long a time step takes: the busiest core, the busiest router, the barrier."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

import numpy as np
from numpy.typing import NDArray

from spear_deploy.hardware.chip.figures import Spread, Status, Time
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.cost.mesh import CoreMap
from spear_deploy.hardware.cost.traffic import Traffic

Array = NDArray[np.float64]
_NOTHING = Spread(0.0, 0.0, 0.0)
_NS_PER_S = 1e9


@dataclass(frozen=True)
class StepTime:
    """The length of one time step in nanoseconds.

    Attributes:
        step_ns: the whole step.
        neurons_ns: updating neurons and sending spikes on the core where that takes longest.
        synapses_ns: taking messages in and adding up synapses on the core where that takes longest.
        router_ns: passing on the messages of the busiest router.
        barrier_ns: synchronising.
        busiest_core: the core that takes longest, by its place in the placement; None where the
            step is fixed.
        status: the least sure figure in it.
        figures: the keys of the times in it, in the profile.

    """

    step_ns: Spread
    neurons_ns: Spread
    synapses_ns: Spread
    router_ns: Spread
    barrier_ns: Spread
    busiest_core: int | None
    status: Status
    figures: tuple[str, ...]


def step_time(
    profile: Profile, traffic: Traffic, core_map: CoreMap | None, steps: int, active: Array
) -> StepTime | None:
    """The mean time of a step; None where the chip's times are unknown.

    A core updates its neurons while it takes in messages: the step is at least the longer of
    the two (typical), at most their sum (high). The slowest core, or the busiest router, sets
    the pace for all; then the message that travels farthest and the barrier follow.

    `active` is the number of active neuron updates on each core in an inference, `[cores]`.
    """
    time = profile.time
    if time.step is not None and time.step.known:
        fixed = time.step.spread
        return StepTime(fixed, _NOTHING, _NOTHING, _NOTHING, _NOTHING, None, time.step.status, ("time.step",))
    if time.synaptic_operation is None or not time.synaptic_operation.known:
        return None
    if time.neuron_update_active is None or not time.neuron_update_active.known:
        return None
    used: dict[str, Status] = {}

    def known(key: str) -> Time | None:
        figure: Time | None = getattr(time, key)
        if figure is None or not figure.known:
            return None
        used[f"time.{key}"] = figure.status
        return figure

    def price(key: str) -> Array:
        """Low, typical and high of one operation, `[3]`."""
        figure = known(key)
        return np.zeros(3) if figure is None else np.array(_values(figure.spread))

    idle = "neuron_update_active" if time.neuron_update_inactive is None else "neuron_update_inactive"
    inactive = np.maximum(traffic.neurons - active / steps, 0.0)
    neurons = (
        np.outer(active / steps, price("neuron_update_active"))
        + np.outer(inactive, price(idle))
        + np.outer(traffic.spikes / steps, price("spike"))
        + np.outer(traffic.sent / steps, price("message_out"))
    )
    synapses = np.outer(traffic.operations / steps, price("synaptic_operation")) + np.outer(
        traffic.received / steps, price("message_in")
    )
    cores = np.maximum(neurons, synapses)
    cores[:, 2] = neurons[:, 2] + synapses[:, 2]
    router = np.zeros(3)
    travel = np.zeros(3)
    if core_map is not None:
        if time.router_rate is not None and time.router_rate.known:
            router[:] = core_map.busiest_router / steps / time.router_rate.amount * _NS_PER_S
            used["time.router_rate"] = time.router_rate.status
        horizontal, vertical = core_map.longest
        travel = horizontal * price("hop_horizontal") + vertical * price("hop_vertical")
    barrier = _barrier(known("barrier"), core_map)
    pace = np.maximum(cores.max(0), router)
    return StepTime(
        _spread(pace + travel + barrier),
        _spread(neurons.max(0)),
        _spread(synapses.max(0)),
        _spread(router),
        _spread(barrier),
        int(np.argmax(cores[:, 1])),
        least_sure(list(used.values())),
        tuple(used),
    )


def _barrier(figure: Time | None, core_map: CoreMap | None) -> Array:
    """Between low for one router and high for all, in proportion to the logarithm of their number."""
    if figure is None:
        return np.zeros(3)
    spread = figure.spread
    if core_map is None:
        return np.array(_values(spread))
    every = core_map.mesh.columns * core_map.mesh.rows
    share = min(1.0, log2(core_map.routers) / log2(every)) if every > 1 else 1.0
    at = spread.low + share * (spread.high - spread.low)
    return np.array([at, at, at])


_ORDER = (Status.PUBLISHED, Status.DERIVED, Status.ESTIMATED, Status.UNKNOWN)


def least_sure(statuses: list[Status]) -> Status:
    """The status of a figure that is made of others: that of the least sure."""
    return max(statuses, key=_ORDER.index, default=Status.UNKNOWN)


def _spread(values: Array) -> Spread:
    low, typical, high = (float(value) for value in values)
    return Spread(low, typical, high)


def _values(spread: Spread) -> tuple[float, float, float]:
    return spread.low, spread.typical, spread.high
