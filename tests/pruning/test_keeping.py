"""Shares of channels that a user wants kept, by layer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_networks import ALL, Chain

from spear_deploy.errors import SearchError
from spear_deploy.network import Network
from spear_deploy.pruning import Widths, channel_groups, channels_kept, kept_ranges, parse_keep


def three_layers():
    chain = Chain((3,))
    for number, size in ((1, 10), (2, 7), (3, 4)):
        chain = chain.linear(f"fc{number}", size).neurons(f"lif{number}")
    return channel_groups(Network(chain.graph()))


@pytest.mark.parametrize(
    ("typed", "ranges"),
    [
        ("fc1=all", (("lif1", 10, 10),)),
        ("lif1=all", (("lif1", 10, 10),)),
        ("fc1=75%", (("lif1", 7, 7),)),
        ("fc*=50%-100%", (("lif1", 5, 10), ("lif2", 4, 7))),
        ("fc1=20% - 60%, fc*=50%-100%", (("lif1", 5, 6), ("lif2", 4, 7))),
        ("", ()),
    ],
)
def test_what_is_typed_becomes_the_fewest_and_most_channels_of_each_layer(typed, ranges):
    assert kept_ranges(parse_keep(typed), three_layers()) == ranges


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("conv9=all", "keep conv9: names no layer; there are fc1, fc2, fc3"),
        ("fc1", "keep 'fc1': give layers and the share"),
        ("fc1=0%", "keep 'fc1=0%': give layers"),
        ("fc1=half", "keep 'fc1=half': give layers"),
        ("fc1=90%-50%", "keep 'fc1=90%-50%': give layers"),
        ("fc3=50%", "keep fc3: its channels all stay: the output's channels are the answers"),
        ("fc1=all,lif*=20%-50%", "keep: the channels of lif1 are to be at least 10 and at most 5"),
        ("lif*=20%-50%,fc1=all", "keep: the channels of lif1 are to be at least 10 and at most 5"),
    ],
)
def test_what_cannot_be_kept_is_told(typed, said):
    with pytest.raises(SearchError, match=said):
        kept_ranges(parse_keep(typed), three_layers())


def test_layers_that_hang_together_are_kept_by_any_of_their_names():
    groups = channel_groups(Network(ALL["residual sum"]().graph()))
    assert kept_ranges(parse_keep("conv3=all"), groups) == kept_ranges(parse_keep("conv1=all"), groups)


@given(
    size=st.integers(1, 60),
    ends=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    multiple=st.integers(1, 9),
    ratio=st.floats(0, 1.5, allow_subnormal=False),  # a fine-tune elsewhere has them flushed to zero
)
def test_any_keep_ratio_leaves_a_number_between_the_fewest_and_the_most(size, ends, multiple, ratio):
    least, most = sorted(min(end, size) for end in ends)
    chain = Chain((2,)).linear("fc1", size).neurons("a").linear("fc2", 2).neurons("b")
    group = channel_groups(Network(chain.graph()))[0]
    widths = Widths(multiple=multiple, ranges=(("a", least, most),))
    kept = channels_kept(group, ratio, widths)
    assert least <= kept <= most
    multiples = [count for count in range(least, most + 1) if count % multiple == 0 or count == size]
    assert not multiples or kept in multiples
    assert np.abs(kept - ratio * size) == min(
        np.abs(count - ratio * size) for count in multiples or range(least, most + 1)
    )
