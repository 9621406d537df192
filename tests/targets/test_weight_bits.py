import pytest
from made_networks import Chain

from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.errors import ModelError
from spear_deploy.jobs.asked import weight_bits_of


@pytest.fixture
def network():
    chain = Chain((1, 6, 6)).conv("conv", 4).neurons("lif1").flatten().linear("fc", 5).neurons("lif2")
    return chain.model().network


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, WeightBits()),
        ("6", WeightBits(6)),
        ("conv=8,fc=4", WeightBits(None, {"conv": 8, "fc": 4})),
        (" 5 , fc = 4 ", WeightBits(5, {"fc": 4})),
    ],
)
def test_bits_are_typed_for_all_layers_or_by_name(text, expected):
    assert weight_bits_of(text) == expected


@pytest.mark.parametrize("text", ["", "1", "9", "fc=", "=4", "4,5", "fc=4.5", "fc", "-4", "²"])
def test_anything_else_is_refused_with_the_form_that_is_meant(text):
    with pytest.raises(ModelError, match=r"give bits from 2 to 8 for all layers \(6\), by layer"):
        weight_bits_of(text)


def test_a_weight_node_stands_for_the_layer_that_it_leads_into(network):
    assert WeightBits(None, {"fc": 4}).by_layer(network, 8) == {"lif2": 4}
    assert WeightBits(6, {"lif2": 4}).by_layer(network, 8) == {"lif1": 6, "lif2": 4}
    assert WeightBits().by_layer(network, 8) == {}


def test_a_chip_s_widest_weights_are_no_matter_of_choice(network):
    with pytest.raises(ModelError, match="weight bits 6: the chip's weights have 4 bits at most"):
        WeightBits(6).by_layer(network, 4)
