"""How much of each resource is used, and how much there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf, prod

from spear_deploy.hardware.amounts import both_texts
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.placement.layer_load import LayerLoad
from spear_deploy.hardware.placement.limits import CHIP_RESOURCES, RESOURCES, share
from spear_deploy.hardware.placement.tiles import whole
from spear_deploy.hardware.placement.whole_layers import WORDS, CoreAssignment

OF_THE_CORE = " of the core"
"""What the name of a memory ends in where a core takes a whole layer."""

_UNITS = {resource.name: resource.unit for resource in RESOURCES}


@dataclass(frozen=True)
class ResourceUse:
    """How much of one resource is used, and how much there is.

    Attributes:
        resource: such as "cores" or "neurons per core".
        used: the largest use by any core, or the use of the whole network.
        allowed: what there is; the network does not fit where `used` exceeds it.
        unit: of both.
        layer: the layer that uses most; None for the whole network.
        origin: whose limit it is, such as "profile loihi2".

    """

    resource: str
    used: float
    allowed: float
    unit: str
    layer: str | None
    origin: str

    @property
    def fits(self) -> bool:
        """Whether there is enough."""
        return self.used <= self.allowed

    @property
    def share(self) -> float:
        """Used over allowed."""
        return share(self.used, self.allowed)

    @property
    def place(self) -> tuple[str, str | None]:
        """What is used and where, as findings have it."""
        return self.resource, self.layer

    @property
    def of_text(self) -> str:
        """Such as `64 of 128`, never alike where they differ."""
        used, allowed, _ = both_texts(self.used, self.allowed, self.unit)
        return f"{used} of {allowed}"


def core_uses(
    layer: str, use: dict[str, float], limits: dict[str, float], assignment: CoreAssignment | None, origin: str
) -> tuple[ResourceUse, ...]:
    """What one core holds against what it has."""
    uses = [ResourceUse(name, use[name], most, _UNITS[name], layer, origin) for name, most in limits.items()]
    if assignment is not None:
        memories = zip(WORDS, assignment.needs[layer], assignment.sizes_for(layer), strict=True)
        uses += [
            ResourceUse(f"{name}{OF_THE_CORE}", need, have, "words", layer, origin)
            for name, need, have in memories
            if have < inf
        ]
    return tuple(uses)


def chip_uses(profile: Profile, loads: Mapping[str, LayerLoad], cores: int, memory: float) -> list[ResourceUse]:
    """What the network takes of the whole chip."""
    uses = []
    if profile.cores_available is not None:
        uses.append(ResourceUse("cores", cores, profile.cores_available, "cores", None, profile.origin))
    used: tuple[Callable[[], float], ...] = (
        lambda: sum(prod(load.volume) for load in loads.values()),
        lambda: sum(map(_synapses, loads.values())),
        lambda: memory,
    )
    for resource, taken in zip(CHIP_RESOURCES, used, strict=True):
        amount = resource.allowed(profile)
        if amount is not None:
            uses.append(
                ResourceUse(
                    resource.name, taken(), amount * profile.chips_available, resource.unit, None, profile.origin
                )
            )
    return uses


def _synapses(load: LayerLoad) -> float:
    return float(sum(part.synapses for part in load.incoming(whole(load.volume))))


def worst_uses(uses: Iterable[ResourceUse]) -> list[ResourceUse]:
    """For each resource of a core, the core that takes the largest share of it."""
    return _worst(uses, lambda use: use.resource)


def worst_uses_by_layer(uses: Iterable[ResourceUse]) -> list[ResourceUse]:
    """The same for each layer apart."""
    return _worst(uses, lambda use: (use.layer, use.resource))


def _worst(uses: Iterable[ResourceUse], key: Callable[[ResourceUse], object]) -> list[ResourceUse]:
    worst: dict[object, ResourceUse] = {}
    for use in uses:
        if key(use) not in worst or use.share > worst[key(use)].share:
            worst[key(use)] = use
    return list(worst.values())
