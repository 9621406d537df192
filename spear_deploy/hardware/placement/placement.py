"""Does it fit: every neuron layer split over cores under all limits at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np

from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.placement.geometry import Reach
from spear_deploy.hardware.placement.layer_load import LayerLoad, connect_consumers, layer_loads
from spear_deploy.hardware.placement.limits import NEURONS, OF_A_NEURON, allowed, unchecked
from spear_deploy.hardware.placement.overuse import overuse, unassigned
from spear_deploy.hardware.placement.splitting import TooLargeForACoreError, split
from spear_deploy.hardware.placement.thinning import NotThinnableError, kept_channels, thinned
from spear_deploy.hardware.placement.tiles import Grid, Tile, whole
from spear_deploy.hardware.placement.use import ResourceUse, chip_uses, core_uses, worst_uses, worst_uses_by_layer
from spear_deploy.hardware.placement.whole_layers import assign_cores, core_sizes
from spear_deploy.hardware.rules.finding import Finding
from spear_deploy.network import Network

_MOST_ROUNDS = 8
"""Rounds in which loops settle: cutting a layer changes how many cores the layers before it reach."""


@dataclass(frozen=True)
class Core:
    """One core and the part of a layer on it.

    Attributes:
        number: which core, counted from 0.
        layer: the neuron layer.
        tile: its channels, rows and columns on this core.
        uses: used and allowed for each resource with a known limit; of one of which one neuron alone takes more than a
            core has, what that neuron takes.

    """

    number: int
    layer: str
    tile: Tile
    uses: tuple[ResourceUse, ...]

    @property
    def neurons(self) -> int:
        """Neurons on the core."""
        return self.tile.neurons

    @property
    def binding(self) -> ResourceUse | None:
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
        unchecked: limits that exist but are unknown, or whose use cannot be counted.
        findings: what does not fit.
        quantities: cores, neurons and synapse memory (B) in all.
        reaches: the connections into each layer, in the order of `Network.into`.
        uncut: layers of which one neuron alone takes more than a core has: they are cut by the other limits, and how
            many cores they would take is not known.

    """

    profile: Profile
    grids: dict[str, Grid]
    cores: tuple[Core, ...]
    uses: tuple[ResourceUse, ...]
    unchecked: tuple[str, ...]
    findings: tuple[Finding, ...]
    quantities: dict[str, float]
    reaches: dict[str, tuple[Reach, ...]] = field(repr=False, compare=False)
    uncut: tuple[str, ...] = ()

    @property
    def cores_needed(self) -> int:
        """Number of cores that the network takes."""
        return len(self.cores)

    @property
    def chips_needed(self) -> int:
        """Number of chips that these cores lie on; 1 where the cores of a chip are unknown."""
        per_chip = self.profile.cores_per_chip
        return 1 if per_chip is None else 1 + max(core.number for core in self.cores) // per_chip

    @property
    def fits(self) -> bool:
        """Whether every known limit holds."""
        return not self.findings

    @property
    def verdict(self) -> str:
        """What can be said, in words."""
        if not self.fits:
            return "does not fit"
        return "fits the known limits" if self.unchecked else "fits"


def place(
    network: Network, profile: Profile, *, keep: float = 1.0, least_cores: Mapping[str, int] | None = None
) -> Placement:
    """Split every neuron layer over cores under all known per-core limits at once.

    A core holds a rectangle (channels x rows x columns) of one layer. Memory, axons and neurons
    are counted exactly for each rectangle, borders and zero weights included. What no split can
    mend (a neuron whose synapses exceed a core) is a violation; its limit is then left out for
    that layer, so that the number of cores stays meaningful.

    With `keep` below 1 the network is placed as if every hidden layer had kept only its first
    channels, at that ratio. A layer named in `least_cores` is cut into at least so many parts, as far as its neurons
    go: more cores share its work.

    Raises:
        NotThinnableError: `keep` is below 1 and the network has grouped convolutions or reshapes.

    """
    loads = layer_loads(network, profile)
    if keep < 1:
        loads = thinned(network, loads, keep)
    limits = allowed(profile)
    whole = not profile.splits_layers
    cuts = _whole(network, loads) if whole else _settle(network, loads, limits, least_cores or {})
    grids = {layer: cut.grid for layer, cut in cuts.items()}
    assignment = assign_cores(network, profile, kept_channels(network, keep)) if whole and core_sizes(profile) else None
    numbers = None if assignment is None else assignment.numbers
    placed = [(layer, tile) for layer, grid in grids.items() for tile in grid.tiles()]
    cores = tuple(
        Core(
            number if numbers is None else numbers[layer],
            layer,
            tile,
            core_uses(layer, {**loads[layer].use(tile), **cuts[layer].alone}, limits, assignment, profile.origin),
        )
        for number, (layer, tile) in enumerate(placed)
    )
    memory = sum(loads[layer].use(tile)["synapse memory per core"] for layer, tile in placed)
    of_chip = chip_uses(profile, loads, len(cores), memory)
    of_cores = [use for core in cores for use in core.uses]
    uses = (*of_chip, *worst_uses(of_cores))
    sizes = {layer: grid.size for layer, grid in grids.items()}
    findings = [overuse(use, profile, sizes) for use in (*of_chip, *worst_uses_by_layer(of_cores)) if not use.fits]
    if assignment is not None:
        findings += unassigned(assignment, findings, profile)
    quantities = {
        "cores": float(len(cores)),
        "neurons": float(sum(core.neurons for core in cores)),
        "synapse memory": memory,
    }
    reaches = {layer: load.reach for layer, load in loads.items()}
    uncut = tuple(layer for layer, cut in cuts.items() if cut.alone and cut.grid.size < prod(loads[layer].volume))
    return Placement(profile, grids, cores, uses, unchecked(profile), tuple(findings), quantities, reaches, uncut)


def keep_to_fit(network: Network, profile: Profile) -> float | None:
    """The largest share of channels that every hidden layer may keep for the placement to fit.

    In whole percent; 1 where it fits as it is, None where not even one channel a layer fits or
    the network cannot be thinned in outline. The same ratio for all layers is rarely the best:
    it says how far away a chip is.
    """
    try:
        if place(network, profile).fits:
            return 1.0
        low, high = 0, 100
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if place(network, profile, keep=middle / 100).fits else (low, middle)
        return low / 100 if place(network, profile, keep=low / 100).fits else None
    except NotThinnableError:
        return None


@dataclass(frozen=True)
class _Cut:
    """How a layer is cut.

    Attributes:
        grid: its rectangles.
        alone: of resources of which one neuron takes more than a core has, what the one that takes most does.

    """

    grid: Grid
    alone: Mapping[str, float] = field(default_factory=dict)


def _whole(network: Network, loads: dict[str, LayerLoad]) -> dict[str, _Cut]:
    everything = {layer: whole(load.volume) for layer, load in loads.items()}
    grids = {layer: Grid((tile.channels,), (tile.rows,), (tile.columns,)) for layer, tile in everything.items()}
    for layer in network.layers:
        connect_consumers(loads, layer, grids)
    return {layer: _Cut(grid) for layer, grid in grids.items()}


def _settle(
    network: Network, loads: dict[str, LayerLoad], limits: dict[str, float], least_cores: Mapping[str, int]
) -> dict[str, _Cut]:
    """Cut consumers before producers; again where loops make a layer its own consumer's consumer."""
    cuts: dict[str, _Cut] = {}
    grids: dict[str, Grid] = {}
    for _ in range(_MOST_ROUNDS):
        before = dict(grids)
        for layer in reversed(network.layers):
            connect_consumers(loads, layer, grids)
            cuts[layer] = _cut(loads[layer], _limits_of(loads[layer], limits, least_cores.get(layer, 1)))
            grids[layer] = cuts[layer].grid
        if not network.feedback or grids == before:
            break
    for layer in network.layers:
        connect_consumers(loads, layer, grids)
    return {layer: cuts[layer] for layer in network.layers}


def _limits_of(load: LayerLoad, limits: dict[str, float], parts: int) -> dict[str, float]:
    """The limits of a core, and no more neurons than their share where a layer is to lie on several cores."""
    most = max(1, -(-prod(load.volume) // parts))
    return limits if parts <= 1 else limits | {NEURONS: min(most, limits.get(NEURONS, most))}


def _cut(load: LayerLoad, limits: dict[str, float]) -> _Cut:
    limits = {name: most for name, most in limits.items() if name not in OF_A_NEURON}
    alone: dict[str, float] = {}
    while True:
        checked = dict(limits)

        def fits(tile: Tile, checked: dict[str, float] = checked) -> bool:
            if tile.neurons > checked.get(NEURONS, tile.neurons):
                return False  # the cheapest answer first
            use = load.use(tile)
            return all(use[name] <= most for name, most in checked.items())

        try:
            return _Cut(split(load.volume, fits, load.uniform), alone)
        except TooLargeForACoreError as error:
            largest = [load.use(tile) for tile in (error.tile, *_best_connected(load))]
            for name, most in checked.items():
                taken = max(use[name] for use in largest)
                if taken > most:
                    alone[name] = taken
                    del limits[name]


def _best_connected(load: LayerLoad) -> Iterator[Tile]:
    """The neuron that most synapses lead into, and the one that reaches most cores: what one neuron takes grows with
    either.
    """
    into = sum((np.asarray(reach.fan_in()) for reach in load.reach), np.zeros((1, 1, 1), dtype=np.int64))
    for counts in (into, load.out):
        if counts is not None:
            place = np.unravel_index(np.argmax(np.broadcast_to(counts, load.volume)), load.volume)
            channel, row, column = ((int(at), int(at) + 1) for at in place)
            yield Tile(channel, row, column)
