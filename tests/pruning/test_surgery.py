import nir
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_networks import ALL, Chain, analog_input, residual
from silencing import kept_by_layer, run, silence

from spear_deploy.network import Network, fan_out, read_nir, synapse_matrix, write_nir
from spear_deploy.network.neuron import NEURON_TYPES
from spear_deploy.pruning import channel_groups, prune


@st.composite
def pruned_networks(draw):
    """A network, and for each group of it the channels to keep."""
    model = ALL[draw(st.sampled_from(sorted(ALL)))](draw(st.integers(0, 10_000))).model()
    keep = {}
    for group in channel_groups(model.network):
        if group.prunable and draw(st.booleans()):
            chosen = draw(st.sets(st.integers(0, group.size - 1), min_size=1))
            keep[group.name] = np.array(sorted(chosen))
    return model, keep


@settings(max_examples=60, deadline=None, derandomize=True)
@given(pruned_networks())
def test_pruning_equals_silencing(case):
    """Channels that are gone leave the same spikes behind as channels that never fire."""
    model, keep = case
    network = model.network
    x = analog_input(model)
    kept = kept_by_layer(network, keep)
    expected = run(silence(network, kept), x)
    found = run(prune(network, channel_groups(network), keep), x)
    assert found.keys() == expected.keys()
    for layer, spikes in found.items():
        assert torch.equal(spikes, expected[layer][:, :, torch.from_numpy(kept[layer])]), layer


def halves(network):
    return {group.name: np.arange(0, group.size, 2) for group in channel_groups(network) if group.prunable}


@pytest.mark.parametrize("name", ALL)
def test_half_of_the_channels_still_spike_as_if_the_others_were_silent(name):
    model = ALL[name]().model()
    network, x = model.network, analog_input(model)
    kept = kept_by_layer(network, halves(network))
    expected = run(silence(network, kept), x)
    found = run(prune(network, channel_groups(network), halves(network)), x)
    assert all(spikes.sum() > 0 for spikes in found.values())
    for layer, spikes in found.items():
        assert torch.equal(spikes, expected[layer][:, :, torch.from_numpy(kept[layer])]), layer


@pytest.mark.parametrize("name", ALL)
def test_a_pruned_network_holds_nothing_of_what_was_removed(name):
    network = Network(ALL[name]().graph())
    pruned = prune(network, channel_groups(network), halves(network))
    kept = kept_by_layer(network, halves(network))
    for layer, channels in kept.items():
        node = pruned.nodes[layer]
        for value in [*vars(node).values(), *node.metadata.values()]:
            if isinstance(value, np.ndarray) and value.ndim:
                assert len(value) == len(channels)
    assert sum(np.size(getattr(node, "weight", [])) for node in pruned.nodes.values()) < sum(
        np.size(getattr(node, "weight", [])) for node in network.nodes.values()
    )


@pytest.mark.parametrize("name", ALL)
def test_a_pruned_network_survives_nir(tmp_path, name):
    model = ALL[name]().model()
    pruned = model.with_graph(prune(model.network, channel_groups(model.network), halves(model.network)))
    write_nir(pruned, tmp_path / "pruned.nir")
    x = analog_input(model)
    expected, found = run(pruned.graph, x), run(read_nir(tmp_path / "pruned.nir").graph, x)
    assert all(torch.equal(expected[layer], found[layer]) for layer in expected)


def _bytes(graph):
    return {
        (name, key): np.asarray(value).tobytes()
        for name, node in graph.nodes.items()
        for key, value in vars(node).items()
        if isinstance(value, np.ndarray)
    }


@pytest.mark.parametrize("name", ALL)
def test_pruning_leaves_the_network_it_was_given_as_it_was(name):
    network = Network(ALL[name]().graph())
    before = _bytes(network.graph)
    prune(network, channel_groups(network), halves(network))
    assert _bytes(network.graph) == before


def test_keeping_every_channel_changes_nothing():
    network = Network(residual().graph())
    everything = {group.name: np.arange(group.size) for group in channel_groups(network) if group.prunable}
    pruned = prune(network, channel_groups(network), everything)
    for name, node in network.nodes.items():
        for key in ("weight", "bias", "v_threshold"):
            if hasattr(node, key):
                np.testing.assert_array_equal(getattr(pruned.nodes[name], key), getattr(node, key))
    assert {type(node) for node in pruned.nodes.values() if isinstance(node, NEURON_TYPES)} == {nir.LIF}


def in_three_groups():
    chain = Chain((2, 5, 5)).conv("conv1", 6).neurons("a").conv("twice", 6, groups=3).neurons("b")
    return chain.flatten().linear("fc", 3).neurons("c")


def grouped_network():
    return Network(in_three_groups().graph())


@pytest.mark.parametrize(
    ("inputs", "outputs", "groups"),
    [
        ([0, 3, 4], [1, 2, 4], 3),  # one of each group
        ([2, 3, 4, 5], [2, 3, 4, 5], 2),  # a whole group is gone
        ([0, 1, 2], [0, 2, 4], 1),  # groups of different sizes: one, with zeros between
    ],
)
def test_a_convolution_keeps_its_groups_where_they_stay_alike(inputs, outputs, groups):
    network = grouped_network()
    pruned = prune(network, channel_groups(network), {"a": np.array(inputs), "b": np.array(outputs)})
    node, whole = pruned.nodes["twice"], network.nodes["twice"]
    assert int(node.groups) == groups
    assert node.weight.shape == (len(outputs), len(inputs) // groups, *whole.weight.shape[2:])
    pairs = [(out, into) for out in outputs for into in inputs if out // 2 == into // 2]
    wanted = sum(np.abs(whole.weight[out, into % 2]).sum() for out, into in pairs)
    assert np.abs(node.weight).sum() == pytest.approx(wanted)


@pytest.mark.parametrize(("inputs", "outputs"), [([0, 3, 4], [1, 2, 4]), ([0, 1, 2], [0, 2, 4]), ([0, 1, 5], [0, 1])])
def test_parameters_of_a_pruned_grouped_convolution_are_weights_within_its_groups(inputs, outputs):
    model = in_three_groups().model()
    keep = {"a": np.array(inputs), "b": np.array(outputs)}
    pruned = model.with_graph(prune(model.network, channel_groups(model.network), keep))
    around = sum(pruned.graph.nodes[name].weight.size + pruned.graph.nodes[name].bias.size for name in ("conv1", "fc"))
    within = sum(out // 2 == into // 2 for out in outputs for into in inputs)
    assert pruned.parameters == around + 9 * within + len(outputs)


def test_synops_of_a_pruned_grouped_convolution_are_those_of_its_synapses_alone():
    network = grouped_network()
    uneven = {"a": np.array([0, 1, 2]), "b": np.array([0, 2, 4])}
    pruned = Network(prune(network, channel_groups(network), uneven))
    (before,), (after,) = (each.into("b") for each in (network, pruned))
    whole = synapse_matrix(network, before).toarray().reshape(6, 25, 6, 25)
    left = synapse_matrix(pruned, after).toarray()
    assert np.count_nonzero(left) == np.count_nonzero(whole[[0, 2, 4]][:, :, [0, 1, 2]])
    assert int(fan_out(pruned, after).sum()) == np.count_nonzero(left)
