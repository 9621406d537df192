"""Backends side by side: what is counted does not depend on how the samples are cut into batches."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_networks import Chain, each_neuron_its_own, recurrent, spike_input

import spear_deploy.backends.side_by_side as room
from spear_deploy.backends.backend import Executable
from spear_deploy.backends.fixed_point import LOIHI2
from spear_deploy.backends.fixed_point.backend import ChipBackend
from spear_deploy.backends.fixed_point.loihi import LoihiExecution, States
from spear_deploy.backends.torch import TorchBackend
from spear_deploy.data import EncodedSplit, Split, SplitName, encode
from spear_deploy.measure import measure
from spear_deploy.network import Encoding, ReadOut, Simulation
from spear_deploy.network.agreement import Place

SAMPLES = 24


def spiking(name="lif", **options):
    chain = Chain((8,), seed=3).linear("a", 10).neurons("first").linear("b", 6).neurons(name, **options)
    return chain.linear("c", 3).membranes("out").model(6, Encoding.SPIKES, ReadOut.MEMBRANE)


def data_of(model, samples=SAMPLES):
    labels = torch.arange(samples) % model.network.classes
    return EncodedSplit(SplitName.TEST, spike_input(model, samples), labels, analog=False)


def pieces(data, size):
    return [data.take(slice(start, start + size)) for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, SAMPLES])
def test_batches_of_any_size_give_the_same_measurement_states_and_differences(size):
    model = spiking(alpha=np.full(6, 0.5))
    data = data_of(model)
    backends = {
        "torch": TorchBackend().prepare(model),
        "loihi": ChipBackend(LOIHI2, data.inputs).prepare(model),
    }
    whole = room.simulate(model, backends, [data])
    cut = room.simulate(model, backends, pieces(data, size))
    assert cut.differences == whole.differences
    for name, result in whole.results.items():
        assert cut.results[name].states == result.states
        assert cut.results[name].losses == result.losses
        assert cut.results[name].measurement.layers == result.measurement.layers
    expected = measure(model, data.inputs, data.labels, analog_input=False, dtype=torch.float64)
    assert whole.results["torch"].measurement.layers == expected.layers
    assert whole.results["torch"].measurement.accuracy == expected.accuracy


@pytest.mark.parametrize("model", [spiking(), recurrent().model(), each_neuron_its_own().model()])
def test_states_are_watched_without_changing_a_spike(model):
    inputs = spike_input(model)
    simulation = Simulation(model.graph, torch.float64)
    largest = {}

    def see(layer, u, v):
        largest[layer] = max(largest.get(layer, -np.inf), float(v.max()))

    with torch.no_grad():
        plain, watched = simulation(inputs), simulation(inputs, watch=see)
    for name, output in plain.outputs.items():
        assert torch.equal(output, watched.outputs[name])
        if not model.network.neurons[name].spikes:
            assert largest[name] == float(output.max())
    assert set(largest) == set(model.network.layers)


def altered(ready, layer, place, value):
    """A backend that sends something else in one place of its second batch."""
    batch = []

    class Altered(Executable):
        def run(self, inputs, **options):
            found = ready.run(inputs, **options)
            batch.append(inputs)
            outputs = {name: output.clone() for name, output in found.outputs.items()}
            if len(batch) == 2:
                outputs[layer][place] = value
            return replace(found, outputs=outputs)

    return Altered()


def test_the_first_difference_names_layer_step_sample_and_neuron():
    model = spiking()
    data = data_of(model)
    ready = TorchBackend().prepare(model)
    other = altered(ready, "lif", (4, 2, 5), 1.0 - ready.run(data.inputs).outputs["lif"][4, 12, 5])
    (found,) = room.simulate(model, {"a": ready, "b": other}, pieces(data, 10)).differences
    assert found.agreement.first_difference == Place("lif", step=4, sample=12, neuron=5)
    assert [each.differing for each in found.agreement.layers.values()] == [0, 1, 0]
    spikes = found.agreement.layers["lif"].spikes
    assert abs(spikes[1] - spikes[0]) == 1


def test_membranes_that_differ_in_the_last_place_are_equal():
    model = spiking()
    data = data_of(model)
    ready = TorchBackend().prepare(model)
    membrane = ready.run(data.inputs).outputs["out"][3, 11, 1]
    near = altered(ready, "out", (3, 1, 1), membrane * (1 + 1e-13))
    far = altered(ready, "out", (3, 1, 1), membrane + 1e-3)
    assert room.simulate(model, {"a": ready, "b": near}, pieces(data, 10)).equal
    assert not room.simulate(model, {"a": ready, "b": far}, pieces(data, 10)).equal


def test_headroom_is_what_the_membrane_left_of_its_range_before_its_reset():
    chain = Chain((4,), seed=0).linear("a", 3, bias=False, zeros=0).neurons("lif")
    model = chain.model(3, Encoding.SPIKES)
    model.graph.nodes["a"].weight[:] = 1.0
    data = data_of(model, 6)
    ready = ChipBackend(LOIHI2, data.inputs).prepare(model)
    losses = room.observe("loihi", ready, model, data).losses
    states = States()
    LoihiExecution(ready.integers).run(data.inputs, watch=states)
    u, v, keep = states.u["lif"].numpy(), states.v["lif"].numpy(), (4096 - ready.integers.layers[0].dv) / 4096
    before = np.concatenate([np.zeros_like(v[:1]), v[:-1]])
    peak = np.abs(np.trunc(keep * before) + u).max()
    assert peak > np.abs(v).max()  # the largest membranes fire, and are reset
    assert losses[0].headroom == pytest.approx(1 - peak / 2**23)
    assert losses[0].headroom_bits == pytest.approx(23 - np.log2(peak))


@pytest.mark.parametrize("encoding", ["direct", "rate"])
def test_encoding_in_batches_draws_what_encoding_the_whole_does(encoding, monkeypatch):
    model = replace(Chain((1, 4, 4)).conv("conv", 2).neurons("lif").model(5), encoding=Encoding(encoding))
    x = torch.rand(30, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    split = Split(SplitName.TEST, x, torch.zeros(30, dtype=torch.int64), "made up", np.arange(100, 130))
    monkeypatch.setattr(room, "samples_at_once", lambda network, time_steps: 7)
    parts = list(room.encoded_batches(model, split, seed=3))
    assert [len(part) for part in parts] == [7, 7, 7, 7, 2]
    whole = encode(split, encoding, 5, seed=3)
    assert torch.equal(torch.cat([part.inputs for part in parts], dim=1), whole.inputs)
