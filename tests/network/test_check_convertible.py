"""Whether a network can be converted, told before it is trained."""

import pytest
from network_builders import leaky
from refused_modules import plain
from torch import nn

from spear_deploy import check_convertible
from spear_deploy.errors import ArgumentError, ModelError


def test_a_network_can_be_checked_before_it_is_trained():
    silent = nn.Sequential(nn.Linear(6, 4), leaky(threshold=1e6))
    assert check_convertible(silent, input_shape=(6,), time_steps=5) == ()
    with pytest.raises(ModelError, match="1_relu: ReLU is not supported"):
        check_convertible(nn.Sequential(nn.Linear(6, 4), nn.ReLU(), leaky()), input_shape=(6,), time_steps=5)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"foo": 1}, r"unexpected keyword argument 'foo'"),
        ({"classes": "2"}, r"`classes` takes int, found str '2'"),
        ({"dt_s": "a"}, r"`dt_s` takes float, found str 'a'"),
        ({"sample": "x"}, r"`sample` takes .*, found str 'x'"),
    ],
)
def test_an_option_that_is_none_or_of_another_kind_is_named_when_a_network_is_checked(options, told):
    with pytest.raises(ArgumentError, match=told):
        check_convertible(plain(), input_shape=(6,), time_steps=5, **options)
