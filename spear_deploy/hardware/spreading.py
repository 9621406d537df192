"""More cores than a network needs: its busiest layer is spread until the busiest core keeps what it is held to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from spear_deploy.hardware.amounts import both_texts
from spear_deploy.hardware.limit import Limit, Use
from spear_deploy.hardware.on_chip import OnChip
from spear_deploy.hardware.quantity import Follows

AIM = 0.95
"""Share of a limit that is aimed at, so that other samples keep it too."""

_GROWTH = 2
"""By how much the cores of the busiest layer grow at a time."""

_LEAST_GAIN = 0.01
"""Cores that gain less are left to others."""


def eased_by_cores(limits: Sequence[Limit]) -> list[Limit]:
    """Those that more cores can ease: of time, and of what the busiest core does."""
    return [limit for limit in limits if limit.quantity.by_core]


def spread(on_chip: OnChip, limits: Sequence[Limit]) -> OnChip:
    """The same network on more cores, where that brings it nearer to limits of time or of the busiest core.

    The layer on the busiest core is cut into twice as many parts, and again, as long as the limit that is broken most
    gains by it, the cores of the chip suffice and every limit of structure is kept; where that limit gains no more,
    the one that is broken next is eased, so that none stays broken for the sake of one that cannot be kept. No limit
    ends further away than it was: none that is kept is broken, and pruning has no more to do for one that is broken.
    Unchanged where nothing is broken or nothing helps. It costs no accuracy, so it comes before pruning takes channels.
    """
    eased, best = eased_by_cores(limits), on_chip
    at_first = _shares(on_chip, eased)
    if max(at_first, default=0.0) <= 1:
        return on_chip
    structural = [limit for limit in limits if limit.quantity.follows is Follows.STRUCTURE]
    while (better := _eased(best, eased, structural, at_first)) is not None:
        best = better
    return best


def cores_for(on_chip: OnChip, limits: Sequence[Limit]) -> Mapping[str, int]:
    """By layer, the least cores that networks pruned from this one get so that they keep limits of their busiest core.

    Those of `spread`, and where such a limit is set no fewer than this network has: a narrower layer that moved to
    fewer cores could make one of them busier. None are held where cores cost power, or this network has too many.
    """
    found = spread(on_chip, limits)
    power = on_chip.chip.energy.static_per_core
    structural = [limit for limit in limits if limit.quantity.follows is Follows.STRUCTURE]
    if not eased_by_cores(limits) or power is not None or not _fits(found, structural):
        return found.least_cores
    return {layer: grid.size for layer, grid in found.placement.grids.items() if grid.size > 1}


def least_needed(plain: OnChip, held: Mapping[str, int], limits: Sequence[Limit]) -> Mapping[str, int]:
    """By layer, the least cores on which a network keeps every limit that more of them ease.

    `plain` is the network on as few as hold it. Where no placement keeps them, those that are `held` stay.
    """
    eased, as_held = eased_by_cores(limits), replace(plain, least_cores=held)
    ways = (plain, as_held, spread(plain, limits))
    keeping = [each for each in ways if max(_shares(each, eased), default=0.0) <= 1]
    return min(keeping or [as_held], key=lambda each: each.placement.cores_needed).least_cores


def _eased(
    on_chip: OnChip, limits: Sequence[Limit], structural: Sequence[Limit], at_first: Sequence[float]
) -> OnChip | None:
    """More cores for the limit that is broken most of those that gain by it; None where none does.

    No limit that is kept is broken for it, and none that is broken ends further away than it was `at_first`.
    """
    shares = _shares(on_chip, limits)
    for place in sorted(range(len(limits)), key=lambda place: -shares[place]):
        if shares[place] <= AIM:
            return None
        for more in _on_more_and_more_cores(on_chip, limits[place], structural):
            after = _shares(more, limits)
            bounds = (first if now > 1 else 1 for first, now in zip(at_first, shares, strict=True))
            worse = any(share > bound for share, bound in zip(after, bounds, strict=True))
            if not worse and _over(after) <= _over(shares) + math.log(1 - _LEAST_GAIN):
                return more
    return None


def _on_more_and_more_cores(on_chip: OnChip, limit: Limit, structural: Sequence[Limit]) -> Iterator[OnChip]:
    """The busiest layer on more cores, then the one that is the busiest now, each once.

    Where two layers are about as busy, more cores for one of them gain nothing before the other has more too.
    """
    seen: set[str] = set()
    while (layer := _busiest(on_chip, limit)) is not None and layer not in seen:
        more = _on_more_cores(on_chip, layer)
        if more is None or not _fits(more, structural):
            return
        yield more
        seen.add(layer)
        on_chip = more


def _over(shares: Sequence[float]) -> float:
    """How far limits are from what is aimed at: the logarithm of each share above it, added up."""
    return sum(math.log(max(share, AIM)) for share in shares)


def moved(on_chip: OnChip) -> Mapping[str, tuple[int, int]]:
    """By layer that lies on more cores than it needs: how many it needs, and how many it has."""
    needed = replace(on_chip, least_cores={}).placement.grids
    return {
        layer: (needed[layer].size, grid.size)
        for layer, grid in on_chip.placement.grids.items()
        if grid.size > needed[layer].size
    }


def moved_text(on_chip: OnChip) -> str:
    """Such as `lif1 on 4 cores instead of 1`."""
    return ", ".join(
        f"{layer} on {found} cores instead of {needed}" for layer, (needed, found) in moved(on_chip).items()
    )


def eased_lines(plain: OnChip, limits: Sequence[Limit], least_cores: Mapping[str, int]) -> list[str]:
    """What more cores do for each limit that they ease; nothing where no layer is given more."""
    spread_out = replace(plain, least_cores=least_cores)
    if not least_cores or not moved(spread_out):
        return []
    lines = []
    for limit in eased_by_cores(limits):
        was, now = (limit.quantity.value(each) for each in (plain, spread_out))
        before, _, unit = both_texts(was, now, limit.unit)
        after, allowed, same_unit = both_texts(now, limit.allowed, limit.unit)
        lines.append(
            f"{moved_text(spread_out)}, which costs no accuracy: {limit.name} {before} {unit} becomes {after} of"
            f" {allowed} {same_unit}"
        )
    return lines


def _shares(on_chip: OnChip, limits: Sequence[Limit]) -> list[float]:
    return [Use(limit, limit.quantity.value(on_chip)).share for limit in limits]


def _busiest(on_chip: OnChip, limit: Limit) -> str | None:
    """The layer on the core that decides a limit; None where no core does."""
    timing = on_chip.cost.timing
    core = timing.most_synops_core if limit.quantity.key == "core-step" else timing.busiest_core
    return None if core is None else on_chip.placement.cores[core].layer


def _on_more_cores(on_chip: OnChip, layer: str) -> OnChip | None:
    """With a layer on about twice as many cores; None where it cannot be cut further."""
    now = on_chip.placement.grids[layer].size
    found = replace(on_chip, least_cores={**on_chip.least_cores, layer: now * _GROWTH})
    return found if found.placement.grids[layer].size > now else None


def _fits(on_chip: OnChip, limits: Sequence[Limit]) -> bool:
    """Whether the cores suffice; what does not fit before is no reason to refuse more cores."""
    placement = on_chip.placement
    available = placement.profile.cores_available
    if available is not None and placement.cores_needed > available:
        return False
    return not any(Use(limit, limit.quantity.value(on_chip)).overshoot for limit in limits)
