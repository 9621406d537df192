import nir
import numpy as np
import pytest
from made_networks import ALL, Chain

from spear_deploy.network import Network
from spear_deploy.pruning import Role, channel_groups

TIED = {
    "plain": {"a": "a", "b": "b"},
    "strided and padded": {"a": "a", "b": "b"},
    "grouped": {"a": "a", "b": "b", "c": "c"},
    "depthwise": {"a": "a b", "c": "c"},
    "sum pool": {"a": "a", "b": "b"},
    "max pool": {"a": "a", "b": "b"},
    "residual sum": {"a": "a c", "b": "b"},
    "several skips": {"a": "a b c"},
    "recurrent": {"a": "a"},
    "self-recurrent": {"a": "a", "b": "b"},
    "recurrent maps": {"a": "a"},
    "scaled": {"a": "a", "b": "b"},
    "each neuron its own": {"a": "a", "b": "b"},
}
"""By network: the prunable groups, and the neuron layers that each ties together."""


@pytest.mark.parametrize("name", ALL)
def test_layers_that_share_channels_are_one_group(name):
    network = Network(ALL[name]().graph())
    groups = [group for group in channel_groups(network) if group.prunable]
    found = {
        group.name: " ".join(layer for layer in network.layers if layer in {member.node for member in group.members})
        for group in groups
    }
    assert found == TIED[name]
    assert all(group.size == network.shapes[group.name][0] for group in groups)


def members(network, group, role):
    (found,) = [each for each in channel_groups(network) if each.name == group]
    return {(member.node, member.repeat) for member in found.nodes(role)}


def test_a_group_names_what_produces_and_what_consumes_its_channels():
    network = Network(ALL["residual sum"]().graph())
    assert members(network, "a", Role.PRODUCER) == {("conv1", 1), ("conv3", 1)}
    assert members(network, "a", Role.CONSUMER) == {("conv2", 1), ("fc", 25)}
    assert members(network, "a", Role.CARRIER) == {("a", 1), ("c", 1)}


def test_recurrent_weights_produce_and_consume_the_same_channels():
    network = Network(ALL["recurrent"]().graph())
    assert members(network, "a", Role.PRODUCER) == {("fc1", 1), ("back", 1)}
    assert members(network, "a", Role.CONSUMER) == {("fc2", 1), ("back", 1)}


def test_input_and_classes_are_never_pruned():
    chain = Chain((3,)).neurons("first").linear("fc1", 5).neurons("a").linear("fc2", 4).neurons("out")
    fixed = {group.name: group.fixed for group in channel_groups(Network(chain.graph()))}
    assert fixed == {"first": "the input's channels are given", "a": "", "out": "the output's channels are the answers"}


def test_a_residual_onto_the_classes_fixes_what_it_joins():
    chain = Chain((3,)).linear("fc1", 4).neurons("a").linear("fc2", 4).neurons("out", "fc2", "a")
    (group,) = channel_groups(Network(chain.graph()))
    assert not group.prunable
    assert "answers" in group.fixed


def test_a_flatten_that_mixes_channels_with_positions_fixes_them():
    chain = Chain((2, 5, 6)).conv("conv1", 4).neurons("a")
    chain.add("mix", nir.Flatten({"input": np.array(chain.shape)}, 0, 1))
    chain.shape = (20, 6)
    network = Network(chain.neurons("b").flatten().linear("fc", 3).neurons("c").graph())
    fixed = {group.name: group.fixed for group in channel_groups(network)}
    assert fixed["a"] == "mix mixes channels with positions"


@pytest.mark.parametrize(
    ("options", "padding", "fixed"),
    [
        ({}, 1, ""),
        ({"alpha": np.full((5, 5, 5), 0.5)}, 0, ""),  # a bias holds it, through the synaptic current
        ({"alpha": np.full((5, 5, 5), 0.5)}, 1, "the bias of depth gives b another current at each place"),
        ({"beta": np.ones((5, 5, 5))}, 1, "the bias of depth gives b another current at each place"),
    ],
)
def test_channels_stay_where_nothing_can_hold_what_their_biases_give(options, padding, fixed):
    chain = Chain((2, 5 + 2 * (1 - padding), 5 + 2 * (1 - padding))).conv("conv1", 6).neurons("a")
    chain.conv("depth", 6, groups=6).conv("wide", 5, padding=padding).neurons("b", **options)
    groups = channel_groups(Network(chain.flatten().linear("fc", 4).neurons("c").graph()))
    assert groups[0].fixed.startswith(fixed)
    assert groups[0].prunable == (not fixed)


def test_a_channel_of_a_flat_layer_that_becomes_maps_is_a_map():
    chain = Chain((5,)).linear("fc1", 24).neurons("a").maps("maps", 6).conv("conv", 5).neurons("b").flatten()
    network = Network(chain.linear("fc2", 4).neurons("c").graph())
    group = channel_groups(network)[0]
    assert (group.name, group.size, group.prunable) == ("a", 6, True)
    assert {member.node: member.repeat for member in group.members} == {"fc1": 4, "a": 4, "maps": 1, "conv": 1}


@pytest.mark.parametrize("sides", [(2, 4), (4, 2)])
def test_maps_of_two_sizes_lose_what_makes_whole_maps_of_both(sides):
    chain = Chain((5,)).linear("fc1", 32).neurons("a").maps("maps1", 32 // sides[0] ** 2, sides[0])
    chain.conv("conv1", 3).neurons("b").flatten("flat1").linear("fc2", 4)
    chain.last = "a"
    chain.maps("maps2", 32 // sides[1] ** 2, sides[1]).conv("conv2", 3).neurons("c").flatten("flat2").linear("fc3", 4)
    group = channel_groups(Network(chain.neurons("d", "fc2", "fc3").graph()))[0]
    assert (group.size, group.prunable) == (2, True)
    repeats = {member.node: member.repeat for member in group.members}
    assert [repeats[name] for name in ("a", "maps1", "maps2")] == [16, 16 // sides[0] ** 2, 16 // sides[1] ** 2]


def test_maps_that_were_maps_before_keep_their_channels():
    chain = Chain((2, 4, 4)).conv("conv1", 6).neurons("a").flatten().maps("maps", 6, 4).conv("conv2", 5).neurons("b")
    groups = channel_groups(Network(chain.flatten("flat").linear("fc", 4).neurons("c").graph()))
    assert [(group.name, group.size, group.fixed) for group in groups[:2]] == [("a", 6, ""), ("b", 5, "")]


def test_maps_that_mix_channels_with_positions_are_fixed():
    chain = Chain((2, 4, 4)).conv("conv1", 6).neurons("a").flatten().maps("maps", 24).conv("conv2", 5).neurons("b")
    groups = channel_groups(Network(chain.flatten("flat").linear("fc", 4).neurons("c").graph()))
    assert [group.fixed for group in groups[:2]] == ["maps mixes channels with positions", ""]
