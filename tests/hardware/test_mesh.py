import itertools
from collections import Counter
from dataclasses import replace

import nir
import numpy as np
import pytest

from spear_deploy.hardware import Activity, load_profile, place
from spear_deploy.hardware.cost.links import routes
from spear_deploy.hardware.cost.mesh import Mesh, map_cores, mesh_of
from spear_deploy.hardware.cost.traffic import Traffic, traffic_of
from spear_deploy.hardware.cost.wiring import wiring_of


def test_places_wind_along_the_routers_so_that_neighbours_touch():
    places = Mesh(columns=3, rows=2, cores_per_router=2, cores_per_chip=12).places(12)
    routers = places[::2].tolist()
    assert routers == [[0, 0], [0, 1], [1, 1], [1, 0], [2, 0], [2, 1]]


def test_a_second_chip_lies_beside_the_first():
    places = Mesh(columns=2, rows=1, cores_per_router=1, cores_per_chip=2).places(4)
    assert places.tolist() == [[0, 0], [1, 0], [2, 0], [3, 0]]


def test_a_chip_without_routers_has_no_mesh():
    assert mesh_of(load_profile("generic-45nm")) is None
    assert mesh_of(load_profile("loihi2")) == Mesh(8, 4, 4, 120)


@pytest.fixture
def grid_chip(tmp_path):
    text = ['name = "grid"\ntitle = "grid"']
    for key, value, unit in (
        ("core.neurons", 1, "neurons"),
        ("chip.cores_per_chip", 6, "cores"),
        ("chip.router_columns", 3, "routers"),
        ("chip.router_rows", 2, "routers"),
        ("chip.cores_per_router", 1, "cores"),
    ):
        text.append(f'[{key}]\nvalue = {value}\nunit = "{unit}"\nstatus = "published"\nsource = "test"')
    path = tmp_path / "grid.toml"
    path.write_text("\n".join(text))
    return load_profile(path)


@pytest.fixture
def placed(build, grid_chip):
    """Three neurons onto three, one a core on a mesh of 3 x 2, with zeros so that traffic is uneven."""
    weight = np.array([[1.0, 0, 1], [0, 1, 1], [1, 0, 0]])
    network = build((1,), nir.Linear(np.ones((3, 1))), "lif", nir.Linear(weight), "lif")
    placement = place(network, grid_chip)
    spikes = {"input": np.ones(1), "n1": np.array([9.0, 1.0, 5.0]), "n3": np.ones(3)}
    traffic = traffic_of(wiring_of(network, placement), Activity(spikes, 10, analog_input=False))
    return placement, traffic


def way(places, traffic):
    apart = np.abs(places[traffic.source] - places[traffic.target]).sum(1)
    return float((apart * traffic.messages).sum())


def test_traffic_is_the_spikes_of_each_core_to_each_core_that_they_reach(placed):
    _, traffic = placed
    found = dict(zip(zip(traffic.source, traffic.target, strict=True), traffic.messages, strict=True))
    assert found == {(0, 3): 9, (2, 3): 5, (1, 4): 1, (2, 4): 5, (0, 5): 9}


def test_the_map_is_as_short_as_any(placed):
    """Held against every one of the 720 ways to lay six cores out."""
    placement, traffic = placed
    core_map = map_cores(placement, traffic)
    places = core_map.mesh.places(6)
    best = min(way(places[list(order)], traffic) for order in itertools.permutations(range(6)))
    assert way(core_map.place, traffic) == best
    assert core_map.hops_horizontal + core_map.hops_vertical == best


def test_every_core_has_a_place_of_its_own(placed):
    placement, traffic = placed
    place_of = map_cores(placement, traffic).place
    assert len({tuple(each) for each in place_of.tolist()}) == 6


def test_messages_take_the_links_of_a_walk_along_x_then_y(placed):
    placement, traffic = placed
    places = map_cores(placement, traffic).place
    taken = Counter()
    for source, target, messages in zip(traffic.source, traffic.target, traffic.messages, strict=True):
        at, end = list(places[source]), places[target]
        for axis in (0, 1):
            while at[axis] != end[axis]:
                before = tuple(at)
                at[axis] += np.sign(end[axis] - at[axis])
                taken[before, tuple(at)] += messages
    found = traffic.messages @ routes(places[traffic.source], places[traffic.target]).on
    assert sorted(found) == sorted(taken.values())


def test_swapping_never_lengthens_the_way(build, grid_chip):
    rng = np.random.default_rng(3)
    cores = 40
    network = build((1,), nir.Linear(np.ones((cores, 1))), "lif")
    loihi = load_profile("loihi2")
    placement = place(network, grid_chip)
    source, target = rng.integers(0, cores, (2, 200))
    messages, nothing = rng.random(200), np.zeros(cores)
    traffic = Traffic(source, target, messages, nothing, nothing, nothing, nothing, np.ones(cores))
    mesh = mesh_of(loihi)
    start = way(mesh.places(cores), traffic)
    core_map = map_cores(replace(placement, profile=loihi), traffic)
    assert core_map.hops_horizontal + core_map.hops_vertical < start
