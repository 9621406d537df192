"""Layers that a user wants left as they are."""

import re

import numpy as np
import pytest
from made_networks import ALL, Chain

from spear_deploy.errors import SearchError
from spear_deploy.network import Network
from spear_deploy.network.unchanging import unchanging
from spear_deploy.pruning import (
    channel_groups,
    channels_kept,
    frozen_nodes,
    kept_ranges,
    parse_freeze,
    parse_keep,
)
from spear_deploy.pruning.selection import Widths


def network(case="recurrent"):
    return Network(ALL[case]().graph())


@pytest.mark.parametrize(
    ("typed", "case", "nodes"),
    [
        ("fc1", "recurrent", {"fc1"}),
        ("a", "recurrent", {"fc1", "back"}),  # all that leads into the neurons
        ("fc*", "plain", None),
        ("fc1, fc2", "plain", {"fc1", "fc2"}),
        ("b", "scaled", {"conv2", "scale2"}),
        ("", "plain", set()),
    ],
)
def test_what_is_typed_names_weights_or_the_neurons_that_they_lead_into(typed, case, nodes):
    if nodes is None:
        with pytest.raises(SearchError, match=r"names every layer, and leaves none to prune or to train"):
            frozen_nodes(parse_freeze(typed), network(case))
    else:
        assert frozen_nodes(parse_freeze(typed), network(case)) == nodes


def test_a_name_that_nothing_has_is_told_with_those_that_there_are():
    with pytest.raises(SearchError, match=r"freeze conv9: names no layer with weights; there are fc1, fc2, fc3"):
        frozen_nodes(("conv9",), network("plain"))


@pytest.mark.parametrize("ratio", [0.05, 0.4, 1.0])
def test_the_channels_of_frozen_weights_all_stay_with_all_that_hang_together_with_them(ratio):
    residual = network("residual sum")
    groups = channel_groups(residual)
    widths = Widths(ranges=kept_ranges((), groups, frozen_nodes(("conv3",), residual)))
    kept = {group.name: channels_kept(group, ratio, widths) / group.size for group in groups if group.prunable}
    assert kept["a"] == 1.0  # conv1 and conv3 add up
    assert ratio == 1.0 or kept["b"] < 1.0


def test_a_layer_of_any_name_can_be_frozen():
    chain = Chain((3,)).linear("fc[1]*", 6).neurons("a").linear("fc2", 4).neurons("b")
    model = Network(chain.graph())
    ranges = kept_ranges((), channel_groups(model), frozenset({"fc[1]*"}))
    assert ranges == (("a", 6, 6),)
    assert np.prod(model.shapes["a"]) == 6


@pytest.mark.parametrize(
    ("typed", "case", "layers"),
    [
        ("", "plain", set()),
        ("fc1", "plain", {"a"}),
        ("fc1,fc2", "plain", {"a", "b"}),
        ("fc2", "plain", set()),  # what it hears changes
        ("fc1", "recurrent", set()),  # its own recurrence is trained
        ("fc1,back", "recurrent", {"a"}),
        ("conv1", "residual sum", {"a"}),
        ("conv1,conv3", "residual sum", {"a"}),  # the layer between them is trained
    ],
)
def test_training_changes_no_spikes_of_a_layer_that_only_frozen_weights_lead_to(typed, case, layers):
    given = network(case)
    assert unchanging(given, frozen_nodes(parse_freeze(typed), given)) == {given.input, *layers}


@pytest.mark.parametrize("share", ["all", "50%-100%"])
def test_what_is_frozen_may_be_said_to_stay(share):
    plain = network("plain")
    assert kept_ranges(parse_keep(f"fc1={share}"), channel_groups(plain), {"fc1"}) == (("a", 9, 9),)


@pytest.mark.parametrize(
    ("case", "frozen", "keep"),
    [
        ("plain", "fc1", "fc1=50%"),
        ("plain", "fc1", "a=20%-90%"),  # by the name of its neurons
        ("plain", "fc1", "*1=50%"),  # a pattern that names nothing else
        ("residual sum", "conv3", "conv1=50%"),  # conv1 and conv3 add up
    ],
)
def test_frozen_layers_that_are_to_lose_channels_are_refused_with_both_named(case, frozen, keep):
    given = network(case)
    said = f"keep {keep.split('=')[0]}: its channels all stay: {frozen} is frozen, whose channels they are"
    with pytest.raises(SearchError, match=re.escape(said)):
        kept_ranges(parse_keep(keep), channel_groups(given), frozen_nodes((frozen,), given))


def test_a_pattern_for_many_layers_holds_for_those_that_are_not_frozen():
    plain = network("plain")
    sizes = {group.name: group.size for group in channel_groups(plain)}
    ranges = kept_ranges(parse_keep("*=50%"), channel_groups(plain), {"fc1"})
    assert ranges == (("a", sizes["a"], sizes["a"]), ("b", sizes["b"] // 2, sizes["b"] // 2))


def test_all_channels_of_frozen_factors_stay():
    scaled = network("scaled")
    ranges = kept_ranges((), channel_groups(scaled), frozen_nodes(("scale2",), scaled))
    assert ranges == tuple(
        (group.name, group.size, group.size) for group in channel_groups(scaled) if group.name == "b"
    )
