"""Shapes that are looked up by how a node is built are those that torch gives, whatever was asked before."""

from itertools import product

import nir
import numpy as np
import pytest
import torch
from torch import nn

from spear_deploy.errors import ModelError
from spear_deploy.network.linear import output_shape

RNG = np.random.default_rng(0)


def conv(channels=(4, 6), kernel=3, stride=1, padding=0, dilation=1, groups=1):
    weight = RNG.normal(size=(channels[1], channels[0] // groups, kernel, kernel))
    return nir.Conv2d(None, weight, stride, padding, dilation, groups, np.zeros(channels[1]))


@pytest.mark.parametrize("asked", ["first", "again"])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "groups"),
    [*product((1, 3), (1, 2, (1, 2), (2, 1)), (0, 1, (0, 1)), (1, 2), (1, 2))],
)
def test_convolutions_that_differ_in_one_setting_have_each_its_own_shape(
    asked, kernel, stride, padding, dilation, groups
):
    module = nn.Conv2d(4, 6, kernel, stride, padding, dilation, groups)
    found = output_shape(conv((4, 6), kernel, stride, padding, dilation, groups), "conv", (4, 9, 8))
    assert found == tuple(module(torch.zeros(1, 4, 9, 8)).shape[1:])


def test_another_input_and_other_widths_have_another_shape():
    assert output_shape(conv(), "conv", (4, 9, 8)) == (6, 7, 6)
    assert output_shape(conv(), "conv", (4, 5, 5)) == (6, 3, 3)
    assert output_shape(conv((4, 5)), "conv", (4, 9, 8)) == (5, 7, 6)
    assert output_shape(conv(padding="same"), "conv", (4, 9, 8)) == (6, 9, 8)
    assert output_shape(conv(padding="valid"), "conv", (4, 9, 8)) == (6, 7, 6)


def test_what_cannot_be_is_refused_after_what_can():
    sound, node = nir.Affine(RNG.normal(size=(5, 3)), np.zeros(5)), nir.Affine(RNG.normal(size=(5, 3)), np.zeros(5))
    assert output_shape(sound, "fc", (3,)) == (5,)
    with pytest.raises(RuntimeError):
        output_shape(sound, "fc", (4,))
    node.bias = np.zeros(4)
    for _ in range(2):
        with pytest.raises(ModelError, match="bias has shape"):
            output_shape(node, "fc", (3,))
