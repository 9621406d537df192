import nir
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_networks import Chain, residual

from spear_deploy.errors import SearchError
from spear_deploy.network import Network
from spear_deploy.pruning import Widths, channel_groups, channels_kept, choose_channels, importance


def two_layers():
    chain = Chain((2,)).linear("fc1", 4).neurons("a").linear("fc2", 3).neurons("out")
    chain.nodes["fc1"] = nir.Linear(np.array([[1.0, -1.0], [0.5, 0.0], [-3.0, 1.0], [0.25, 0.25]]))
    network = Network(chain.graph())
    return network, channel_groups(network)


def test_the_importance_of_a_channel_is_its_share_of_the_absolute_weights():
    network, (group, _) = two_layers()
    np.testing.assert_allclose(importance(network, group), np.array([2.0, 0.5, 4.0, 0.5]) / 1.75)


def test_the_most_important_channels_stay_in_their_old_order():
    network, groups = two_layers()
    assert choose_channels(network, groups, {"a": 0.5})["a"].tolist() == [0, 2]
    assert choose_channels(network, groups, {"a": 0.25})["a"].tolist() == [2]


def test_of_equally_important_channels_the_first_stays():
    network, groups = two_layers()
    assert choose_channels(network, groups, {"a": 0.75})["a"].tolist() == [0, 1, 2]


def test_layers_that_share_channels_weigh_alike():
    network = Network(residual().graph())
    group = channel_groups(network)[0]
    total = np.zeros(6)
    for name in ("conv1", "conv3"):
        weight = np.abs(network.nodes[name].weight).sum((1, 2, 3))
        total += weight / weight.mean()
    np.testing.assert_allclose(importance(network, group), total, rtol=1e-12)


def test_a_group_that_is_fixed_or_not_named_stays_whole():
    network, groups = two_layers()
    assert choose_channels(network, groups, {"out": 0.5}) == {}


@pytest.mark.parametrize(("ratio", "kept"), [(0.0, 1), (0.1, 1), (0.5, 2), (0.62, 2), (0.63, 3), (1.0, 4), (7.0, 4)])
def test_a_keep_ratio_leaves_whole_channels_and_at_least_one(ratio, kept):
    _, (group, _) = two_layers()
    assert channels_kept(group, ratio) == kept


@given(
    size=st.integers(2, 70),
    minimum=st.integers(1, 70),
    multiple=st.integers(1, 20),
    ratio=st.integers(0, 1200).map(lambda thousandths: thousandths / 1000),
)
def test_a_keep_ratio_leaves_the_nearest_width_that_is_allowed(size, minimum, multiple, ratio):
    allowed = {count for count in range(1, size) if count >= minimum and count % multiple == 0} | {size}
    kept = Widths(minimum, multiple).kept(size, ratio)
    assert kept in allowed
    assert abs(kept - ratio * size) == pytest.approx(min(abs(count - ratio * size) for count in allowed))
    assert Widths(minimum, multiple).kept(size, kept / size) == kept


def test_a_minimum_that_a_layer_does_not_have_is_refused_with_the_layer():
    _, groups = two_layers()
    Widths(minimum=4).check(groups)  # the output's 3 channels are not up for pruning
    with pytest.raises(SearchError, match=r"at least 5 channels a layer cannot be kept: a has 4"):
        Widths(minimum=5).check(groups)


@pytest.mark.parametrize("widths", [{"minimum": 0}, {"multiple": 0}])
def test_widths_below_one_channel_are_refused(widths):
    with pytest.raises(SearchError, match="at least 1"):
        Widths(**widths)
