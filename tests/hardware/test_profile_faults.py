"""Figures that no amount could follow from: each is refused by its key when the profile is read."""

from math import inf, nan

import nir
import numpy as np
import pytest
from made_chips import figure_keys, unit_of

from spear_deploy.backends.fixed_point import chip_format
from spear_deploy.errors import ProfileError
from spear_deploy.hardware import Activity, OnChip, Use, estimate, load_profile, parse_budget, place
from spear_deploy.hardware.chip.profile_files import ARITHMETICS, KINDS, MODELS, RESETS
from spear_deploy.hardware.gates import hold
from spear_deploy.hardware.rules import layer_rules
from spear_deploy.hardware.rules.verdict import check
from spear_deploy.jobs.chips import checked_chip
from spear_deploy.network import Reset
from spear_deploy.report.chip_json import cost_json

TIMES = {"time.synaptic_operation": (3, "ns"), "time.neuron_update_active": (7, "ns")}


@pytest.mark.parametrize(
    "pairs", [[[1, nan], [4, nan]], [[1, 2.0], [4, inf]], [[1, 2.0], [inf, 3.0]], [[nan, 2.0]], [[1, -2.0]]]
)
@pytest.mark.parametrize("curve", ["barrier_by_routers", "barrier_by_chips"])
def test_a_time_that_depends_on_a_number_is_one_everywhere(chip_file, curve, pairs):
    with pytest.raises(ProfileError, match=f"time.{curve}: pairs of a number and a time, .*none negative or without"):
        load_profile(chip_file(TIMES | {f"time.{curve}": (pairs, "ns")}))


@pytest.mark.parametrize(
    ("key", "figure"),
    [
        ("time.router_rate", (0, "1/s")),
        ("time.router_rate", (0, 5, 9, "M/s")),
        ("time.step", (0, "ns")),
        ("time.step", (0, 2, 3, "ms")),
    ],
)
def test_what_other_amounts_are_divided_by_is_above_0(chip_file, key, figure):
    with pytest.raises(ProfileError, match=f"{key}: must be above 0"):
        load_profile(chip_file(TIMES | {key: figure}))


@pytest.mark.parametrize(("key", "unit"), [("synapses.weight_bits", "bit"), ("core.state_variable", "B")])
def test_what_lies_in_memory_takes_some_of_it(chip_file, key, unit):
    with pytest.raises(ProfileError, match=f"{key}: of 0 it would take no memory"):
        load_profile(chip_file({key: (0, unit)}))
    load_profile(chip_file({key: (1, unit)}))


NO_TIME = {"time.synaptic_operation": (0, 3, 3, "ns"), "time.neuron_update_active": (0, 7, 9, "ns")}


@pytest.mark.parametrize("more", [{}, {"time.barrier": (0, 5, 5, "ns")}, {"time.barrier_by_routers": ([[1, 0]], "ns")}])
def test_a_step_that_would_take_no_time_is_refused(chip_file, more):
    with pytest.raises(ProfileError, match="time: a step would take no time at the low end"):
        load_profile(chip_file(NO_TIME | more))


@pytest.mark.parametrize(
    "figures",
    [
        NO_TIME | {"time.barrier": (5, "ns")},
        NO_TIME | {"time.step": (1, "ms")},
        {"time.synaptic_operation": (0, "ns")},
        TIMES | {"time.synaptic_operation": (0, "ns"), "time.barrier": (0, "ns")},
    ],
)
def test_a_time_of_0_is_one_where_a_step_takes_some_anyway(chip_file, figures):
    assert load_profile(chip_file(figures)).time.synaptic_operation.spread.low == 0


def test_more_chips_never_take_less_time(chip_file):
    """Counted in would be -30 ns a chip: with a barrier of 20 ns a step of less than no time."""
    falling = {"time.barrier": (20, "ns"), "time.barrier_by_chips": ([[1, 40], [2, 10]], "ns")}
    with pytest.raises(ProfileError, match=r"time\.barrier_by_chips: more chips take no less time"):
        load_profile(chip_file(TIMES | falling))


MESH = {
    "chip.router_columns": (2, "routers"),
    "chip.router_rows": (2, "routers"),
    "chip.cores_per_router": (1, "cores"),
}


@pytest.mark.parametrize("cores", [{"chip.cores_per_chip": (5, "cores")}, {"chip.usable_cores_per_chip": (5, "cores")}])
def test_every_core_of_a_chip_lies_at_a_router(chip_file, cores):
    message = r"chip\.cores_per_router: 2 x 2 routers of 1 cores hold 4 of the 5 cores of a chip"
    with pytest.raises(ProfileError, match=message):
        load_profile(chip_file(MESH | cores))
    assert load_profile(chip_file(MESH | {"chip.cores_per_chip": (4, "cores")})).cores_per_chip == 4


@pytest.mark.parametrize(
    ("key", "figure", "wrong"),
    [
        ("neurons.arithmetic", ("foo", "name"), "foo"),
        ("neurons.resets", (["zero", "Zero"], "names"), "Zero"),
        ("neurons.models", (["lif"], "names"), "lif"),
        ("layers.kinds", (["dense", "Conv2D"], "names"), "Conv2D"),
    ],
)
def test_a_name_that_nothing_has_is_refused(chip_file, key, figure, wrong):
    with pytest.raises(ProfileError, match=f"{key}: '{wrong}' is not known; valid: "):
        load_profile(chip_file({key: figure}))


def test_names_that_a_profile_may_give_are_those_that_rules_and_arithmetic_know():
    assert sorted(ARITHMETICS) == sorted(chip_format.ARITHMETICS)
    assert sorted(RESETS) == sorted(Reset)
    assert sorted(KINDS) == sorted(set(layer_rules.KINDS.values()))
    assert all(hasattr(nir, name) for name in MODELS)


@pytest.mark.parametrize(
    ("key", "bits"), [("synapses.weight_bits", 16), ("synapses.weight_bits", 1), ("neurons.state_bits", 8)]
)
def test_checking_a_profile_holds_it_to_the_widths_of_its_integers(chip_file, key, bits):
    path = chip_file({"neurons.arithmetic": ("loihi2", "name"), key: (bits, "bit")})
    with pytest.raises(ProfileError, match=rf"made-up: .* bits.* found {bits}"):
        checked_chip(path)


@pytest.mark.parametrize("budget", ["cores=4", "throughput=5/s", "max-drop=0"])
def test_what_is_no_number_keeps_no_limit(budget):
    assert Use(parse_budget(budget), nan).overshoot == inf


@pytest.fixture
def network(build):
    return build((2,), nir.Linear(np.ones((3, 2))), "lif")


def test_a_budget_of_which_no_number_is_known_cannot_be_held(network, chip_file, monkeypatch):
    activity = Activity({network.input: np.ones(2), "n1": np.ones(3)}, 4, analog_input=False)
    on_chip = OnChip(network, load_profile(chip_file(TIMES)), activity)
    monkeypatch.setattr("spear_deploy.hardware.cost.timing.barrier_of", lambda *_: np.full(3, nan))
    (held,) = hold(on_chip, [parse_budget("1ns")])
    assert (held.kept, held.use) == (False, None)
    assert held.text == "budget 1ns: cannot be held: no number comes out for latency of an inference"


def test_a_silent_network_on_cores_that_idle_in_no_time_has_no_end_of_throughput(network, chip_file):
    """The low end alone is without end: no spike, and an update of what is inactive takes 0 to 1 ns."""
    chip = load_profile(chip_file(TIMES | {"time.neuron_update_inactive": (0, 1, 1, "ns")}))
    silent = Activity({network.input: np.zeros(2), "n1": np.zeros(3)}, 4, analog_input=False)
    cost = estimate(network, place(network, chip), silent)
    assert cost.time_ns.low == 0
    assert (cost.throughput_per_s.typical, cost.throughput_per_s.high) == (pytest.approx(1e9 / (4 * 3 * 7)), inf)
    assert cost_json(cost)["throughput_per_s"]["high"] is None


@pytest.mark.parametrize(
    ("key", "figure", "message"),
    [
        ("energy.synaptic_operation", (1e300, "uJ"), "to 1e.30 pJ; what follows would be no number"),
        ("energy.synaptic_operation", (1, 2, 1e40, "pJ"), "to 1e.30 pJ"),
        ("energy.static_per_chip", (1e299, "W"), "to 1e.30 mW"),
        ("time.barrier_by_chips", ([[1, 1], [2, 1e200]], "ns"), "to 1e.30 ns"),
        ("time.step", (1e-300, "ns"), "from 1e-30 to 1e.30 ns"),
        ("core.neurons", (1e200, "neurons"), "to 1e.30 neurons"),
        ("chip.synapse_memory", (1e305, "MiB"), "to 1e.30 B"),
        ("layers.kernel", ([3, 10**40], "pixels"), "to 1e.30 pixels"),
        ("synapses.weight_range", ([-(10**40), 0], "integer"), "to 1e.30 integer"),
        ("synapses.weight_bits", (65, "bit"), "no number is wider than 64 bit"),
        ("neurons.state_bits", (1026, "bit"), "no number is wider than 64 bit"),
        ("synapses.delay", ([-1, 4], "steps"), r"steps are from 0 on, found \[-1, 4\]"),
    ],
)
def test_what_no_number_could_follow_from_is_refused(chip_file, key, figure, message):
    with pytest.raises(ProfileError, match=f"{key}: .*{message}"):
        load_profile(chip_file({key: figure}))


def test_the_widest_weights_are_rounded_without_loss(build, chip_file):
    profile = load_profile(chip_file({"synapses.weight_bits": (64, "bit")}))
    assert check(build((2,), nir.Linear(np.ones((2, 2))), "lif"), profile, analog_input=False).findings == ()


COUNTED = [
    key
    for key in figure_keys()
    if unit_of(key) in ("neurons", "axons", "synapses", "thresholds", "decays", "channels", "weights", "routers")
]
COUNTED += ["core.destination_cores", "chip.cores_per_router", "layers.input_map", "layers.output_map"]


@pytest.mark.parametrize("key", COUNTED)
def test_no_count_is_0(chip_file, key):
    with pytest.raises(ProfileError, match=f"{key}: a limit of 0 holds no network"):
        load_profile(chip_file({key: (0, unit_of(key))}))
