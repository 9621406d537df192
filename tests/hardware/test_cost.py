"""Costs worked out by hand from made-up prices."""

import nir
import numpy as np
import pytest

from spear_deploy.errors import BudgetError, DataError
from spear_deploy.hardware import (
    Activity,
    OnChip,
    estimate,
    known_profiles,
    load_profile,
    parse_budget,
    place,
    require_known,
)
from spear_deploy.hardware.chip.figures import Status
from spear_deploy.hardware.gates import hold

PRICES = {
    "energy.synaptic_operation": ("pJ", 1, 2, 4),
    "energy.multiply_accumulate": ("pJ", 10, 10, 10),
    "energy.neuron_update_active": ("pJ", 3, 3, 3),
    "energy.neuron_update_inactive": ("pJ", 1, 1, 1),
    "energy.spike": ("pJ", 5, 5, 5),
    "energy.message_out": ("pJ", 7, 7, 7),
    "energy.static_per_chip": ("mW", 100, 100, 100),
    "time.synaptic_operation": ("ns", 2, 2, 2),
    "time.neuron_update_active": ("ns", 4, 4, 4),
    "time.neuron_update_inactive": ("ns", 3, 3, 3),
    "time.barrier": ("ns", 50, 50, 50),
}


@pytest.fixture
def priced(tmp_path):
    def make(neurons=100, unknown=(), left_out=(), scope=None, mesh=None):
        lines = ['name = "priced"\ntitle = "Priced"']
        if scope:
            lines.append(f'[energy.scope]\nvalue = "{scope}"\nunit = "name"\nstatus = "published"\nsource = "test"')
        sizes = {"core.neurons": (neurons, "neurons"), "chip.cores_per_chip": (64, "cores")}
        if mesh:
            names = {"chip.router_columns": "routers", "chip.router_rows": "routers", "chip.cores_per_router": "cores"}
            sizes |= {key: (value, unit) for (key, unit), value in zip(names.items(), mesh, strict=True)}
        for key, (value, unit) in sizes.items():
            lines.append(f'[{key}]\nvalue = {value}\nunit = "{unit}"\nstatus = "published"\nsource = "test"')
        for key, (unit, low, value, high) in PRICES.items():
            if key in unknown:
                lines.append(f'[{key}]\nunit = "{unit}"\nstatus = "unknown"')
            elif key not in left_out:
                status = "estimated" if low < high else "published"
                lines.append(
                    f'[{key}]\nlow = {low}\nvalue = {value}\nhigh = {high}\nunit = "{unit}"'
                    f'\nstatus = "{status}"\nsource = "test"'
                )
        path = tmp_path / "priced.toml"
        path.write_text("\n".join(lines))
        return load_profile(path)

    return make


@pytest.fixture
def network(build):
    """4 inputs -> 6 neurons -> 3 neurons, all connected."""
    return build((4,), nir.Linear(np.ones((6, 4))), "lif", nir.Linear(np.ones((3, 6))), "lif")


def activity(network, analog=False, updates=None):
    """Over 10 steps: 2 events an input, 1 spike a neuron of the first layer, 4 of the last."""
    spikes = {network.input: np.full(4, 2.0), "n1": np.full(6, 1.0), "n3": np.full(3, 4.0)}
    return Activity(spikes, 10, analog, updates)


def energies(cost):
    return {part.name: part.energy_pj for part in cost.parts}


def test_the_energy_is_split_into_its_parts(network, priced):
    cost = estimate(network, place(network, priced()), activity(network), chip_steps=True)
    found = {name: spread.typical for name, spread in energies(cost).items()}
    # 8 events x 6 + 6 spikes x 3 synapses; 9 neurons x 10 steps, all active; 6 + 12 spikes; 6 spikes to one core
    assert found["synapses"] == (8 * 6 + 6 * 3) * 2
    assert found["neuron updates"] == 90 * 3
    assert found["spikes"] == 18 * 5
    assert found["messages"] == 6 * 7
    # per step: 6 neurons x 4 ns = 24, synapses 48 / 10 x 2 = 9.6; barrier 50
    assert cost.timing.step_ns.typical == pytest.approx(24 + 50)
    assert found["idle chips"] == pytest.approx(100 * 740)
    assert cost.energy_pj.typical == pytest.approx(sum(found.values()))


def test_the_share_of_synops_is_told_with_and_without_idle_power(network, priced):
    cost = estimate(network, place(network, priced()), activity(network), chip_steps=True)
    dynamic = 66 * 2 + 270 + 90 + 42
    assert cost.synops_share == pytest.approx(132 / (dynamic + 74_000))
    assert cost.synops_share_of_dynamic == pytest.approx(132 / dynamic)


def test_low_and_high_take_the_low_and_high_prices_and_updates(network, priced):
    cost = estimate(network, place(network, priced()), activity(network), chip_steps=True)
    synapses, updates = energies(cost)["synapses"], energies(cost)["neuron updates"]
    assert (synapses.low, synapses.high) == (66, 264)
    # at least the 18 updates that spiked were active: the others are idle
    assert (updates.low, updates.high) == (18 * 3 + 72 * 1, 270)


def test_measured_updates_replace_the_range(network, priced):
    measured = activity(network, updates={"n1": 30.0, "n3": 5.0})
    updates = energies(estimate(network, place(network, priced()), measured, chip_steps=True))["neuron updates"]
    assert updates.low == updates.typical == updates.high == 35 * 3 + 55 * 1


def test_input_values_are_priced_apart(network, priced):
    cost = estimate(network, place(network, priced()), activity(network, analog=True), chip_steps=True)
    assert cost.synops == 18
    assert cost.analog_operations == 48
    assert energies(cost)["input values"].typical == 480


def test_input_values_take_the_time_of_synaptic_operations(network, priced):
    """48 operations of values on the first core, 18 of spikes on the second."""
    traffic = estimate(network, place(network, priced()), activity(network, analog=True), chip_steps=True).traffic
    assert traffic.operations.tolist() == [48, 18]


def test_a_chip_runs_one_step_more_for_each_further_layer(network, priced):
    assert estimate(network, place(network, priced()), activity(network)).steps == 11


def test_an_unknown_price_leaves_the_total_open(network, priced):
    cost = estimate(network, place(network, priced(unknown=["energy.spike"])), activity(network))
    assert cost.energy_pj is None
    assert cost.power_mw is None
    assert cost.unpriced == ("spikes",)
    assert cost.energy_status is Status.UNKNOWN
    assert cost.priced_pj.typical > 0


def test_static_power_without_a_time_leaves_the_total_open(network, priced):
    cost = estimate(network, place(network, priced(unknown=["time.synaptic_operation"])), activity(network))
    assert cost.time_ns is None
    assert cost.unpriced == ("idle chips",)


def test_an_all_in_price_admits_no_other_term(network, priced):
    cost = estimate(network, place(network, priced(scope="all-in")), activity(network))
    assert [part.name for part in cost.parts] == ["synapses"]
    assert cost.energy_pj.typical == 66 * 2
    assert cost.synops_share == 1.0


def test_the_least_sure_price_gives_the_total_its_status(network, priced):
    cost = estimate(network, place(network, priced()), activity(network))
    assert cost.energy_status is Status.ESTIMATED


def test_power_throughput_and_energy_delay_follow_from_energy_and_time(network, priced):
    cost = estimate(network, place(network, priced()), activity(network), chip_steps=True)
    assert cost.time_ns.typical == pytest.approx(740)
    assert cost.sequential_per_s.typical == pytest.approx(1e9 / 740)
    assert cost.power_mw.typical == pytest.approx(cost.energy_pj.typical / 740)
    assert cost.energy_delay_pj_s.typical == pytest.approx(cost.energy_pj.typical * 740e-9)
    assert cost.power_mw.low <= cost.power_mw.typical <= cost.power_mw.high


def test_a_spike_to_two_cores_is_two_messages(network, priced):
    """At most two neurons a core: the last layer stands on two cores, the first on three."""
    cost = estimate(network, place(network, priced(neurons=2)), activity(network))
    assert cost.traffic.messages.sum() == 6 * 2
    assert cost.traffic.from_input.sum() == 8 * 3
    assert cost.traffic.sent.tolist() == [4, 4, 4, 0, 0]
    assert cost.traffic.received.tolist() == [8, 8, 8, 6, 6]
    assert cost.traffic.operations.tolist() == [16, 16, 16, 12, 6]


@pytest.mark.parametrize("prices", [("out",), ("in",), ("out", "in")])
def test_messages_are_counted_alike_whichever_end_has_a_price(build, chip_file, prices):
    """Six spikes to one core each; the 8 events of the input enter a core too, and are taken in."""
    net = build((4,), nir.Linear(np.ones((6, 4))), "lif", nir.Linear(np.ones((3, 6))), "lif")
    chip = load_profile(chip_file({f"energy.message_{end}": (7, "pJ") for end in prices}))
    (part,) = [part for part in estimate(net, place(net, chip), activity(net)).parts if part.name == "messages"]
    assert part.count == 6
    assert part.energy_pj.typical == sum({"out": 6 * 7, "in": (6 + 8) * 7}[end] for end in prices)


def test_activity_of_another_network_is_refused(network, priced):
    with pytest.raises(DataError, match=r"spikes of n1 have shape \(5,\), the layer has \(6,\)"):
        estimate(
            network,
            place(network, priced()),
            Activity({"input": np.ones(4), "n1": np.ones(5), "n3": np.ones(3)}, 10, analog_input=False),
        )


def test_an_energy_budget_is_held_against_the_high_end(network, priced):
    on_chip = OnChip(network, priced(), activity(network))
    spread = on_chip.cost.energy_pj
    assert parse_budget("3uJ").quantity.value(on_chip) == spread.high > spread.typical


@pytest.mark.parametrize("budget", ["3uJ", "power=20mW"])
def test_a_budget_without_prices_is_refused_naming_what_can_be_asked(network, budget):
    speck = load_profile("speck2f")
    cost = estimate(network, place(network, speck), activity(network))
    with pytest.raises(BudgetError, match=r"cannot be held on speck2f: no price for synapses.*ask for SynOps"):
        require_known(parse_budget(budget), speck, cost)


def test_a_memory_budget_is_not_held_where_it_is_not_known_how_synapses_lie_in_memory(network):
    """A single byte, of which a network with synapses would seem to take none."""
    budget, measured = parse_budget("synapse-memory=1B"), activity(network)
    for chip in map(load_profile, known_profiles()):
        on_chip = OnChip(network, chip, measured)
        (held,) = hold(on_chip, [budget])
        assert not held.kept
        if chip.synapses.packing is not None:
            assert held.use.used > 1
            require_known(budget, chip, on_chip.cost)
            continue
        assert "cannot be held: how synapses lie in memory is not known (synapses.packing" in held.text
        with pytest.raises(BudgetError, match=r"cannot be held.*synapses\.packing.*ask for SynOps") as refused:
            require_known(budget, chip, on_chip.cost)
        assert "ask for SynOps (120k or 50%), cores=4" in str(refused.value)
        assert "64KiB" not in str(refused.value)


def test_a_time_budget_without_times_is_refused(network):
    yardstick = load_profile("generic-45nm")
    cost = estimate(network, place(network, yardstick), activity(network))
    with pytest.raises(BudgetError, match=r"no time of a step.*energy \(3uJ\) instead"):
        require_known(parse_budget("2ms"), yardstick, cost)
    require_known(parse_budget("3uJ"), yardstick, cost)


def test_every_energy_on_loihi_2_says_that_it_is_an_estimate(network):
    cost = estimate(network, place(network, load_profile("loihi2")), activity(network))
    assert cost.energy_status is Status.ESTIMATED
    assert all(part.status is Status.ESTIMATED for part in cost.parts)  # idle power: by the estimated time
    assert cost.energy_pj.low < cost.energy_pj.typical < cost.energy_pj.high


def test_the_yardstick_prices_accumulates_and_multiply_accumulates_alone(network):
    cost = estimate(network, place(network, load_profile("generic-45nm")), activity(network, analog=True))
    assert cost.energy_pj.typical == pytest.approx(18 * 0.9 + 48 * 4.6)


def test_truenorth_costs_its_idle_power_and_2_3_pj_an_event(network):
    cost = estimate(network, place(network, load_profile("truenorth")), activity(network), chip_steps=True)
    assert cost.time_ns.typical == 10e6
    assert cost.energy_pj.typical == pytest.approx(66 * 2.3 + 64.4 * 10e6)


def test_a_price_that_is_a_minimum_makes_the_energy_a_lower_bound(network):
    loihi1 = estimate(network, place(network, load_profile("loihi1")), activity(network))
    assert loihi1.energy_at_least
    assert [part.name for part in loihi1.parts if part.at_least] == ["synapses"]
    nahuku = estimate(network, place(network, load_profile("loihi1-nahuku")), activity(network))
    assert not nahuku.energy_at_least


def test_an_update_with_one_price_only_names_that_price(network, priced):
    chip = priced(left_out=["energy.neuron_update_inactive"])
    cost = estimate(network, place(network, chip), activity(network), chip_steps=True)
    (part,) = [part for part in cost.parts if part.name == "neuron updates"]
    assert part.figures == ("energy.neuron_update_active",)
    assert part.energy_pj.low == part.energy_pj.high == 270
