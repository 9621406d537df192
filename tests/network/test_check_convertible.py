"""Whether a network can be converted, told before it is trained."""

import threading

import pytest
import torch
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


class Uncopied(nn.Linear):
    def __deepcopy__(self, memo):
        raise KeyError("weight")


class HoldsALock(nn.Linear):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.lock = threading.Lock()


@pytest.mark.parametrize(("kind", "why"), [(Uncopied, "KeyError: 'weight'"), (HoldsALock, "TypeError: cannot pickle")])
def test_a_layer_that_cannot_be_copied_is_named(kind, why):
    net = nn.Sequential(nn.Linear(6, 5), leaky(), nn.Sequential(kind(5, 4), leaky()))
    with pytest.raises(ModelError, match=rf"^2\.0: {kind.__name__} cannot be copied \({why}"):
        check_convertible(net, input_shape=(6,), time_steps=5)


@pytest.mark.parametrize("library", ["norse", "sinabs"])
def test_layers_of_a_library_that_exports_nir_are_refused_with_the_way_through_it(library):
    class Spikes(nn.Module):
        __module__ = f"{library}.layers"

        def forward(self, x):
            return torch.gt(x, 1.0).to(x.dtype)

    with pytest.raises(ModelError, match=rf"layers of {library} are read through NIR: spear_deploy.network.from_nir"):
        check_convertible(nn.Sequential(nn.Linear(6, 4), Spikes()), input_shape=(6,), time_steps=5)
    with pytest.raises(ModelError) as told:
        check_convertible(nn.Sequential(nn.Linear(6, 4), nn.ReLU(), leaky()), input_shape=(6,), time_steps=5)
    assert "NIR" not in str(told.value)
