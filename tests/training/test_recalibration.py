from pathlib import Path

import numpy as np
import pytest
import torch
from made_networks import ALL, Chain, analog_input, plain, pooled, recurrent

from spear_deploy.data import encode, load_data
from spear_deploy.network import Simulation, load_any
from spear_deploy.network import simulation as simulation_room
from spear_deploy.pruning import channel_groups, choose_channels, kept_by_layer, prune
from spear_deploy.training import current_statistics, recalibrate, recalibration


def recalibrated(model, x, ratio=0.6):
    """A pruned network before and after recalibration, its trace, and the channels kept by layer."""
    network, groups = model.network, channel_groups(model.network)
    chosen = choose_channels(network, groups, {group.name: ratio for group in groups})
    pruned = prune(network, groups, chosen)
    keep = kept_by_layer(network, groups, chosen)
    graph, trace = recalibrate(pruned, current_statistics(Simulation(model.graph), x), keep, x)
    return pruned, graph, trace, keep


def currents_into(graph, layer, x):
    """Input currents of a dense layer fed by the layer before it, `[T * B, N]`, in numpy."""
    names = list(graph.nodes)
    weights = graph.nodes[names[names.index(layer) - 1]]
    source = names[names.index(layer) - 2]
    with torch.no_grad():
        given = x if source == "input" else Simulation(graph)(x).outputs[source]
    return given.numpy().reshape(-1, given.shape[2]).astype(np.float64) @ weights.weight.T + weights.bias


@pytest.fixture(params=["held", "computed twice"])
def currents_are(request, monkeypatch):
    """Whether what a layer receives stands in memory for all samples, or for some at a time."""
    if request.param == "computed twice":
        monkeypatch.setattr(simulation_room, "HELD_CURRENTS", 0)


@pytest.mark.usefixtures("currents_are")
@pytest.mark.parametrize("layer", ["a", "b"])
def test_each_channel_receives_the_dense_currents_mean_and_deviation_again(layer):
    model = plain().model()
    x = analog_input(model, samples=50).float()
    pruned, graph, _, keep = recalibrated(model, x)
    dense = currents_into(model.graph, layer, x)[:, keep[layer]]
    restored = currents_into(graph, layer, x)
    np.testing.assert_allclose(restored.mean(0), dense.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(restored.std(0), dense.std(0), rtol=1e-4)
    if layer == "b":
        assert np.abs(currents_into(pruned, layer, x).mean(0) - dense.mean(0)).max() > 0.01


@pytest.mark.usefixtures("currents_are")
def test_statistics_are_taken_over_time_samples_and_positions():
    model = pooled().model()
    x = analog_input(model, samples=6).float()
    found = current_statistics(Simulation(model.graph), x)["a"]
    node = model.graph.nodes["conv1"]
    with torch.no_grad():
        weight, bias = (torch.from_numpy(each).float() for each in (node.weight, node.bias))
        currents = torch.nn.functional.conv2d(x[0], weight, bias, padding=1).double().numpy()
    np.testing.assert_allclose(found.mean, currents.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(found.deviation, currents.std((0, 2, 3)), rtol=1e-2)


@pytest.mark.parametrize("name", ALL)
def test_statistics_of_parts_joined_are_those_of_all_samples(name, monkeypatch):
    model = ALL[name]().model()
    x = analog_input(model, samples=20).float()
    whole = current_statistics(Simulation(model.graph), x)
    monkeypatch.setattr(simulation_room, "HELD_CURRENTS", 0)
    monkeypatch.setattr(recalibration, "samples_at_once", lambda network, time_steps, device: 3)
    parts = current_statistics(Simulation(model.graph), x)
    assert parts.keys() == whole.keys()
    for layer, statistics in whole.items():
        torch.testing.assert_close(parts[layer].mean, statistics.mean, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(parts[layer].deviation, statistics.deviation, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("currents_are")
@pytest.mark.parametrize("name", ALL)
def test_the_trace_is_what_the_recalibrated_network_does(name):
    model = ALL[name]().model()
    x = analog_input(model, samples=20).float()
    _, graph, trace, _ = recalibrated(model, x)
    with torch.no_grad():
        outputs = Simulation(graph)(x).outputs
    assert trace.outputs.keys() == outputs.keys()
    for layer, spikes in outputs.items():
        assert torch.equal(trace.outputs[layer].float(), spikes), layer


@pytest.mark.usefixtures("currents_are")
@pytest.mark.parametrize("name", ALL)
def test_how_many_samples_stand_in_memory_changes_nothing(name):
    model = ALL[name]().model()
    x = analog_input(model, samples=20).double()
    simulation = Simulation(model.graph, torch.float64)
    received, expected = {}, {}

    def listen(layer, currents):
        received[layer] = torch.cat([each.clone() for each in currents], dim=1)
        return lambda current: current

    with torch.no_grad():
        whole = simulation(x, heard=lambda layer, currents, sent: expected.update({layer: currents}))
        assert not simulation.in_stages(x, 3, listen, traces=False).outputs
        untraced = dict(received)
        found = simulation.in_stages(x, 3, listen)
    for layer, sent in whole.outputs.items():
        torch.testing.assert_close(found.outputs[layer].double(), sent)
    for layer, currents in received.items():
        torch.testing.assert_close(currents, expected[layer])
        assert torch.equal(currents, untraced[layer])


def test_statistics_keep_no_more_of_a_deep_network_than_later_layers_hear(monkeypatch):
    chain = Chain((2, 8, 8))
    for number in range(6):
        chain = chain.conv(f"conv{number}", 4).neurons(f"layer{number}")
    model = chain.flatten().linear("fc", 3).neurons("out").model()
    x = analog_input(model, samples=4).float()
    there = []

    def count(simulation, name, values, *rest):
        there.append(set(values))
        return in_parts(simulation, name, values, *rest)

    in_parts = Simulation._layer_in_parts
    monkeypatch.setattr(Simulation, "_layer_in_parts", count)
    current_statistics(Simulation(model.graph), x)
    assert [len(each) for each in there] == [1, 2, 2, 2, 2, 2, 2]


def test_recalibration_brings_the_firing_of_a_trained_network_back():
    model = load_any(Path(__file__).parents[2] / "examples" / "digits.pt")
    x = encode(load_data("digits").train.first(100), model.encoding, model.time_steps).inputs
    pruned, graph, _, keep = recalibrated(model, x, ratio=0.5)

    @torch.no_grad()
    def rates(graph, layer):
        return Simulation(graph)(x).outputs[layer].mean((0, 1)).flatten(1).mean(1)

    def distance(graph, layer):
        dense = rates(model.graph, layer)[torch.from_numpy(keep[layer])]
        return float((rates(graph, layer) - dense).abs().mean())

    for layer in ("3_leaky", "5_leaky"):  # into the first, nothing was pruned
        assert distance(graph, layer) < distance(pruned, layer), layer


def test_layers_without_weights_right_before_them_stay_as_they_are():
    chain = Chain((2, 6, 6)).conv("conv1", 4).pool("pool").neurons("a").flatten().linear("fc", 3).neurons("b")
    model = chain.model()
    pruned, graph, _, _ = recalibrated(model, analog_input(model).float())
    np.testing.assert_array_equal(graph.nodes["conv1"].weight, pruned.nodes["conv1"].weight)
    assert not np.array_equal(graph.nodes["fc"].weight, pruned.nodes["fc"].weight)


def test_a_layer_without_biases_is_given_none():
    model = Chain((2, 6, 6)).conv("conv1", 4).neurons("a").conv("conv2", 4).neurons("b").flatten().linear("fc", 3)
    model = model.neurons("c").model()
    model.graph.nodes["conv2"].bias[:] = 0
    pruned, graph, _, _ = recalibrated(model, analog_input(model).float())
    assert not graph.nodes["conv2"].bias.any()
    assert not np.array_equal(graph.nodes["conv2"].weight, pruned.nodes["conv2"].weight)
    assert not np.array_equal(graph.nodes["fc"].bias, pruned.nodes["fc"].bias)


def test_recurrent_layers_stay_as_they_are():
    model = recurrent().model()
    pruned, graph, _, _ = recalibrated(model, analog_input(model).float())
    for name in ("fc1", "back"):
        np.testing.assert_array_equal(graph.nodes[name].weight, pruned.nodes[name].weight)


def test_a_channel_whose_current_never_varies_is_left_alone():
    model = plain().model()
    model.graph.nodes["fc1"].weight[2] = 0.0
    x = analog_input(model).float()
    pruned, graph, _, _ = recalibrated(model, x, ratio=1.0)
    np.testing.assert_array_equal(graph.nodes["fc1"].bias[2], pruned.nodes["fc1"].bias[2])
    assert np.isfinite(graph.nodes["fc1"].weight).all()


def test_a_layer_that_frozen_weights_lead_into_is_left_as_it_is():
    model = plain().model()
    x = analog_input(model, samples=20).float()
    pruned, _, _, keep = recalibrated(model, x)
    graph, trace = recalibrate(pruned, current_statistics(Simulation(model.graph), x), keep, x, {"fc2"})
    for key in ("weight", "bias"):
        assert np.array_equal(getattr(graph.nodes["fc2"], key), getattr(pruned.nodes["fc2"], key))
    assert not np.array_equal(graph.nodes["fc3"].weight, pruned.nodes["fc3"].weight)
    with torch.no_grad():
        again = Simulation(graph)(x).outputs
    for name, spikes in trace.outputs.items():
        assert torch.equal(again[name], spikes.float()), name


@pytest.mark.parametrize("shape", [(4, 30, 3), (4, 30, 3, 5, 5), (20, 7, 3, 6)])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_statistics_of_currents_are_those_of_numpy(shape, scale):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * scale + 3.0
    found = recalibration._statistics([x])
    channels = x.double().movedim(2, 0).flatten(1).numpy()
    np.testing.assert_allclose(found.mean.double(), channels.mean(1), rtol=1e-5, atol=1e-5 * scale)
    np.testing.assert_allclose(found.deviation.double(), channels.std(1, ddof=1), rtol=1e-5)


def test_a_current_that_never_changes_deviates_by_exactly_nothing():
    """A biased channel behind silent ones; the least rounding would be scaled up to the dense network's deviation."""
    x = torch.full((4, 33, 3), 0.1)
    x[:, :, 1] = 1 / 3
    x[0, 0, 2] = 0.2
    assert (recalibration._statistics([x]).deviation > 0).tolist() == [False, False, True]


def test_a_still_picture_counts_once_for_every_step():
    picture = torch.randn((1, 9, 3, 4, 4), generator=torch.Generator().manual_seed(0))
    shown, written = picture.expand(5, -1, -1, -1, -1), picture.repeat(5, 1, 1, 1, 1)
    found, wanted = recalibration._statistics([shown]), recalibration._statistics([written])
    torch.testing.assert_close(found.mean, wanted.mean)
    torch.testing.assert_close(found.deviation, wanted.deviation)


def test_parts_of_a_single_value_are_joined_like_any_others():
    x = torch.randn((1, 9, 3), generator=torch.Generator().manual_seed(0))
    found, wanted = recalibration._statistics(x.split(1, dim=1)), recalibration._statistics([x])
    torch.testing.assert_close(found.mean, wanted.mean)
    torch.testing.assert_close(found.deviation, wanted.deviation)
    assert recalibration._statistics([x[:, :1]]).deviation.tolist() == [0.0, 0.0, 0.0]
