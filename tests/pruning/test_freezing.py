"""Layers that a user wants left as they are."""

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
    whole,
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
    widths = Widths(ranges=kept_ranges(whole(frozen_nodes(("conv3",), residual), residual), groups))
    kept = {group.name: channels_kept(group, ratio, widths) / group.size for group in groups if group.prunable}
    assert kept["a"] == 1.0  # conv1 and conv3 add up
    assert ratio == 1.0 or kept["b"] < 1.0


def test_a_layer_of_any_name_can_be_frozen():
    chain = Chain((3,)).linear("fc[1]*", 6).neurons("a").linear("fc2", 4).neurons("b")
    model = Network(chain.graph())
    ranges = kept_ranges(whole(frozenset({"fc[1]*"}), model), channel_groups(model))
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
