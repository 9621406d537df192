from dataclasses import replace

import nir
import numpy as np
import pytest
import torch

from spear_deploy.backends.backend import measure_on
from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.backends.registry import arithmetic_of
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.hardware import OnChip, activity_of, load_profile
from spear_deploy.hardware.cost.activity import synaptic_operations
from spear_deploy.measure import SynopsCounter, measure_outputs
from spear_deploy.network import Model, ReadOut, Simulation


@pytest.fixture
def simulated(build):
    rng = np.random.default_rng(2)
    layer = nir.Conv2d(None, rng.normal(size=(3, 2, 3, 3)), 1, 1, 1, 1, np.zeros(3))
    flat = nir.Flatten({"input": np.array([3, 5, 5])}, 0, -1)
    network = build((2, 5, 5), layer, "lif", flat, nir.Linear(rng.normal(size=(4, 75))), "lif")
    inputs = torch.from_numpy((rng.random((6, 8, 2, 5, 5)) < 0.4).astype(np.float32))
    with torch.no_grad():
        trace = Simulation(network.graph)(inputs)
    return network, inputs, trace


def activity_seen(network, inputs, trace, *, analog_input):
    read_out = ReadOut.COUNT if network.neurons[network.read_out].spikes else ReadOut.MEMBRANE
    model = Model(network.graph, len(inputs), read_out=read_out)
    labels = torch.zeros(inputs.shape[1], dtype=torch.int64)
    found = measure_outputs(model, inputs, trace.outputs, labels, analog_input=analog_input)
    return activity_of(found, len(inputs), analog_input=analog_input)


def test_activity_is_the_mean_number_of_spikes_of_each_neuron(simulated):
    network, inputs, trace = simulated
    activity = activity_seen(network, inputs, trace, analog_input=False)
    assert activity.time_steps == 6
    for layer in network.layers:
        np.testing.assert_allclose(activity.spikes[layer], trace.outputs[layer].sum(0).mean(0).numpy())
    assert activity.spikes["input"].sum() == pytest.approx(float(inputs.sum()) / 8)


@pytest.mark.parametrize("analog", [True, False])
def test_its_synaptic_operations_are_those_that_are_counted_everywhere_else(simulated, analog):
    network, inputs, trace = simulated
    seen = activity_seen(network, inputs, trace, analog_input=analog)
    counted = SynopsCounter(network).count(inputs, trace.outputs, analog_input=analog)
    of_spikes_alone = replace(seen, mean_synops=None, mean_analog_operations=None)
    for activity in (seen, of_spikes_alone):
        spikes, values = synaptic_operations(network, activity)
        assert spikes == pytest.approx(float(counted.total.mean()))
        assert values == pytest.approx(float(counted.analog.mean()))


@pytest.mark.parametrize("analog", [True, False])
def test_energy_counts_the_synapses_that_rounding_left(simulated, analog):
    """Weights of two bits: most become 0, and a chip's SynOps do not hold them."""
    network, inputs, _ = simulated
    model, chip = Model(network.graph, len(inputs)), load_profile("loihi2")
    given = inputs * 7 if analog else inputs
    data = EncodedSplit(SplitName.TEST, given, torch.zeros(inputs.shape[1], dtype=torch.int64), analog=analog)
    measured = measure_on(arithmetic_of(chip, data, WeightBits(2)), model, data)
    activity = activity_of(measured, len(inputs), analog_input=analog)
    cost = OnChip(network, chip, activity).cost
    assert (cost.synops, cost.analog_operations) == (measured.synops, measured.synops_analog)
    every, values = synaptic_operations(network, replace(activity, mean_synops=None))
    assert measured.synops + measured.synops_analog < 0.9 * (every + values)


def test_a_read_out_without_threshold_fires_no_spikes(build):
    ones = np.ones(3)
    read_out = nir.LI(tau=ones * 2e-4, r=ones, v_leak=ones * 0, metadata={"dt": 1e-4})
    network = build((2,), nir.Linear(np.ones((3, 2))), read_out)
    inputs = torch.ones((4, 1, 2))
    trace = Simulation(network.graph)(inputs)
    activity = activity_seen(network, inputs, trace, analog_input=False)
    assert activity.spikes["n1"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("analog", [True, False])
def test_silenced_it_costs_what_the_network_costs_with_thresholds_that_nothing_reaches(simulated, analog):
    network, inputs, trace = simulated
    nothing = {name: torch.zeros_like(each) for name, each in trace.outputs.items()}
    silent = activity_seen(network, inputs, replace(trace, outputs=nothing), analog_input=analog)
    silenced = activity_seen(network, inputs, trace, analog_input=analog).silenced(network, {network.input})
    chip = load_profile("loihi2")
    expected, found = (OnChip(network, chip, activity).cost for activity in (silent, silenced))
    assert found.energy_pj.high == pytest.approx(expected.energy_pj.high)
    assert found.time_ns.high == pytest.approx(expected.time_ns.high)
    assert found.synops == pytest.approx(expected.synops)
    assert found.synops == 0 if analog else found.synops > 0
