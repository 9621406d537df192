"""Modules that stand in several places of a network."""

import torch
from network_builders import leaky, run_by_snntorch
from torch import nn

from spear_deploy.network import Simulation, from_snntorch
from spear_deploy.pruning import channel_groups

T = 6


class OnePool(nn.Module):
    """As many write it: one pool and one flatten for all layers, of maps of different sizes."""

    def __init__(self):
        super().__init__()
        self.conv1, self.lif1 = nn.Conv2d(2, 3, 3), leaky(threshold=0.3)
        self.conv2, self.lif2 = nn.Conv2d(3, 4, 3), leaky(threshold=0.3)
        self.fc, self.lif3 = nn.Linear(4, 5), leaky(threshold=0.2)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x):
        x = self.lif1(self.pool(self.conv1(x)))
        x = self.lif2(self.pool(self.conv2(x)))
        return self.lif3(self.fc(x.flatten(1)))


class SharedWeights(nn.Module):
    """One convolution and its norm on two branches, and again behind them."""

    def __init__(self):
        super().__init__()
        self.first, self.lif1 = nn.Conv2d(2, 4, 3, padding=1), leaky(threshold=0.3)
        self.conv, self.norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.lif2, self.lif3 = leaky(threshold=0.3), leaky(threshold=0.3)
        self.norm.running_mean.normal_(0, 0.1)
        self.norm.running_var.uniform_(0.5, 2)

    def forward(self, x):
        x = self.lif1(self.first(x))
        x = self.lif2(self.norm(self.conv(x)))
        return self.lif3(self.norm(self.conv(x)))


def converted(net, shape):
    model = from_snntorch(net, input_shape=shape, time_steps=T)
    x = 3 * torch.rand(T, 20, *shape, dtype=torch.float64)
    expected = run_by_snntorch(net, x)
    assert 0 < expected.mean() < 1
    assert torch.equal(Simulation(model.graph, torch.float64)(x).output, expected)
    return model


def test_a_pool_may_stand_behind_every_layer():
    torch.manual_seed(3)
    model = converted(OnePool(), (2, 10, 10))
    assert {"pool", "pool_2"} <= set(model.network.nodes)
    assert not model.notices


def test_shared_weights_become_a_layer_for_each_place_which_is_said():
    torch.manual_seed(4)
    model = converted(SharedWeights(), (2, 6, 6))
    assert model.notices == ("conv stands in several places: each has weights of its own from here on, as on a chip",)
    assert {"conv", "conv_2"} <= set(model.network.nodes)
    assert [group.name for group in channel_groups(model.network) if group.prunable] == ["lif1", "lif2"]
