"""What lies beside the cores: counted always, priced where a profile has a price, in totals of its own."""

import nir
import numpy as np
import pytest

from spear_deploy.hardware import Activity, estimate, load_profile, place
from spear_deploy.hardware.chip.figures import Spread
from spear_deploy.hardware.cost.input_output import outside_of

STEPS = 5
SPIKES_IN = 4.0  # of each of two inputs in an inference


@pytest.fixture
def cost(build, tmp_path):
    """Two inputs and two neurons on a chip with the given figures; 100 mW at rest, a step of 1 us."""

    def make(**figures):
        network = build((2,), nir.Linear(np.eye(2)), "lif")
        text = 'name = "mine"\ntitle = "Mine"\n'
        known = {
            "energy.synaptic_operation": (1, "pJ"),
            "energy.static_per_chip": (100, "mW"),
            "time.step": (1, "us"),
        } | {key.replace("__", "."): figure for key, figure in figures.items()}
        for key, (value, unit) in known.items():
            text += f'[{key}]\nvalue = {value}\nunit = "{unit}"\nstatus = "published"\nsource = "made"\n'
        (tmp_path / "mine.toml").write_text(text)
        spikes = {network.input: np.full(2, SPIKES_IN), **{layer: np.zeros(2) for layer in network.layers}}
        activity = Activity(spikes, STEPS, analog_input=False)
        return estimate(network, place(network, load_profile(tmp_path / "mine.toml")), activity)

    return make


def test_what_has_no_price_is_counted_and_named(cost):
    found = cost()
    injection, host = found.outside.terms
    assert (injection.count, injection.unit, host.count, host.unit) == (2 * SPIKES_IN, "events", STEPS, "steps")
    assert found.outside.missing == ("time.input_event", "energy.input_event", "time.host_step", "energy.host_step")
    assert found.outside.time_ns == found.time_ns
    assert found.outside.energy_pj == found.energy_pj


def test_what_has_a_price_is_added_and_the_chip_waits_for_it_at_rest(cost):
    found = cost(
        time__input_event=(300, "ns"),
        energy__input_event=(20, "pJ"),
        time__host_step=(2, "us"),
        energy__host_step=(1, "nJ"),
    )
    outside, events = found.outside, 2 * SPIKES_IN
    more_ns = events * 300 + STEPS * 2000
    assert outside.missing == ()
    assert outside.time_ns.typical == pytest.approx(STEPS * 1000 + more_ns)
    assert outside.energy_pj.typical == pytest.approx(
        found.energy_pj.typical + events * 20 + STEPS * 1000 + 100 * more_ns
    )
    assert found.time_ns.typical == pytest.approx(STEPS * 1000)  # without I/O nothing changes


BESIDE = {"energy.input_event": (1, "nJ"), "energy.host_step": (1, "uJ")}
TIMES_BESIDE = {"time.input_event": (1, "ns"), "time.host_step": (1, "us")}


@pytest.fixture
def unmade(build, chip_file):
    """Two inputs and two neurons at 2 pJ a SynOp on a chip with no time of a step."""

    def make(figures):
        network = build((2,), nir.Linear(np.eye(2)), "lif")
        spikes = {network.input: np.full(2, SPIKES_IN), **{layer: np.zeros(2) for layer in network.layers}}
        chip = load_profile(chip_file({"energy.synaptic_operation": (2, "pJ")} | figures))
        return estimate(network, place(network, chip), Activity(spikes, STEPS, analog_input=False))

    return make


@pytest.mark.parametrize("times", [{}, {"time.input_event": (1, "ns")}, TIMES_BESIDE])
@pytest.mark.parametrize("idle", [{}, {"energy.static_per_chip": (0, "mW")}])
def test_what_events_and_host_steps_cost_is_in_the_energy_whatever_is_known_of_times(unmade, times, idle):
    found = unmade(BESIDE | times | idle)
    assert (found.time_ns, found.outside.time_ns) == (None, None)
    assert found.energy_pj.typical == 2 * 2 * SPIKES_IN
    assert found.outside.energy_pj.typical == 2 * 2 * SPIKES_IN + 2 * SPIKES_IN * 1e3 + STEPS * 1e6
    assert found.outside.missing == tuple(key for key in TIMES_BESIDE if key not in times)


def test_idle_power_for_a_time_that_is_not_known_leaves_the_energy_with_input_and_output_open(unmade):
    found = unmade(BESIDE | TIMES_BESIDE | {"energy.static_per_chip": (3, "mW")})
    assert (found.energy_pj, found.outside.energy_pj) == (None, None)
    assert found.unpriced_text == "no time of a step for idle chips"
    assert outside_of(load_profile("loihi1"), static_mw=Spread(0, 1, 1), **NO_TIME).energy_pj is None


NO_TIME = {"input_events": 1, "steps": 1, "time_ns": None, "energy_pj": Spread(1, 1, 1)}


@pytest.mark.parametrize(
    "key", ["energy.input_event", "time.host_step", "time.step", "energy.static_per_chip", "energy.synaptic_operation"]
)
def test_a_price_that_is_a_minimum_makes_what_it_is_in_a_lower_bound(build, tmp_path, chip_file, key):
    network = build((2,), nir.Linear(np.eye(2)), "lif")
    spikes = {network.input: np.full(2, SPIKES_IN), **{layer: np.zeros(2) for layer in network.layers}}
    steps = {"time.step": (1, "us"), "energy.static_per_chip": (3, "mW"), "energy.synaptic_operation": (2, "pJ")}
    file = chip_file(BESIDE | TIMES_BESIDE | steps)

    def told(bound):
        chip = tmp_path / "bound.toml"
        chip.write_text(file.read_text().replace(f"[{key}]\n", f'[{key}]\nbound = "{bound}"\n'))
        cost = estimate(network, place(network, load_profile(chip)), Activity(spikes, STEPS, analog_input=False))
        return cost.energy_at_least, cost.timing.at_least, cost.outside.at_least

    beside = key in BESIDE | TIMES_BESIDE
    assert told("exact") == (False, False, False)
    assert told("minimum") == (not beside, key == "time.step", beside)


def test_at_the_low_end_input_and_output_overlap_with_the_cores(cost):
    outside = cost(time__host_step=(3, "us")).outside
    assert outside.time_ns.low == pytest.approx(STEPS * 3000)
    assert outside.time_ns.high == pytest.approx(STEPS * 4000)


def test_the_processor_beside_the_cores_is_in_no_total(cost):
    with_it, without = cost(energy__embedded_processor=(1560, "mW")), cost()
    assert with_it.outside.processor_pj.typical == pytest.approx(1560 * STEPS * 1000)
    assert with_it.outside.energy_pj == without.outside.energy_pj


def test_more_chips_take_longer_to_synchronise(build, tmp_path):
    """Loihi 1: 16.2 us on 768 chips (Frady et al. 2020), in proportion to their number below."""
    network = build((300,), nir.Linear(np.ones((300, 300))), "lif")
    spikes = {network.input: np.zeros(300), **{layer: np.zeros(300) for layer in network.layers}}
    times = {}
    for neurons in (300, 1):  # one core, or three chips of 128
        (tmp_path / "small.toml").write_text(
            'name = "small"\ntitle = "Small cores"\ninherits = "loihi1"\n'
            f'[core.neurons]\nvalue = {neurons}\nunit = "neurons"\nstatus = "estimated"\nsource = "made"\n'
        )
        placement = place(network, load_profile(tmp_path / "small.toml"))
        timing = estimate(network, placement, Activity(spikes, 1, analog_input=False)).timing
        times[placement.chips_needed] = timing.term("barrier").time_ns.typical
    assert times[1] < 465
    assert times[3] == pytest.approx(465 + 2 / 767 * (16_200 - 465))


def test_a_message_between_chips_has_an_energy_and_a_time_of_its_own(build, tmp_path):
    network = build((4,), nir.Linear(np.ones((4, 4))), "lif", nir.Linear(np.ones((4, 4))), "lif")
    spikes = {name: np.full(4, 2.0) for name in (network.input, *network.layers)}
    (tmp_path / "small.toml").write_text(
        'name = "small"\ntitle = "Small"\ninherits = "loihi1"\n'
        '[core.neurons]\nvalue = 4\nunit = "neurons"\nstatus = "estimated"\nsource = "made"\n'
        + "".join(
            f'[chip.{key}]\nvalue = 1\nunit = "{unit}"\nstatus = "estimated"\nsource = "made"\n'
            for key, unit in (
                ("cores_per_chip", "cores"),
                ("router_columns", "routers"),
                ("router_rows", "routers"),
                ("cores_per_router", "cores"),
            )
        )
        + '[energy.message_between_chips]\nvalue = 100\nunit = "pJ"\nstatus = "estimated"\nsource = "made"\n'
        '[time.message_between_chips]\nvalue = 9\nunit = "us"\nstatus = "estimated"\nsource = "made"\n'
    )
    placement = place(network, load_profile(tmp_path / "small.toml"))
    cost = estimate(network, placement, Activity(spikes, 1, analog_input=False))
    assert not cost.links_unpriced
    part = next(part for part in cost.parts if part.name == "messages between chips")
    # Eight spikes of the first layer on one chip, each one message to the second layer on the other.
    assert (part.count, part.energy_pj.typical) == (8, 800)
    assert cost.timing.term("busiest link of chips").time_ns.typical == pytest.approx(9000 * 8 / cost.timing.steps)
    assert cost.timing.latency.mean.typical > 72_000


def test_a_price_that_holds_every_other_cost_holds_that_of_messages_between_chips(build, tmp_path):
    network = build((4,), nir.Linear(np.ones((4, 4))), "lif", nir.Linear(np.ones((4, 4))), "lif")
    spikes = {name: np.full(4, 2.0) for name in (network.input, *network.layers)}
    told = {}
    for scope in ("per operation", "all-in"):
        figures = {"core.neurons": (4, "neurons"), "chip.cores_per_chip": (1, "cores"), "chip.chips": (4, "chips")}
        figures |= {"energy.scope": (f'"{scope}"', "name"), "energy.synaptic_operation": (3, "pJ")}
        (tmp_path / "chips.toml").write_text(
            'name = "chips"\ntitle = "Chips"\n'
            + "".join(
                f'[{key}]\nvalue = {value}\nunit = "{unit}"\nstatus = "estimated"\nsource = "made"\n'
                for key, (value, unit) in figures.items()
            )
        )
        placement = place(network, load_profile(tmp_path / "chips.toml"))
        assert placement.chips_needed == 2
        told[scope] = estimate(network, placement, Activity(spikes, 1, analog_input=False)).energy_at_least
    assert told == {"per operation": True, "all-in": False}
