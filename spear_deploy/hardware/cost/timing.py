"""How long inferences take, step by step: alone on the chip, and in a full pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan

import numpy as np
from numpy.typing import NDArray

from spear_deploy.hardware.chip.figures import Bound, Spread, Status
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.cost.mesh import MESH_KEYS, CoreMap
from spear_deploy.hardware.cost.step_time import SYNOPS, UNITS, StepClock, StepPrices, barrier_of, least_sure
from spear_deploy.hardware.cost.work import ChipSteps
from spear_deploy.hardware.placement.packing import Integers
from spear_deploy.measure import within

Array = NDArray[np.float64]

_FIXED = ("time.step",)


@dataclass(frozen=True)
class Term:
    """One thing that a step waits for.

    Attributes:
        name: such as "synaptic operations".
        count: what the core or link that does most of it does in a step, the mean over all steps; not a number where
            it cannot be counted, because it is not known where cores lie.
        worst: the most in any step.
        unit: of both.
        time_ns: the longest that it takes on any core or link, the mean over all steps; None where
            no time is known, so that it enters no total.
        missing: the keys of the profile that would give it one, or all of it.

    """

    name: str
    count: float
    worst: float
    unit: str
    time_ns: Spread | None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Latency:
    """Times of inferences, from the first step to the last, alone on the chip.

    Attributes:
        mean: over the samples.
        p99: the least that 99 % of the samples stay within.
        worst: the longest of all samples.

    """

    mean: Spread
    p99: Spread
    worst: Spread


@dataclass(frozen=True)
class Timing:
    """What inferences take of a chip, step by step.

    Attributes:
        steps: steps of an inference.
        samples: recorded inferences that it is the mean of; None where only the mean spikes of
            each neuron are known: then every step does the same, and times are lower bounds.
        terms: what a step waits for.
        latency: None where the chip's times are unknown.
        interval_ns: mean time from one inference to the next in a full pipeline.
        busiest_core: the core that is the slowest in most steps; None where the step is fixed or
            times are unknown.
        most_synops_core: the core that does most synaptic operations in the step in which one does most.
        synops_each: of each sample, the most synaptic operations that a core does in a step.
        latency_each_ns, interval_each_ns: of each recorded sample, by the high end, its latency and its part of the
            time of a full pipeline; empty where all take the same, or that is not known.
        status: of the least sure time.
        figures: the keys of the times in it.
        minimum: whether one of them is known as a minimum only.

    """

    steps: int
    samples: int | None
    terms: tuple[Term, ...]
    latency: Latency | None
    interval_ns: Spread | None
    busiest_core: int | None
    most_synops_core: int
    synops_each: tuple[float, ...]
    status: Status
    figures: tuple[str, ...]
    minimum: bool
    latency_each_ns: tuple[float, ...] = ()
    interval_each_ns: tuple[float, ...] = ()

    @property
    def at_least(self) -> bool:
        """Whether times are lower bounds: one of them is a minimum, or they follow from means."""
        return self.minimum or (self.samples is None and self.figures != _FIXED)

    @property
    def step_ns(self) -> Spread | None:
        """Mean time of a step."""
        if self.latency is None:
            return None
        mean = self.latency.mean
        return Spread(*(each / self.steps for each in (mean.low, mean.typical, mean.high)))

    @property
    def unpriced(self) -> tuple[Term, ...]:
        """Terms that were counted and have no time, or not all of it."""
        return tuple(term for term in self.terms if term.missing and term.count != 0)

    @property
    def unmapped(self) -> tuple[str, ...]:
        """Terms that have a time and could not be counted, because it is not known where cores lie."""
        return tuple(term.name for term in self.unpriced if isnan(term.count))

    def term(self, name: str) -> Term:
        """The term of a name."""
        return next(term for term in self.terms if term.name == name)


def timing_of(
    profile: Profile,
    chip_steps: ChipSteps,
    core_map: CoreMap | None,
    active: Array | None,
    *,
    recorded: bool,
    chip: Integers,
) -> Timing:
    """Time every step of every sample; the sum of the steps' maxima, not a maximum of means.

    `active` is the share of active updates on each core, where that was measured; `recorded`
    tells whether the events are recorded spikes instead of means; `chip` is the one that each core lies on, `[cores]`.
    """
    chips = 1 + int(chip.max(initial=0))
    prices = StepPrices.of(profile, mapped=core_map is not None, chips=chips)
    clock = StepClock(prices, chip_steps.wiring, core_map, active, barrier_of(profile, core_map, chips), chip)
    sums: dict[str, float] = {}
    worst: dict[str, float] = {}
    times: dict[str, Array] = {}
    samples: list[Array] = []
    busiest: list[float] = []
    slowest = np.zeros(len(chip_steps.wiring.neurons), dtype=np.int64)
    intervals: list[Array] = []
    most_synops_core = 0
    for alone, together in chip_steps.blocks():
        if prices.complete:
            time_steps = chip_steps.events.time_steps
            intervals.append(clock.measure(together).step_ns.reshape(-1, time_steps, 3).sum(1))
        found = clock.measure(alone.flat)
        samples.append(found.step_ns.reshape(-1, chip_steps.steps, 3).sum(1))
        slowest += np.bincount(found.slowest, minlength=len(slowest))
        busiest += found.counts[SYNOPS].reshape(-1, chip_steps.steps).max(1).tolist()
        if found.counts[SYNOPS].max() > worst.get(SYNOPS, -1.0):
            most_synops_core = int(found.most_synops[found.counts[SYNOPS].argmax()])
        for name, count in found.counts.items():
            sums[name] = sums.get(name, 0.0) + float(count.sum())
            worst[name] = max(worst.get(name, 0.0), float(count.max()))
            times[name] = times.get(name, np.zeros(3)) + found.terms_ns[name].sum(0)
    every = chip_steps.events.samples * chip_steps.steps
    terms = tuple(
        Term(
            name,
            nan if name in prices.unmapped else count / every,
            nan if name in prices.unmapped else worst[name],
            UNITS[name],
            _spread(times[name] / every) if prices.figures(name) else None,
            prices.missing(name),
        )
        for name, count in sums.items()
    )
    # Without messages between cores it does not matter where these lie.
    unmapped = [name for name in prices.unmapped if name in sums or len(chip_steps.wiring.source)]
    terms += tuple(Term(name, nan, nan, UNITS[name], None, MESH_KEYS) for name in unmapped if name not in sums)
    steps, known, synops_each = chip_steps.steps, chip_steps.events.samples if recorded else None, tuple(busiest)
    fixed = profile.time.step
    if fixed is not None and fixed.known:
        whole, gap = (_times(fixed.spread, count) for count in (steps, chip_steps.events.time_steps))
        latency = Latency(whole, whole, whole)
        bare = _without_times(terms)
        minimum = fixed.bound is Bound.MINIMUM
        return Timing(
            steps, known, bare, latency, gap, None, most_synops_core, synops_each, fixed.status, _FIXED, minimum
        )
    if not prices.complete or unmapped:
        return Timing(
            steps, known, terms, None, None, None, most_synops_core, synops_each, Status.UNKNOWN, (), minimum=False
        )
    names = [term.name for term in terms]
    figures = tuple(figure for name in names for figure in prices.figures(name))
    latencies, gaps = np.concatenate(samples), np.concatenate(intervals)
    return Timing(
        steps,
        known,
        terms,
        _latency(latencies),
        _spread(gaps.mean(0)),
        int(slowest.argmax()),
        most_synops_core,
        synops_each,
        least_sure([status for name in names for status in prices.statuses(name)]),
        figures,
        not prices.minimum.isdisjoint(figures),
        tuple(latencies[:, 2].tolist()) if recorded else (),
        tuple(gaps[:, 2].tolist()) if recorded else (),
    )


def _latency(samples: Array) -> Latency:
    """From the times of all samples, `[N, 3]`."""
    return Latency(*(_spread(each) for each in (samples.mean(0), within(samples, 0.99), samples.max(0))))


def _without_times(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """Counts alone: a step of fixed length waits for nothing."""
    return tuple(Term(term.name, term.count, term.worst, term.unit, None) for term in terms)


def _times(spread: Spread, count: float) -> Spread:
    return Spread(spread.low * count, spread.typical * count, spread.high * count)


def _spread(values: Array) -> Spread:
    low, typical, high = (float(value) for value in values)
    return Spread(low, typical, high)
