"""What figures of a profile cannot be, so that limits can be held and every amount that follows is a number."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import prod

from spear_deploy.hardware.chip.figures import Bits, Figure, Interval, Quantity, Rate, Sizes, TimeCurve
from spear_deploy.hardware.chip.profile import Profile

_LEAST, _LARGEST = 1e-30, 1e30
"""Of amounts in their base unit: what is counted with them, or divided by them, stays a number."""

_WIDEST_BITS = 64


def amount_faults(profile: Profile) -> Iterator[str]:
    """Amounts that nothing could be counted with, widths that no number has and steps back; each by its key."""
    for key, figure in profile.figures().items():
        if not all(number == 0 or _LEAST <= number <= _LARGEST for number in _amounts(figure)):
            scaled = figure.units[figure.unit] != 1
            base = next(unit for unit, factor in figure.units.items() if factor == 1) if scaled else figure.unit
            yield f"{key}: must be 0 or from {_LEAST:g} to {_LARGEST:g} {base}; what follows would be no number"
        if isinstance(figure, Bits) and max(_amounts(figure), default=0) > _WIDEST_BITS:
            yield f"{key}: no number is wider than {_WIDEST_BITS} bit"
        if isinstance(figure, Interval) and figure.unit == "steps" and figure.value is not None and figure.value[0] < 0:
            yield f"{key}: steps are from 0 on, found {list(figure.value)}"


def _amounts(figure: Figure) -> list[float]:
    """Every amount that a figure gives, in its base unit, without its sign."""
    if isinstance(figure, Quantity):
        return [figure.spread.low, figure.spread.typical, figure.spread.high] if figure.known else []
    if isinstance(figure, TimeCurve):
        return [amount for pair in figure.amounts for amount in pair]
    return [abs(number) for number in figure.value or ()] if isinstance(figure, Sizes | Interval) else []


def time_faults(profile: Profile) -> Iterator[str]:
    """Times and rates that nothing can be divided by, and chips that take time back, each by its key."""
    divisors: dict[str, Quantity | None] = {
        key: figure for key, figure in profile.figures().items() if isinstance(figure, Rate)
    }
    for key, figure in (divisors | {"time.step": profile.time.step}).items():
        if _low(figure) == 0:
            yield f"{key}: must be above 0, its low end too: other amounts are divided by it"
    lows = _lows_of_a_step(profile)
    if lows and not any(lows):
        yield "time: a step would take no time at the low end: give one of its times a low end above 0"
    added = profile.time.barrier_by_chips
    if added is not None and any(after < before for (_, before), (_, after) in pairwise(added.value or ())):
        yield "time.barrier_by_chips: more chips take no less time: the times must not fall"


def mesh_faults(profile: Profile) -> Iterator[str]:
    """A mesh that holds fewer cores than the chip has."""
    chip, cores = profile.chip, profile.cores_per_chip
    sizes = [figure for figure in (chip.router_columns, chip.router_rows, chip.cores_per_router) if figure is not None]
    amounts = [int(figure.amount) for figure in sizes if figure.known]
    if cores is not None and len(amounts) == 3 and prod(amounts) < cores:
        columns, rows, each = amounts
        yield (
            f"chip.cores_per_router: {columns:,} x {rows:,} routers of {each:,} cores hold {prod(amounts):,} of the"
            f" {cores:,} cores of a chip; every core lies at a router"
        )


def _lows_of_a_step(profile: Profile) -> list[float]:
    """The low ends of what every step waits for; none where its time is fixed or cannot be known."""
    time = profile.time
    update = time.neuron_update_inactive if time.neuron_update_active is None else time.neuron_update_active
    fixed, operation, *needed = (
        _low(each) for each in (time.step, time.synaptic_operation, update, time.barrier, time.step_floor)
    )
    if fixed is not None or operation is None or needed[0] is None:
        return []
    curve = time.barrier_by_routers
    barriers = [] if curve is None or curve.value is None else [barrier for _, barrier in curve.value]
    return [low for low in (operation, *needed, *barriers) if low is not None]


def _low(figure: Quantity | None) -> float | None:
    return figure.spread.low if figure is not None and figure.known else None


def core_faults(profile: Profile) -> Iterator[str]:
    """Cores, and memories of whole layers core by core, that do not agree with the chip, and what takes no memory; each
    by its key.
    """
    core = profile.core
    figures = (profile.chip.cores_per_chip, profile.chip.usable_cores_per_chip)
    cores, usable = (None if figure is None else figure.value for figure in figures)
    if usable is not None and cores is not None and usable > cores:
        yield f"chip.usable_cores_per_chip: {usable:.0f} of {cores:.0f} cores (chip.cores_per_chip); at most all"
    widths = {"synapses.weight_bits": profile.synapses.weight_bits, "core.state_variable": core.state_variable}
    for key, width in widths.items():
        if width is not None and width.value == 0:
            yield f"{key}: of 0 it would take no memory; give its size, or status 'unknown'"
    memories = {
        "core.kernel_memory": core.kernel_memory,
        "core.neuron_memory": core.neuron_memory,
        "core.bias_memory": core.bias_memory,
    }
    counts = {key: len(each.value) for key, each in memories.items() if each is not None and each.value is not None}
    if counts and profile.splits_layers:
        yield f"{next(iter(counts))}: holds a whole layer, and none is one here; give layers.split = false as well"
    free = cores if usable is None else usable
    wanted = int(free) if free is not None else next(iter(counts.values()), 0)
    for key, count in counts.items():
        if count != wanted:
            yield f"{key}: {count} given, the chip's cores are {wanted}; give the size of each core"
