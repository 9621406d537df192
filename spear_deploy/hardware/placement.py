"""Does it fit: every neuron layer split over cores under all limits at once."""

from __future__ import annotations

from dataclasses import dataclass

from spear_deploy.hardware.finding import Finding, Kind
from spear_deploy.hardware.geometry import Grid, Tile
from spear_deploy.hardware.layer_load import (
    RESOURCES,
    LayerLoad,
    allowed,
    connect_consumers,
    layer_loads,
    unchecked,
)
from spear_deploy.hardware.profile import Profile
from spear_deploy.hardware.splitting import TooLargeForACoreError, split
from spear_deploy.network import Network

_UNITS = {resource.name: resource.unit for resource in RESOURCES} | {"cores": "cores"}
_LIMITS = {resource.name: resource.limit for resource in RESOURCES}
_MOST_ROUNDS = 8
"""Rounds in which loops settle: cutting a layer changes how many cores the layers before it reach."""


@dataclass(frozen=True)
class Use:
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
        if self.allowed:
            return self.used / self.allowed
        return float("inf") if self.used else 0.0


@dataclass(frozen=True)
class Core:
    """One core and the part of a layer on it.

    Attributes:
        layer: the neuron layer.
        tile: its channels, rows and columns on this core.
        uses: used and allowed for each resource with a known limit.

    """

    layer: str
    tile: Tile
    uses: tuple[Use, ...]

    @property
    def neurons(self) -> int:
        """Neurons on the core."""
        return self.tile.neurons

    @property
    def binding(self) -> Use | None:
        """The resource that is used most; None where no limit is known."""
        return max(self.uses, key=lambda use: use.share, default=None)


@dataclass(frozen=True)
class Placement:
    """A network on the cores of a chip.

    Attributes:
        profile: the chip.
        grids: how each layer is cut.
        cores: what each core holds, layers in the order of execution.
        uses: for each limit the largest use, the number of cores first.
        unchecked: limits that exist but are unknown.
        findings: what does not fit.

    """

    profile: Profile
    grids: dict[str, Grid]
    cores: tuple[Core, ...]
    uses: tuple[Use, ...]
    unchecked: tuple[str, ...]
    findings: tuple[Finding, ...]
    quantities: dict[str, float]

    @property
    def cores_needed(self) -> int:
        """Number of cores that the network takes."""
        return len(self.cores)

    @property
    def chips_needed(self) -> int:
        """Number of chips that so many cores take; 1 where the cores of a chip are unknown."""
        per_chip = self.profile.cores_per_chip
        return 1 if per_chip is None else -(-self.cores_needed // per_chip)

    @property
    def fits(self) -> bool:
        """Whether every known limit holds."""
        return all(use.fits for use in self.uses)

    @property
    def verdict(self) -> str:
        """What can be said, in words."""
        if not self.fits:
            return "does not fit"
        return "fits the known limits" if self.unchecked else "fits"


def place(network: Network, profile: Profile) -> Placement:
    """Split every neuron layer over cores under all known per-core limits at once.

    A core holds a rectangle (channels x rows x columns) of one layer. Memory, axons and neurons
    are counted exactly for each rectangle, borders and zero weights included. What no split can
    mend (a neuron whose synapses exceed a core) is a violation; its limit is then left out for
    that layer, so that the number of cores stays meaningful.
    """
    loads = layer_loads(network, profile)
    limits = allowed(profile)
    grids = _settle(network, loads, limits)
    cores = tuple(
        Core(layer, tile, _core_uses(layer, loads[layer].use(tile), limits, profile.origin))
        for layer, grid in grids.items()
        for tile in grid.tiles()
    )
    uses = _total_uses(cores, profile)
    findings = tuple(_finding(use, profile) for use in uses if not use.fits)
    quantities = {
        "cores": float(len(cores)),
        "neurons": float(sum(core.neurons for core in cores)),
        "synapse memory": sum(loads[core.layer].use(core.tile)["synapse memory per core"] for core in cores),
    }
    return Placement(profile, grids, cores, uses, unchecked(profile), findings, quantities)


def _settle(network: Network, loads: dict[str, LayerLoad], limits: dict[str, float]) -> dict[str, Grid]:
    """Cut consumers before producers; again where loops make a layer its own consumer's consumer."""
    grids: dict[str, Grid] = {}
    for _ in range(_MOST_ROUNDS):
        before = dict(grids)
        for layer in reversed(network.layers):
            connect_consumers(network, loads, layer, grids)
            grids[layer] = _cut(loads[layer], limits)
        if not network.feedback or grids == before:
            break
    for layer in network.layers:
        connect_consumers(network, loads, layer, grids)
    return {layer: grids[layer] for layer in network.layers}


def _cut(load: LayerLoad, limits: dict[str, float]) -> Grid:
    limits = dict(limits)
    while True:
        checked = dict(limits)

        def fits(tile: Tile, checked: dict[str, float] = checked) -> bool:
            if tile.neurons > checked.get("neurons per core", tile.neurons):
                return False  # the cheapest answer first
            use = load.use(tile)
            return all(use[name] <= most for name, most in checked.items())

        try:
            return split(load.volume, fits, load.uniform)
        except TooLargeForACoreError as error:
            use = load.use(error.tile)
            for name, most in checked.items():
                if use[name] > most:
                    del limits[name]


def _core_uses(layer: str, use: dict[str, float], limits: dict[str, float], origin: str) -> tuple[Use, ...]:
    return tuple(Use(name, use[name], most, _UNITS[name], layer, origin) for name, most in limits.items())


def _total_uses(cores: tuple[Core, ...], profile: Profile) -> tuple[Use, ...]:
    worst: dict[str, Use] = {}
    available = profile.cores_available
    if available is not None:
        worst["cores"] = Use("cores", len(cores), available, "cores", None, profile.origin)
    for core in cores:
        for use in core.uses:
            if use.resource not in worst or use.used > worst[use.resource].used:
                worst[use.resource] = use
    return tuple(worst.values())


def _finding(use: Use, profile: Profile) -> Finding:
    if use.resource == "cores":
        cores = profile.chip.usable_cores_per_chip or profile.chip.cores_per_chip
        mend = f"prune until {use.allowed:,.0f} cores suffice, or use more chips"
        source = cores.source if cores is not None and cores.source is not None else ""
        return Finding(
            "cores", Kind.BUDGET, None, _amount(use.used, use.unit), _amount(use.allowed, use.unit), mend, source
        )
    figure = _LIMITS[use.resource](profile)
    return Finding(
        rule=use.resource,
        kind=Kind.WALL,
        node=use.layer,
        found=_amount(use.used, use.unit),
        allowed=_amount(use.allowed, use.unit),
        mend=f"no split helps, one neuron is too much: prune what leads into {use.layer}"
        f" to at most {use.allowed / use.used:.0%}",
        source=figure.source or "" if figure is not None else "",
    )


def _amount(number: float, unit: str) -> str:
    return f"{number:,.0f} {unit}"
