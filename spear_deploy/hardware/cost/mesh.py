"""Where on the mesh each core lies, so that messages travel few hops."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.cost.traffic import Traffic, no_traffic
from spear_deploy.hardware.placement.packing import Integers
from spear_deploy.hardware.placement.placement import Placement

Array = NDArray[np.float64]

_MOST_CORES_TO_SWAP = 256
"""Above this the order along the mesh is kept: swapping costs the square of the number of cores."""

_MOST_PASSES = 20

MESH_KEYS = ("chip.router_columns", "chip.router_rows", "chip.cores_per_router", "chip.cores_per_chip")
"""What a profile must know of its chip so that it is known where cores lie."""


@dataclass(frozen=True)
class Mesh:
    """Routers in a rectangle, each with the same number of cores; chips lie side by side.

    Attributes:
        columns, rows: routers of one chip.
        cores_per_router: cores at one router.
        cores_per_chip: cores of a chip that can be used.

    """

    columns: int
    rows: int
    cores_per_router: int
    cores_per_chip: int

    def places(self, count: int, height: int | None = None) -> Integers:
        """Router coordinates (x, y) of the first `count` places along a winding path, `[count, 2]`.

        The path winds within the first `height` rows, all by default.
        """
        height = self.rows if height is None else height
        number = np.arange(count)
        chip, on_chip = np.divmod(number, self.cores_per_chip)
        column, down = np.divmod(on_chip // self.cores_per_router, height)
        row = np.where(column % 2 == 0, down, height - 1 - down)
        return np.stack([chip * self.columns + column, row], axis=1)

    def compact_height(self, count: int) -> int:
        """Rows of about a square that holds so many cores; all rows where one chip is not enough."""
        height = min(self.rows, ceil(sqrt(ceil(count / self.cores_per_router))))
        return height if count <= min(height * self.columns * self.cores_per_router, self.cores_per_chip) else self.rows


@dataclass(frozen=True)
class CoreMap:
    """A placement on a mesh.

    Attributes:
        mesh: the routers.
        place: router coordinates (x, y) of each core of the placement, `[cores, 2]`.
        hops_horizontal, hops_vertical: hops of all messages of one inference.
        routers: number of routers with a core in use.

    """

    mesh: Mesh
    place: Integers
    hops_horizontal: float
    hops_vertical: float
    routers: int

    @property
    def most_routers(self) -> int:
        """Routers in use on the chip that uses most."""
        used = np.unique(self.place, axis=0)
        return int(np.bincount(used[:, 0] // self.mesh.columns).max(initial=0))


def mesh_of(profile: Profile) -> Mesh | None:
    """The mesh of a chip; None where the profile does not describe one."""
    chip, usable = profile.chip, profile.cores_per_chip
    columns, rows, cores = (
        int(figure.amount) if figure is not None and figure.known else 0
        for figure in (chip.router_columns, chip.router_rows, chip.cores_per_router)
    )
    return Mesh(columns, rows, cores, usable) if columns and rows and cores and usable else None


def map_cores(placement: Placement, traffic: Traffic) -> CoreMap | None:
    """Put the cores of a placement on the mesh of its chip: along a winding path in the order of
    execution, then swapped in pairs while that shortens the way of the messages.
    """
    mesh = mesh_of(placement.profile)
    if mesh is None:
        return None
    count = placement.cores_needed
    height = mesh.compact_height(count)
    places = mesh.places(_places_to_try(mesh, count, height, placement.chips_needed), height)
    order = np.arange(count)
    if count <= _MOST_CORES_TO_SWAP:
        order = _swapped(order, places, traffic)
    return _core_map(mesh, places[order], traffic)


def chip_of_cores(placement: Placement, core_map: CoreMap | None) -> Integers:
    """The chip that each core lies on, counted from 0, `[cores]`; all on one where the cores of a chip are unknown."""
    if core_map is not None:
        return core_map.place[:, 0] // core_map.mesh.columns
    cores = np.array([core.number for core in placement.cores])
    return cores // (placement.profile.cores_per_chip or max(1, len(cores)))


def map_in_order(placement: Placement) -> CoreMap | None:
    """The map where no activity was measured: along the path, in the order of execution."""
    return map_cores(placement, no_traffic(placement.cores_needed))


def _places_to_try(mesh: Mesh, count: int, height: int, chips: int) -> int:
    """Some free places beside those that are needed, so that cores can also move apart."""
    on_chip = min(height * mesh.columns * mesh.cores_per_router, mesh.cores_per_chip)
    return min(chips * on_chip, 2 * count + mesh.cores_per_router)


def lay_out(core_map: CoreMap, traffic: Traffic) -> CoreMap:
    """Other traffic on cores that stay where they are."""
    return _core_map(core_map.mesh, core_map.place, traffic)


def _swapped(order: Integers, places: Integers, traffic: Traffic) -> Integers:
    """Swap places in pairs, free ones included, while the best swap of a core shortens the total way."""
    count, free = len(order), len(places)
    flow = np.zeros((free, free))
    np.add.at(flow, (traffic.source, traffic.target), traffic.messages)
    flow = flow + flow.T
    np.fill_diagonal(flow, 0.0)
    distance = np.abs(places[:, None] - places[None, :]).sum(2).astype(np.float64)
    position = np.concatenate([order, np.setdiff1d(np.arange(free), order)])
    between = distance[np.ix_(position, position)]
    threshold = 1e-9 * max(1.0, float(flow.sum()))
    for _ in range(_MOST_PASSES):
        improved = False
        for core in range(count):
            gains = _swap_gains(core, flow, between)
            other = int(np.argmin(gains))
            if gains[other] < -threshold:
                pair, swapped = [core, other], [other, core]
                position[pair] = position[swapped]
                between[pair] = between[swapped]
                between[:, pair] = between[:, swapped]
                improved = True
        if not improved:
            break
    return position[:count]


def _swap_gains(core: int, flow: Array, between: Array) -> Array:
    """Change of the total way when a core swaps places with each other one, `[places]`.

    `flow` holds messages and `between` distances of each pair, `[places, places]`.
    """
    here = between[core]
    # A core at k pays flow . between[k]; after the swap the two see each other's distances.
    gain: Array = between @ flow[core] - here @ flow[core]
    gain += flow @ here - np.einsum("ij,ij->i", flow, between)
    gain += 2 * flow[core] * here
    return gain


def _core_map(mesh: Mesh, place: Integers, traffic: Traffic) -> CoreMap:
    apart = np.abs(place[traffic.source] - place[traffic.target])
    hops = (apart * traffic.messages[:, None]).sum(0) if len(apart) else np.zeros(2)
    return CoreMap(mesh, place, float(hops[0]), float(hops[1]), len(np.unique(place, axis=0)))
