"""What cannot be counted because it is not known where cores lie, and ends that prices may turn around."""

from math import isnan

import nir
import numpy as np
import pytest
import torch

from spear_deploy.hardware import Activity, estimate, load_profile, parse_budget, place
from spear_deploy.hardware.chip.figures import Spread
from spear_deploy.hardware.cost.mesh import MESH_KEYS
from spear_deploy.measure.events import Events
from spear_deploy.measure.record import Recorder
from spear_deploy.report.chip_json import cost_json

CHIP = {
    "chip.cores_per_chip": (8, "cores"),
    "core.neurons": (2, "neurons"),
    "time.synaptic_operation": (3, "ns"),
    "time.neuron_update_active": (7, "ns"),
    "energy.synaptic_operation": (11, "pJ"),
    "energy.neuron_update_active": (13, "pJ"),
}
WAYS = {
    "energy.hop_horizontal": (100, "pJ"),
    "energy.hop_vertical": (100, "pJ"),
    "time.hop_horizontal": (5, "ns"),
    "time.hop_vertical": (5, "ns"),
    "time.router_rate": (1, "M/s"),
    "time.barrier_by_routers": ([[1, 500], [4, 900]], "ns"),
}
MESH = {
    "chip.router_columns": (4, "routers"),
    "chip.router_rows": (1, "routers"),
    "chip.cores_per_router": (2, "cores"),
}


@pytest.fixture
def cost(build, chip_file):
    """Two inputs, four neurons on two cores and two on a third; each fires once in 4 steps."""

    def make(figures):
        network = build((2,), nir.Linear(np.ones((4, 2))), "lif", nir.Linear(np.ones((2, 4))), "lif")
        spikes = {name: np.ones(network.shapes[name]) for name in (network.input, *network.layers)}
        chip = load_profile(chip_file(figures))
        return estimate(network, place(network, chip), Activity(spikes, 4, analog_input=False), chip_steps=True)

    return make


def test_hops_between_cores_that_lie_nowhere_have_no_energy(cost):
    found = cost(CHIP | WAYS)
    hops = next(part for part in found.parts if part.name == "hops")
    assert (hops.energy_pj, isnan(hops.count)) == (None, True)
    assert found.energy_pj is None
    assert found.unpriced_text == "no mesh of routers for hops"
    assert cost_json(found)["parts"][-1]["count"] is None


def test_hops_on_a_mesh_have_their_energy(cost):
    """The 4 spikes of the first layer go to one core: those of one core a router further."""
    found = cost(CHIP | WAYS | MESH)
    hops = next(part for part in found.parts if part.name == "hops")
    assert (hops.count, hops.energy_pj.typical) == (2, 200)
    assert found.unpriced == ()


def test_no_message_travels_within_a_core(cost, build, chip_file):
    network = build((2,), nir.Linear(np.ones((2, 2))), "lif")
    chip = load_profile(chip_file(CHIP | WAYS))
    spikes = {network.input: np.ones(2), "n1": np.ones(2)}
    found = estimate(network, place(network, chip), Activity(spikes, 4, analog_input=False))
    assert found.energy_pj is not None


@pytest.mark.parametrize("budget", ["1ms", "throughput=1/s"])
def test_no_budget_of_time_is_held_where_times_between_cores_cannot_be_counted(cost, budget):
    found = cost(CHIP | WAYS)
    missing = parse_budget(budget).quantity.missing
    assert missing(found) == "no mesh of routers for barrier, busiest link, farthest message"
    assert missing(cost(CHIP | WAYS | MESH)) == missing(cost(CHIP)) == ""
    energies = {key: figure for key, figure in WAYS.items() if key.startswith("energy")}
    assert missing(cost(CHIP | energies)) == ""


def test_a_fixed_step_waits_for_no_way(cost):
    assert cost(CHIP | WAYS | {"time.step": (1, "us")}).time_ns.typical == 4000


def test_times_between_cores_that_lie_nowhere_are_named_with_what_is_missing(cost):
    timing = cost(CHIP | WAYS).timing
    assert timing.latency is None
    unmapped = [term for term in timing.unpriced if term.missing == MESH_KEYS]
    assert [term.name for term in unmapped] == ["barrier", "busiest link", "farthest message"]
    assert all(isnan(term.count) and isnan(term.worst) and term.time_ns is None for term in unmapped)
    assert "time.barrier_by_routers" not in timing.figures


def test_a_barrier_by_routers_alone_is_the_barrier_of_a_mesh(cost):
    """Three cores at two routers: a third of the way from 500 to 900 ns."""
    timing = cost(CHIP | WAYS | MESH).timing
    barrier = timing.term("barrier")
    assert barrier.time_ns.typical == pytest.approx(500 + 400 / 3)
    assert (barrier.missing, "time.barrier_by_routers" in timing.figures) == ((), True)


BARRIER = {"time.barrier": (10, 200, 4000, "ns")}


@pytest.mark.parametrize("mesh", [{}, MESH, MESH | {"chip.cores_per_router": (3, "cores")}])
def test_a_barrier_is_the_range_that_the_profile_gives_for_any_number_of_routers(cost, mesh):
    found = cost(CHIP | BARRIER | mesh)
    assert found.timing.term("barrier").time_ns == Spread(10, 200, 4000)
    assert found.time_ns.high > 4 * 4000
    assert found.time_ns.low == 4 * 14  # of the longest single term: two updates


def test_a_barrier_by_routers_stands_for_a_barrier_where_cores_lie_on_a_mesh(cost):
    both = CHIP | BARRIER | {"time.barrier_by_routers": ([[2, 30]], "ns")}
    for mesh, key, spread in (({}, "barrier", (10, 200, 4000)), (MESH, "barrier_by_routers", (30, 30, 30))):
        timing = cost(both | mesh).timing
        assert timing.term("barrier").time_ns == Spread(*spread)
        assert [each for each in timing.figures if "barrier" in each] == [f"time.{key}"]


def test_a_barrier_by_routers_that_is_unknown_leaves_the_barrier(cost):
    timing = cost(CHIP | BARRIER | MESH | {"time.barrier_by_routers": (None, "ns")}).timing
    assert timing.term("barrier").time_ns == Spread(10, 200, 4000)


CURVE = {"time.barrier_by_routers": ([[1, 10], [2, 30], [3, 500]], "ns")}


@pytest.mark.parametrize(
    ("more", "expected"),
    [({}, 500), ({"time.barrier_by_chips": ([[1, 100], [3, 900]], "ns")}, 30 + 800 / 2)],
    ids=["of all chips", "of one chip, and what a second adds"],
)
def test_the_routers_of_a_barrier_are_those_of_one_chip_where_more_chips_have_a_time(cost, more, expected):
    """Three cores: two on one chip, a router each, one on the next."""
    chips = {"chip.cores_per_chip": (2, "cores"), "chip.chips": (2, "chips")}
    mesh = MESH | {"chip.router_columns": (2, "routers"), "chip.cores_per_router": (1, "cores")}
    assert cost(CHIP | CURVE | mesh | chips | more).timing.term("barrier").time_ns.typical == pytest.approx(expected)


@pytest.mark.parametrize(
    ("term", "known", "unknown"),
    [
        ("messages out", "spike", "message_out"),
        ("messages out", "message_out", "spike"),
        ("farthest message", "hop_horizontal", "hop_vertical"),
        ("neuron updates", "neuron_update_active", "neuron_update_inactive"),
    ],
)
def test_of_two_times_of_a_term_the_one_that_is_not_known_is_named(cost, term, known, unknown):
    half = cost(CHIP | MESH | {f"time.{known}": (2, "ns"), f"time.{unknown}": (None, "ns")}).timing
    assert half.term(term).missing == (f"time.{unknown}",)
    assert half.term(term) in half.unpriced
    assert cost(CHIP | MESH | {f"time.{known}": (2, "ns")}).timing.term(term).missing == ()


def test_what_more_chips_add_to_a_barrier_that_is_not_known_is_no_barrier(cost):
    chips = {"chip.cores_per_chip": (2, "cores"), "chip.chips": (2, "chips")}
    added = cost(CHIP | chips | {"time.barrier_by_chips": ([[1, 100], [2, 300]], "ns")}).timing.term("barrier")
    assert (added.time_ns.typical, added.missing) == (200, ("time.barrier",))


@pytest.mark.parametrize("barrier", [{"time.barrier": (20, "ns")}, CURVE | MESH], ids=["any", "by routers"])
def test_a_barrier_on_several_chips_is_a_lower_bound_where_nothing_says_what_more_of_them_add(cost, barrier):
    two = {"chip.cores_per_chip": (2, "cores"), "chip.chips": (2, "chips")}
    one = {"chip.cores_per_chip": (4, "cores"), "chip.chips": (2, "chips")}
    added = {"time.barrier_by_chips": ([[1, 100], [2, 300]], "ns")}
    for chips, least in ((two, True), (one, False), (two | added, False)):
        timing = cost(CHIP | barrier | chips).timing
        assert timing.minimum is least
        assert timing.term("barrier").missing == (("time.barrier_by_chips",) if least else ())
    told = {"time.barrier_by_chips": (None, "ns")}
    assert cost(CHIP | barrier | two | told).timing.minimum


def test_a_time_that_is_a_minimum_makes_the_latency_a_lower_bound(build, chip_file):
    network = build((2,), nir.Linear(np.ones((2, 2))), "lif")
    spikes = {network.input: np.ones(2), "n1": np.ones(2)}
    spiked = torch.ones((4, 1, 2), dtype=torch.bool)
    recorder = Recorder(network)
    recorder.add({name: Events.of(spiked) for name in spikes})
    activity = Activity(spikes, 4, analog_input=False, record=recorder.record())
    file = chip_file(CHIP | {"energy.static_per_chip": (3, "mW")})
    text = file.read_text()
    for bound, expected in (("exact", False), ("minimum", True)):
        file.write_text(text.replace("[time.synaptic_operation]", f'[time.synaptic_operation]\nbound = "{bound}"'))
        cost = estimate(network, place(network, load_profile(file)), activity)
        assert (cost.timing.at_least, cost.energy_at_least) == (expected, expected)


INACTIVE_ALONE = CHIP | {"energy.neuron_update_inactive": (5, "pJ"), "time.neuron_update_inactive": (5, "ns")}


def test_where_an_inactive_update_alone_has_a_price_active_ones_have_it_too(cost):
    """6 neurons in 4 steps."""
    alone = {key: figure for key, figure in INACTIVE_ALONE.items() if not key.endswith("update_active")}
    found = cost(alone)
    (updates,) = [part for part in found.parts if part.name == "neuron updates"]
    assert (updates.energy_pj.low, updates.energy_pj.high) == (24 * 5, 24 * 5)
    assert updates.figures == ("energy.neuron_update_inactive",)
    assert found.timing.term("neuron updates").time_ns.typical == 2 * 5
    assert "time.neuron_update_inactive" in found.timing.figures


def test_the_low_end_never_lies_above_the_high_one_where_inactive_updates_cost_more(cost):
    """Of 24 updates 6 to all are active; each costs 13 pJ or 50, and takes 7 ns or 50."""
    dear = {"energy.neuron_update_inactive": (50, "pJ"), "time.neuron_update_inactive": (50, "ns")}
    found = cost(CHIP | dear)
    (updates,) = [part for part in found.parts if part.name == "neuron updates"]
    assert (updates.energy_pj.low, updates.energy_pj.high) == (24 * 13, 6 * 13 + 18 * 50)
    time = found.timing.term("neuron updates").time_ns
    assert (time.low, time.typical) == (2 * 7, 2 * 7)
    assert time.high > time.typical
    assert found.time_ns.low <= found.time_ns.typical <= found.time_ns.high


@pytest.mark.parametrize("key", ["neuron_update_active", "neuron_update_inactive"])
def test_an_update_of_unknown_time_leaves_the_time_open(cost, key):
    assert cost(INACTIVE_ALONE).time_ns is not None
    assert cost(INACTIVE_ALONE | {f"time.{key}": (None, "ns")}).time_ns is None


def test_idle_power_over_an_unknown_time_is_not_said_to_have_no_price(cost):
    timeless = {key: figure for key, figure in CHIP.items() if not key.startswith("time.")}
    found = cost(timeless | {"energy.static_per_chip": (3, "mW")})
    assert found.unpriced_text == "no time of a step for idle chips"
