"""What a rectangle of a layer asks of a core, resource by resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from spear_deploy.hardware.chip.figures import Quantity
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.placement.connections import is_biased, reach_of, volume_of
from spear_deploy.hardware.placement.geometry import Incoming, Reach
from spear_deploy.hardware.placement.limits import NEURONS
from spear_deploy.hardware.placement.packing import PACKINGS, Integers
from spear_deploy.hardware.placement.parallel import Parallel, beside
from spear_deploy.hardware.placement.tiles import Grid, Tile, Volume
from spear_deploy.network import Network, Neuron

_BITS_PER_BYTE = 8


@dataclass(frozen=True)
class Prices:
    """What the parts of the core memory take, read once from a profile."""

    packing: str | None
    weight_bits: int
    shared: bool
    state_variable_bytes: float
    in_axon_entry_bytes: float
    out_axon_entry_bytes: float

    @staticmethod
    def of(profile: Profile) -> Prices:
        """The formats of one chip; where no packing is named synapses are not counted in memory."""
        synapses, core = profile.synapses, profile.core

        def amount(figure: Quantity | None) -> float:
            return figure.amount if figure is not None and figure.known else 0.0

        return Prices(
            packing=synapses.packing.value if synapses.packing is not None else None,
            weight_bits=int(amount(synapses.weight_bits)),
            shared=bool(synapses.weight_sharing is not None and synapses.weight_sharing.value),
            state_variable_bytes=amount(core.state_variable),
            in_axon_entry_bytes=amount(core.in_axon_entry),
            out_axon_entry_bytes=amount(core.out_axon_entry),
        )


@dataclass
class LayerLoad:
    """One layer on one chip: usage of any rectangle of it, given how its consumers are cut.

    Attributes:
        sources: where the connections into the layer come from.
        reach: those connections.
        varied: which parameter set each neuron has, `[C, H, W]` by resource, where there is more than one.
        out: how many cores each neuron reaches, `[C, H, W]`, None where nothing counts it.

    """

    name: str
    volume: Volume
    sources: tuple[str, ...]
    reach: tuple[Reach, ...]
    prices: Prices
    variables: int
    varied: Mapping[str, Integers] = field(default_factory=dict)
    out: Integers | None = None
    _cache: dict[Tile, dict[str, float]] = field(default_factory=dict, repr=False)

    def connect(self, out: Integers | None) -> None:
        """Set how many cores each neuron reaches."""
        out = None if out is None else np.broadcast_to(out, self.volume)
        if out is None or self.out is None or not np.array_equal(out, self.out):
            self._cache.clear()
        self.out = out

    @property
    def uniform(self) -> bool:
        """Whether rectangles of as many channels at the same place use the same."""
        same_out = self.out is None or bool((self.out == self.out[:1]).all())
        return same_out and not self.varied and all(reach.uniform for reach in self.reach)

    @cached_property
    def parallel(self) -> tuple[Parallel, ...]:
        """The connections into the layer by where they come from."""
        return beside(self.sources, self.reach)

    @cached_property
    def fan_in(self) -> int:
        """Synapses into the neuron that has most, over all connections."""
        total: Integers = sum((np.asarray(reach.fan_in()) for reach in self.reach), np.zeros((1, 1, 1), dtype=np.int64))
        return int(total.max())

    def incoming(self, tile: Tile) -> list[Incoming]:
        """What each connection brings to a rectangle."""
        return [reach.into(tile, self.prices.shared) for reach in self.reach]

    def use(self, tile: Tile) -> dict[str, float]:
        """How much of each resource a core with this rectangle uses."""
        if tile not in self._cache:
            self._cache[tile] = self._use(tile)
        return self._cache[tile]

    def _use(self, tile: Tile) -> dict[str, float]:
        prices = self.prices
        brought = [(each, [reach.into(tile, prices.shared) for reach in each.reaches]) for each in self.parallel]
        axons = sum(each.axons(tile, parts) for each, parts in brought)
        incoming = [part for _, parts in brought for part in parts]
        out = self.out[tile.slices] if self.out is not None else None
        out_axons = int(out.sum()) if out is not None else 0
        synapse_bytes = 0.0
        if prices.packing is not None:
            pack = PACKINGS[prices.packing]
            synapse_bytes = sum(pack(part.lists, prices.weight_bits) for part in incoming) / _BITS_PER_BYTE
        state_bytes = tile.neurons * self.variables * prices.state_variable_bytes
        tables_bytes = axons * prices.in_axon_entry_bytes + out_axons * prices.out_axon_entry_bytes
        return {
            NEURONS: tile.neurons,
            "synapse memory per core": synapse_bytes,
            "memory per core": state_bytes + synapse_bytes + tables_bytes,
            "input axons per core": axons,
            "output axons per core": out_axons,
            "fan-in per neuron": self.fan_in,
            "destination cores per neuron": int(out.max()) if out is not None else 0,
            "thresholds per core": self._distinct("thresholds per core", tile),
            "decays per core": self._distinct("decays per core", tile),
        }

    def _distinct(self, name: str, tile: Tile) -> int:
        index = self.varied.get(name)
        return 1 if index is None else len(np.unique(index[tile.slices]))


def layer_loads(network: Network, profile: Profile) -> dict[str, LayerLoad]:
    """The load of every neuron layer of a network, in the order of execution."""
    prices = Prices.of(profile)
    return {
        layer: LayerLoad(
            layer,
            volume_of(network.shapes[layer]),
            tuple(connection.source for connection in network.into(layer)),
            tuple(reach_of(network, connection) for connection in network.into(layer)),
            prices,
            _state_variables(network, layer),
            _varied(network.neurons[layer], volume_of(network.shapes[layer])),
        )
        for layer in network.layers
    }


def connect_consumers(loads: dict[str, LayerLoad], layer: str, grids: dict[str, Grid]) -> None:
    """Tell a layer how many cores each of its neurons reaches, from how its consumers are cut."""
    total: Integers = np.zeros((1, 1, 1), dtype=np.int64)
    for target, load in loads.items():
        for each in load.parallel:
            if each.source == layer and target in grids:
                total = total + each.cores_reached(grids[target])
    loads[layer].connect(total)


def _state_variables(network: Network, layer: str) -> int:
    """Numbers that each neuron keeps: the membrane, a synaptic current, a bias."""
    neuron = network.neurons[layer]
    return 1 + int(neuron.alpha is not None) + int(is_biased(network, layer))


def _varied(neuron: Neuron, volume: Volume) -> dict[str, Integers]:
    """Which set of thresholds and of decays each neuron has, where a layer has more than one."""
    found = {}
    parts = {"thresholds per core": [neuron.threshold], "decays per core": [neuron.beta, neuron.alpha]}
    for name, arrays in parts.items():
        columns = [array.ravel() for array in arrays if array is not None]
        if columns and any((column != column[0]).any() for column in columns):
            _, index = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
            found[name] = index.reshape(volume)
    return found
