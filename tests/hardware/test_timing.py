"""Time step by step, held against a walk over every sample, step, core, synapse and link."""

from collections import Counter
from dataclasses import replace

import nir
import numpy as np
import pytest
import torch

from spear_deploy.hardware import QUANTITIES, Activity, Limit, OnChip, Use, activity_of, estimate, load_profile, place
from spear_deploy.measure import measure_outputs
from spear_deploy.network import Model, synapse_matrix

rng = np.random.default_rng(5)


def dense(outputs, inputs, present=1.0):
    return nir.Linear(rng.uniform(0.1, 1, (outputs, inputs)) * (rng.random((outputs, inputs)) < present))


def conv(outputs, inputs, stride=1):
    weight = rng.uniform(0.1, 1, (outputs, inputs, 3, 3))
    return nir.Conv2d(None, weight, stride, 1, 1, 1, bias=np.zeros(outputs))


def flatten(*shape):
    return nir.Flatten({"input": np.array(shape)}, 0, -1)


# shape, nodes, loops, neurons a core may hold
NETWORKS = {
    "one layer": ((6,), [dense(5, 6), "lif"], [], 2),
    "dense layers": ((9,), [dense(12, 9), "lif", dense(8, 12), "lif", dense(4, 8), "lif"], [], 4),
    "sparse weights": ((9,), [dense(14, 9, 0.3), "lif", dense(6, 14, 0.2), "lif"], [], 3),
    "convolutions": (
        (2, 6, 6),
        [conv(3, 2), "lif", conv(4, 3, stride=2), "lif", flatten(4, 3, 3), dense(5, 36), "lif"],
        [],
        20,
    ),
    "a loop": ((7,), [dense(10, 7), "lif", dense(4, 10), "lif"], [("n1", dense(10, 10, 0.4))], 3),
    "several chips": ((9,), [dense(12, 9), "lif", dense(8, 12), "lif", dense(4, 8), "lif"], [], 3),
}
CORES_PER_CHIP = {"several chips": 3}
COLUMNS = 4
TIMES = {
    "neuron_update_active": (4.0, 5.0, 7.0),
    "neuron_update_inactive": (2.0, 3.0, 3.5),
    "spike": (1.0, 2.0, 6.0),
    "message_out": (3.0, 4.0, 5.0),
    "synaptic_operation": (0.6, 1.1, 1.9),
    "memory_read": (0.3, 0.9, 1.0),
    "message_in": (5.0, 8.0, 9.0),
    "hop_horizontal": (2.0, 3.0, 4.0),
    "hop_vertical": (5.0, 6.0, 7.0),
    "message_between_chips": (20.0, 25.0, 40.0),
    "barrier": (9.0, 11.0, 14.0),
    "step_floor": (30.0, 60.0, 90.0),
}
LINK_NS = 10.0


@pytest.fixture
def chip(tmp_path):
    """Every time known, and cores of a few neurons, two at a router."""

    def make(neurons, left_out=(), cores_per_chip=64):
        figures = {
            "chip.cores_per_chip": (cores_per_chip, "cores"),
            "chip.chips": (9, "chips"),
            "chip.router_columns": (COLUMNS, "routers"),
            "chip.router_rows": (8, "routers"),
            "chip.cores_per_router": (2, "cores"),
            "core.neurons": (neurons, "neurons"),
            "synapses.packing": ('"plain"', "name"),
            "synapses.weight_bits": (8, "bit"),
            "time.router_rate": (1e9 / LINK_NS, "1/s"),
        }
        lines = ['name = "timed"\ntitle = "Timed"']
        lines += [f'[{key}]\nvalue = {value}\nunit = "{unit}"' for key, (value, unit) in figures.items()]
        lines += [
            f'[time.{key}]\nlow = {low}\nvalue = {value}\nhigh = {high}\nunit = "ns"'
            for key, (low, value, high) in TIMES.items()
            if key not in left_out
        ]
        path = tmp_path / "timed.toml"
        path.write_text("\n".join(f'{line}\nstatus = "published"\nsource = "test"' for line in lines[1:]))
        path.write_text(f"{lines[0]}\n{path.read_text()}")
        return load_profile(path)

    return make


def recorded(network, time_steps=5, samples=4, firing=0.3):
    """Random spikes of every layer, new in every step, and the activity that was measured of them."""
    generator = torch.Generator().manual_seed(3)
    shapes = {name: network.shapes[name] for name in (network.input, *network.layers)}
    spikes = {
        name: torch.rand((time_steps, samples, *shape), generator=generator) < firing for name, shape in shapes.items()
    }
    inputs = spikes.pop(network.input)
    labels = torch.zeros(samples, dtype=torch.int64)
    found = measure_outputs(Model(network.graph, time_steps), inputs, spikes, labels, analog_input=False)
    return {network.input: inputs, **spikes}, activity_of(found, time_steps, analog_input=False)


class Walk:
    """Every sample, step, core, synapse and link, one by one."""

    def __init__(self, network, placement, core_map, spikes):
        self.network, self.placement, self.places, self.spikes = network, placement, core_map.place, spikes
        self.delay = {network.input: 0} | {layer: number for number, layer in enumerate(network.layers)}
        self.core_of = {}
        for layer in network.layers:
            shape = network.shapes[layer]
            numbers = np.arange(int(np.prod(shape))).reshape(shape if len(shape) == 3 else (shape[0], 1, 1))
            for number, core in enumerate(placement.cores):
                if core.layer == layer:
                    self.core_of |= {(layer, int(each)): number for each in numbers[core.tile.slices].ravel()}
        self.neurons = Counter(self.core_of.values())
        self.synapses = {each: synapse_matrix(network, each).toarray() != 0 for each in network.connections}
        self.time_steps, self.samples = spikes[network.input].shape[:2]
        self.crossed = 0

    def fired(self, name, time, sample):
        return np.flatnonzero(self.spikes[name][time, sample].numpy().ravel())

    def step(self, running):
        """Low, typical and high of one step; `running` says which (time, sample) each source is at, if any."""
        spikes, sent, received, operations = Counter(), Counter(), Counter(), Counter()
        links, ways, over = Counter(), [(0, 0)], Counter()
        for name, (time, sample) in running.items():
            for neuron in self.fired(name, time, sample):
                own = self.core_of.get((name, int(neuron)))
                spikes[own] += 1
                for connection, present in self.synapses.items():
                    if connection.source != name:
                        continue
                    reached = Counter(
                        self.core_of[connection.target, int(j)] for j in np.flatnonzero(present[:, neuron])
                    )
                    for core, count in reached.items():
                        operations[core] += count
                        received[core] += 1
                        if own is not None:
                            sent[own] += 1
                            ways.append(self.travel(own, core, links))
                            chips = tuple(int(self.places[each][0]) // COLUMNS for each in (own, core))
                            over[chips] += chips[0] != chips[1]
        busiest, crossed = (max(each.values(), default=0) for each in (links, over))
        self.crossed = max(crossed, self.crossed)
        return [self.price(case, spikes, sent, received, operations, busiest, crossed, ways) for case in range(3)]

    def travel(self, own, core, links):
        at, end = list(self.places[own]), self.places[core]
        far = (abs(at[0] - end[0]), abs(at[1] - end[1]))
        for axis in (0, 1):
            while at[axis] != end[axis]:
                before = tuple(at)
                at[axis] += np.sign(end[axis] - at[axis])
                links[before, tuple(at)] += 1
        return far

    def price(self, case, spikes, sent, received, operations, busiest, crossed, ways):
        t = {key: values[case] for key, values in TIMES.items()}
        terms, pace = [], 0.0
        for core, neurons in self.neurons.items():
            active = spikes[core] if case == 0 else neurons
            update = active * t["neuron_update_active"] + (neurons - active) * t["neuron_update_inactive"]
            out = spikes[core] * t["spike"] + sent[core] * t["message_out"]
            add, read = operations[core] * t["synaptic_operation"], operations[core] * t["memory_read"]
            look_up = received[core] * t["message_in"]
            terms += [update, out, add, read, look_up]
            neuron, synapse = update + out, add + read + look_up
            pace = max(pace, max(neuron, synapse) if case == 1 else neuron + synapse)
        # the farthest message is that of typical times
        far = max(ways, key=lambda hops: hops[0] * TIMES["hop_horizontal"][1] + hops[1] * TIMES["hop_vertical"][1])
        way = far[0] * t["hop_horizontal"] + far[1] * t["hop_vertical"]
        links = max(busiest * LINK_NS, crossed * t["message_between_chips"])
        if case == 0:
            return max(*terms, links, way, t["barrier"], t["step_floor"])
        return max(max(pace, links) + way + t["barrier"], t["step_floor"])

    def latency(self, sample):
        """The steps of one inference alone, added up."""
        total = np.zeros(3)
        for step in range(self.time_steps + max(self.delay.values())):
            at = {name: step - late for name, late in self.delay.items()}
            total += self.step({name: (time, sample) for name, time in at.items() if 0 <= time < self.time_steps})
        return total

    def interval(self):
        """Samples in a circle, one behind the other without a gap, per sample."""
        every = self.samples * self.time_steps
        total = np.zeros(3)
        for step in range(every):
            at = {name: (step - late) % every for name, late in self.delay.items()}
            total += self.step({name: (time % self.time_steps, time // self.time_steps) for name, time in at.items()})
        return total / self.samples


def values(spread):
    return [spread.low, spread.typical, spread.high]


@pytest.fixture(params=NETWORKS)
def walked(request, build, chip):
    shape, nodes, loops, neurons = NETWORKS[request.param]
    network = build(shape, *nodes, loops=loops)
    placement = place(network, chip(neurons, cores_per_chip=CORES_PER_CHIP.get(request.param, 64)))
    spikes, activity = recorded(network)
    cost = estimate(network, placement, activity)
    return cost.timing, Walk(network, placement, cost.core_map, spikes)


def test_the_latency_is_the_sum_of_each_step_s_busiest_core_or_link(walked):
    timing, walk = walked
    each = np.array([walk.latency(sample) for sample in range(walk.samples)])
    np.testing.assert_allclose(values(timing.latency.mean), each.mean(0))
    np.testing.assert_allclose(values(timing.latency.worst), each.max(0))
    np.testing.assert_allclose(values(timing.latency.p99), each.max(0))
    assert timing.samples == walk.samples


def test_a_full_pipeline_works_on_two_samples_at_once(walked):
    timing, walk = walked
    np.testing.assert_allclose(values(timing.interval_ns), walk.interval())
    assert timing.interval_ns.typical <= timing.latency.mean.typical + 1e-9


def test_steps_are_timed_alike_however_many_samples_a_block_holds(walked, build, chip, monkeypatch):
    timing, walk = walked
    monkeypatch.setattr("spear_deploy.hardware.cost.work._BLOCK_BYTES", 1)
    again = estimate(walk.network, walk.placement, recorded(walk.network)[1])
    np.testing.assert_allclose(values(again.timing.latency.mean), values(timing.latency.mean))
    np.testing.assert_allclose(values(again.timing.interval_ns), values(timing.interval_ns))


def test_means_alone_give_a_lower_bound(build, chip):
    shape, nodes, loops, neurons = NETWORKS["dense layers"]
    network = build(shape, *nodes, loops=loops)
    _, activity = recorded(network)
    placement = place(network, chip(neurons))
    exact = estimate(network, placement, activity).timing
    bound = estimate(network, placement, replace(activity, record=None)).timing
    assert bound.at_least
    assert not exact.at_least
    assert bound.latency.mean.typical < exact.latency.mean.typical
    assert bound.interval_ns.typical < exact.interval_ns.typical


def test_a_network_that_is_silent_but_for_one_burst_pays_for_the_burst(build, chip):
    """Two cores that work in turn: the mean of each is half of what every step waits for."""
    network = build((2,), nir.Linear(np.eye(2)), "lif", nir.Linear(np.eye(2)), "lif")
    steps = torch.zeros((2, 1, 2), dtype=torch.bool)
    steps[0, 0, 0] = steps[1, 0, 1] = True
    silent = torch.zeros_like(steps)
    labels = torch.zeros(1, dtype=torch.int64)
    found = measure_outputs(
        Model(network.graph, 2), steps, dict.fromkeys(network.layers, silent), labels, analog_input=False
    )
    activity = activity_of(found, 2, analog_input=False)
    cost = estimate(network, place(network, chip(1)), activity, chip_steps=True)
    bound = estimate(network, place(network, chip(1)), replace(activity, record=None), chip_steps=True)
    assert cost.timing.term("synaptic operations").count == 1.0
    assert bound.timing.term("synaptic operations").count == 0.5


def test_budgets_speak_of_the_busiest_core_and_of_latency_and_throughput_at_their_unfavourable_end(build, chip):
    shape, nodes, loops, neurons = NETWORKS["dense layers"]
    network = build(shape, *nodes, loops=loops)
    _, activity = recorded(network)
    on_chip = OnChip(network, chip(neurons), activity)
    timing = on_chip.cost.timing
    assert QUANTITIES["latency"].value(on_chip) == timing.latency.mean.high
    assert QUANTITIES["throughput"].value(on_chip) == pytest.approx(1e9 / timing.interval_ns.high)
    assert QUANTITIES["core-step"].value(on_chip) == timing.term("synaptic operations").worst
    few = Limit(QUANTITIES["throughput"], 1e9 / timing.interval_ns.typical, "budget")
    assert Use(few, QUANTITIES["throughput"].value(on_chip)).overshoot > 0  # typically kept, not for sure


def test_the_busiest_core_does_at_most_what_the_whole_network_does_in_its_busiest_step(build, chip):
    shape, nodes, loops, neurons = NETWORKS["dense layers"]
    network = build(shape, *nodes, loops=loops)
    _, activity = recorded(network)
    one_core = estimate(network, place(network, chip(1000)), activity, chip_steps=True).timing
    many = estimate(network, place(network, chip(neurons)), activity, chip_steps=True).timing
    assert many.term("synaptic operations").worst < one_core.term("synaptic operations").worst
    assert one_core.term("synaptic operations").worst <= activity.busiest_step_synops


def test_a_term_without_a_time_is_counted_and_named(build, chip):
    shape, nodes, loops, neurons = NETWORKS["dense layers"]
    network = build(shape, *nodes, loops=loops)
    _, activity = recorded(network)
    whole = estimate(network, place(network, chip(neurons)), activity).timing
    lacking = estimate(network, place(network, chip(neurons, left_out=("memory_read",))), activity).timing
    reads = lacking.term("synapse-memory reads")
    assert (reads.time_ns, reads.missing) == (None, ("time.memory_read",))
    assert reads.count == whole.term("synapse-memory reads").count > 0
    assert lacking.unpriced == (reads,)
    assert lacking.latency.mean.typical < whole.latency.mean.typical


def test_messages_between_chips_are_counted_and_a_bound_where_they_have_no_price(build, chip):
    shape, nodes, loops, neurons = NETWORKS["several chips"]
    network = build(shape, *nodes, loops=loops)
    spikes, activity = recorded(network)
    unpriced = chip(neurons, ("message_between_chips",), CORES_PER_CHIP["several chips"])
    placement = place(network, unpriced)
    assert placement.chips_needed > 1
    cost = estimate(network, placement, activity)
    walk = Walk(network, placement, cost.core_map, spikes)
    for sample in range(walk.samples):
        walk.latency(sample)
    link = cost.timing.term("busiest link of chips")
    assert (link.worst, link.time_ns, link.missing) == (walk.crossed, None, ("time.message_between_chips",))
    assert cost.energy_at_least  # no price for them either
    one = estimate(network, place(network, chip(neurons)), activity)
    assert not one.energy_at_least
    assert "busiest link of chips" not in [term.name for term in one.timing.terms]


def test_a_spike_reads_its_whole_list_in_words_of_64_bits(build, tmp_path):
    """Loihi's dense list of 64 8-bit weights: 64 x 8 + 10 bits are 9 words, read however few are used."""
    network = build((1,), nir.Linear(np.ones((64, 1))), "lif")
    events = {network.input: np.ones(1), "n1": np.zeros(64)}
    cost = estimate(network, place(network, load_profile("loihi1")), Activity(events, 1, analog_input=False))
    assert cost.timing.term("synapse-memory reads").worst == 9
