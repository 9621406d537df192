"""Layers on more cores than they need: the busiest core does less, and nothing of the network is lost."""

from dataclasses import replace

import nir
import numpy as np
import pytest
import torch

from spear_deploy.hardware import Activity, OnChip, activity_of, load_profile, parse_budgets
from spear_deploy.hardware.gates import hold
from spear_deploy.hardware.spreading import cores_for, eased_lines, least_needed, moved, spread
from spear_deploy.measure import measure_outputs
from spear_deploy.network import Model

rng = np.random.default_rng(2)
TIME_STEPS, SAMPLES = 6, 4


def dense(outputs, inputs):
    return nir.Linear(rng.uniform(0.1, 1, (outputs, inputs)))


@pytest.fixture(scope="module")
def uneven(build):
    """Nearly all operations are in one layer, which one core of Loihi 1 holds."""
    network = build((60,), dense(200, 60), "lif", dense(400, 200), "lif", dense(10, 400), "lif")
    generator = torch.Generator().manual_seed(1)
    shares = {network.input: 0.2, network.layers[0]: 0.5, network.layers[1]: 0.01, network.layers[2]: 0.1}
    events = {
        name: torch.rand((TIME_STEPS, SAMPLES, *network.shapes[name]), generator=generator) < share
        for name, share in shares.items()
    }
    inputs = events.pop(network.input)
    found = measure_outputs(Model(network.graph, TIME_STEPS), inputs, events, torch.zeros(SAMPLES), analog_input=False)
    return OnChip(network, load_profile("loihi1"), activity_of(found, TIME_STEPS, analog_input=False))


def core_step(on_chip):
    return on_chip.cost.timing.term("synaptic operations").worst


def test_the_layer_on_the_busiest_core_is_spread_and_no_other(uneven):
    found = spread(uneven, parse_budgets([f"core-step={core_step(uneven) / 3:.0f}"]))
    _, busy, _ = uneven.network.layers
    assert moved(found) == {busy: (1, 4)}
    assert core_step(found) <= core_step(uneven) / 3


def test_a_spread_network_does_the_same_operations_in_less_time(uneven):
    found = spread(uneven, parse_budgets([f"{uneven.cost.time_ns.high / 2:.0f}ns"]))
    assert found.cost.synops == uneven.cost.synops
    assert found.cost.time_ns.high <= uneven.cost.time_ns.high / 2
    assert found.cost.energy_pj.high < uneven.cost.energy_pj.high  # the chip idles for less time


def test_nothing_moves_where_nothing_is_broken_or_no_core_decides(uneven):
    kept = parse_budgets([f"core-step={2 * core_step(uneven):.0f}"])
    assert spread(uneven, kept) is uneven
    assert spread(uneven, parse_budgets(["10", "neurons=3"])) is uneven


def test_a_limit_on_cores_is_kept_while_layers_are_spread(uneven):
    budgets = parse_budgets([f"core-step={core_step(uneven) / 20:.0f}", "cores=5"])
    found = spread(uneven, budgets)
    assert 3 < found.placement.cores_needed <= 5


def test_what_cannot_be_cut_further_ends_it(uneven):
    """A neuron is the least: one core each, and the limit stays broken."""
    found = spread(uneven, parse_budgets(["core-step=1"]))
    assert core_step(found) > 1
    assert found.placement.cores_needed <= uneven.chip.cores_available


def test_every_neuron_is_placed_once(uneven):
    found = spread(uneven, parse_budgets([f"core-step={core_step(uneven) / 7:.0f}"])).placement
    assert sum(core.neurons for core in found.cores) == 200 + 400 + 10
    assert found.fits


def test_a_budget_that_another_placement_keeps_is_kept_and_says_how(uneven):
    (held,) = hold(uneven, parse_budgets([f"core-step={core_step(uneven) / 3:.0f}"]))
    assert held.kept
    assert held.text.endswith(f"with {uneven.network.layers[1]} on 4 cores instead of 1")


def test_what_more_cores_do_is_told_before_and_after(uneven):
    budgets = parse_budgets([f"core-step={core_step(uneven) / 3:.0f}"])
    (line,) = eased_lines(uneven, budgets, spread(uneven, budgets).least_cores)
    assert "on 4 cores instead of 1, which costs no accuracy: operations of the busiest core in a step" in line
    assert eased_lines(uneven, budgets, {}) == []


def test_a_limit_that_cores_can_keep_is_kept_beside_one_that_they_cannot(uneven):
    """More cores stop gaining energy long before a core holds one neuron; the busiest core may gain on."""
    beyond = ["energy=1pJ"]
    least = spread(uneven, parse_budgets(beyond))
    keepable = [f"core-step={core_step(least) / 1.5:.0f}"]
    assert core_step(spread(uneven, parse_budgets(keepable))) <= core_step(least) / 1.5
    both = spread(uneven, parse_budgets(beyond + keepable))
    assert core_step(both) <= core_step(least) / 1.5


@pytest.fixture
def talkative(uneven, tmp_path):
    """The same on a chip where messages are dear: a spike goes to every core of the next layer."""
    price = (
        '[energy.message_in]\nvalue = 1\nunit = "uJ"\nstatus = "estimated"\nbasis = "assumption"\nsource = "a test"\n'
    )
    (tmp_path / "talkative.toml").write_text(f'name = "talkative"\ntitle = "t"\ninherits = "loihi1"\n{price}')
    return replace(uneven, chip=load_profile(tmp_path / "talkative.toml"))


def test_no_broken_budget_ends_further_away_for_the_sake_of_another(talkative):
    busy = f"core-step={core_step(talkative) / 20:.0f}"
    before, after = (each.cost.energy_pj.high for each in (talkative, spread(talkative, parse_budgets([busy]))))
    assert before < after, "more cores take more energy here"
    both = spread(talkative, parse_budgets([busy, f"energy={before / 2:.0f}pJ"]))
    assert both.cost.energy_pj.high <= before
    assert core_step(both) <= core_step(talkative)


def test_layers_that_are_about_as_busy_are_spread_together(build):
    """More cores for one of them alone gain nothing: the other is as busy."""
    network = build((100,), dense(100, 100), "lif", dense(100, 100), "lif", dense(100, 100), "lif")
    spikes = {name: np.full(100, float(TIME_STEPS)) for name in (network.input, *network.layers)}
    activity = Activity(spikes, TIME_STEPS, analog_input=False)
    on_chip = OnChip(network, load_profile("loihi1"), activity)
    found = spread(on_chip, parse_budgets([f"core-step={core_step(on_chip) / 3:.0f}"]))
    assert core_step(found) <= core_step(on_chip) / 3
    assert moved(found) == dict.fromkeys(network.layers, (1, 4))


def wide(build, neurons):
    network = build((20,), dense(neurons, 20), "lif", dense(10, neurons), "lif")
    spikes = {name: np.full(network.shapes[name], float(TIME_STEPS)) for name in (network.input, *network.layers)}
    return OnChip(network, load_profile("loihi1"), Activity(spikes, TIME_STEPS, analog_input=False))


def test_a_narrower_layer_moves_to_no_fewer_cores_than_keep_its_limit(build):
    """1,100 neurons lie on two cores of Loihi 1, 1,000 would lie on one, which then does more."""
    before, after = wide(build, 1100), wide(build, 1000)
    budgets = parse_budgets([f"core-step={core_step(before):.0f}"])
    assert core_step(after) > core_step(before)
    least = cores_for(before, budgets)
    assert least == {before.network.layers[0]: 2}
    assert core_step(replace(after, least_cores=least)) < core_step(before)
    assert eased_lines(before, budgets, least) == []


def test_a_network_lies_on_no_more_cores_than_keep_its_limits(uneven):
    """Of cores that were found for a wider one; where none would do, those stay."""
    busy = core_step(uneven)
    held = spread(uneven, parse_budgets([f"core-step={busy / 20:.0f}"])).least_cores
    wide, between = (parse_budgets([f"core-step={share * busy:.0f}"]) for share in (2, 1 / 3))
    assert least_needed(uneven, held, wide) == {}
    found = replace(uneven, least_cores=least_needed(uneven, held, between))
    assert moved(found) == {uneven.network.layers[1]: (1, 4)}
    assert core_step(found) <= busy / 3
    assert least_needed(uneven, held, parse_budgets(["core-step=1"])) == held


def test_no_cores_are_held_where_no_limit_speaks_of_them_or_there_are_too_many(build):
    before = wide(build, 1100)
    assert cores_for(before, parse_budgets(["50k", "neurons=3000"])) == {}
    assert cores_for(before, parse_budgets(["1s", "cores=2"])) == {}


def test_a_budget_of_power_is_held_on_the_cores_that_keep_the_budget_of_time(uneven):
    """In less time the same operations take more power: both budgets are held against one placement."""
    time = f"{uneven.cost.time_ns.high / 3:.0f}ns"
    quick = spread(uneven, parse_budgets([time]))
    before, after = uneven.cost.power_mw.high, quick.cost.power_mw.high
    assert before < after
    between = parse_budgets([time, f"power={(before + after) / 2:.3f}mW"])
    latency, power = hold(uneven, between)
    assert not (latency.kept and power.kept), "no placement that is shown keeps both"
    assert power.use.used in (pytest.approx(before), pytest.approx(spread(uneven, between).cost.power_mw.high))
    loose = hold(uneven, parse_budgets([time, f"power={2 * after:.3f}mW"]))
    assert [each.kept for each in loose] == [True, True]
    assert loose[1].use.used == pytest.approx(after)
