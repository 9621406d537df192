"""Layers that were not trained are told, whatever layers they become; those that were are not."""

import pytest
import torch
from network_builders import leaky
from torch import nn
from torch.nn import functional

from spear_deploy.network import from_snntorch

T = 4


class Concatenated(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.lif1 = nn.Linear(5, 6), leaky()
        self.last, self.lif2 = nn.Linear(11, 3), leaky()

    def forward(self, x):
        return self.lif2(self.last(torch.cat([self.lif1(self.first(x)), x], 1)))


class Tied(nn.Module):
    """A decoder with the encoder's weights, masked as pruning does it."""

    def __init__(self):
        super().__init__()
        self.first, self.lif1 = nn.Linear(5, 6), leaky()
        self.last, self.lif2 = nn.Linear(5, 6), leaky()
        self.register_buffer("mask", torch.eye(6, 5))

    def forward(self, x):
        return self.lif2(functional.linear(self.lif1(self.first(x)), (self.last.weight * self.mask).T))


class Sampled(nn.Module):
    """Maps, of which the second layer makes others."""

    def __init__(self, last):
        super().__init__()
        self.first, self.lif1 = nn.Conv2d(1, 3, 3), leaky()
        self.last, self.lif2 = last, leaky()

    def forward(self, x):
        return self.lif2(self.last(self.lif1(self.first(x))))


NETWORKS = {
    "concatenated": ((5,), Concatenated, "last_0,last_1"),
    "tied": ((5,), Tied, "linear"),
    "transposed": ((1, 5, 5), lambda: Sampled(nn.ConvTranspose2d(3, 2, 2, stride=2)), "last"),
    "circular": ((1, 5, 5), lambda: Sampled(nn.Conv2d(3, 2, 3, padding=1, padding_mode="circular")), "last"),
}


def untrained(net, shape):
    return [each for each in from_snntorch(net, input_shape=shape, time_steps=T).notices if "requires_grad" in each]


def said_of(names):
    wanted = "{}: requires_grad=False is not kept: they are pruned and trained, unless `freeze='{}'` says otherwise"
    return [] if names is None else [wanted.format(names.replace(",", ", "), names)]


@pytest.mark.parametrize(
    ("fixed", "told"), [((), None), ((0,), "0_linear"), ((0, 2), "0_linear,2_linear"), ((0, 2, 4), None)]
)
def test_layers_that_were_not_trained_are_told_since_pruning_trains_them(fixed, told):
    net = nn.Sequential(nn.Linear(5, 6), leaky(), nn.Linear(6, 6), leaky(), nn.Linear(6, 4), leaky())
    for index in fixed:
        net[index].requires_grad_(False)
    assert untrained(net, (5,)) == said_of(told)


@pytest.mark.parametrize(("shape", "made", "names"), NETWORKS.values(), ids=NETWORKS)
def test_layers_that_become_others_are_told_only_where_they_were_not_trained(shape, made, names):
    net = made()
    assert untrained(net, shape) == []
    net.last.requires_grad_(False)
    assert untrained(net, shape) == said_of(names)
