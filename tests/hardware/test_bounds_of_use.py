"""A use of which something is not known is told as the bound that it is, and is not sure to keep a budget."""

import nir
import numpy as np
import pytest
import torch

from spear_deploy.hardware import Activity, OnChip, Use, load_profile, parse_budget, parse_budgets
from spear_deploy.hardware.comparison import compare
from spear_deploy.hardware.gates import Gate, Held, hold, stopped_at
from spear_deploy.measure.events import Events
from spear_deploy.measure.record import Recorder

ENERGY, TIME = "energy.synaptic_operation", "time.synaptic_operation"
CHIP = {
    ENERGY: (2, "pJ"),
    TIME: (3, "ns"),
    "time.neuron_update_active": (1, "ns"),
    "time.neuron_update_inactive": (1, "ns"),
    "time.message_out": (1, "ns"),
    "time.message_in": (1, "ns"),
    "time.barrier": (1, "ns"),
    "energy.static_per_chip": (3, "mW"),
}
KEPT = ("1uJ", "1ms", "throughput=1/s", "power=1W")


@pytest.fixture
def on_chip(build, chip_file):
    """Two neurons for four steps on a chip of which some prices are minima."""

    def make(minima):
        network = build((2,), nir.Linear(np.ones((2, 2))), "lif")
        recorder = Recorder(network)
        spiked = Events.of(torch.ones((4, 1, 2), dtype=torch.bool))
        recorder.add({network.input: spiked, "n1": spiked})
        spikes = {network.input: np.full(2, 4.0), "n1": np.full(2, 4.0)}
        file = chip_file(CHIP)
        text = file.read_text()
        for key in minima:
            text = text.replace(f"[{key}]", f'[{key}]\nbound = "minimum"')
        file.write_text(text)
        return OnChip(network, load_profile(file), Activity(spikes, 4, analog_input=False, record=recorder.record()))

    return make


WORDS = {
    (): ("", "", "", ""),
    (ENERGY,): ("at least", "", "", "at least"),
    (TIME,): ("at least", "at least", "at most", "about"),
    (ENERGY, TIME): ("at least", "at least", "at most", "about"),
}


@pytest.mark.parametrize("minima", WORDS)
def test_energy_and_time_are_at_least_what_is_known_and_throughput_at_most(on_chip, minima):
    """The energy of idle power over a time that is a minimum is one; power then is either more or less."""
    held = hold(on_chip(minima), parse_budgets(KEPT))
    assert tuple(each.bound for each in held) == WORDS[minima]
    for each in held:
        assert f"end: {each.bound} ".replace(":  ", ": ") in each.text
        assert each.text.startswith(f"budget {each.limit.granted}: kept")


def test_power_over_a_time_that_is_a_minimum_is_at_most_what_is_known_where_energy_is_exact(build, chip_file):
    network = build((2,), nir.Linear(np.ones((2, 2))), "lif")
    spikes = {network.input: np.ones(2), "n1": np.ones(2)}
    profile = load_profile(chip_file({key: figure for key, figure in CHIP.items() if "static" not in key}))
    cost = OnChip(network, profile, Activity(spikes, 4, analog_input=False)).cost
    assert (cost.energy_bound, cost.time_bound, cost.power_bound) == ("", "at least", "at most")


@pytest.mark.parametrize("minima", WORDS)
def test_a_budget_that_is_kept_as_far_as_is_known_does_not_pass_the_gate_of_what_is_not(on_chip, minima):
    placed = on_chip(minima)
    (row,) = compare("net", placed.network, [placed.chip], placed.activity, analog_input=False)
    stopped = stopped_at(row, hold(placed, parse_budgets(KEPT)))
    open_ones = [budget for budget, word in zip(KEPT, WORDS[minima], strict=True) if word]
    reason = "not known: " + ", ".join(f"budget {each}" for each in open_ones)
    assert stopped == ({Gate.UNKNOWN: reason} if open_ones else {})


@pytest.mark.parametrize(
    ("budget", "used", "bound", "sure"),
    [
        ("1uJ", 5e5, "at least", False),
        ("1uJ", 5e6, "at least", True),
        ("power=1W", 500.0, "at most", True),
        ("power=1W", 5000.0, "at most", False),
        ("throughput=10/s", 20.0, "at most", False),
        ("throughput=10/s", 5.0, "at most", True),
        ("power=1W", 500.0, "about", False),
        ("power=1W", 500.0, "", True),
    ],
)
def test_what_is_not_known_cannot_break_what_a_bound_on_that_side_keeps_nor_mend_what_it_breaks(
    budget, used, bound, sure
):
    limit = parse_budget(budget)
    assert Held(limit, Use(limit, used), bound=bound).sure is sure
