"""What torch functions on the way do, against the network's own run in snnTorch."""

import pytest
import snntorch
import torch
from network_builders import heaviside, leaky, run_by_snntorch, trained
from snntorch import utils
from torch import nn
from torch.nn import functional

from spear_deploy.errors import ModelError
from spear_deploy.network import Simulation, from_snntorch
from spear_deploy.pruning import channel_groups

T, B = 6, 20


class Between(nn.Module):
    """A function of what one layer's neurons give, before the last layer."""

    def __init__(self, function, outputs, shape=(2, 6, 6)):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3) if len(shape) == 3 else nn.Conv1d(2, 4, 3)
        self.lif1, self.fc, self.lif2 = leaky(threshold=0.3), nn.Linear(outputs, 5), leaky(threshold=0.1)
        self.function = function

    def forward(self, x):
        return self.lif2(self.fc(self.function(self.lif1(self.conv(x)))))


def same_spikes(net, shape):
    torch.manual_seed(4)
    x = 2 * torch.rand(B, *shape, dtype=torch.float64).expand(T, B, *shape)
    for layer in net.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            layer.reset_parameters()
    model = from_snntorch(net, input_shape=shape, time_steps=T)
    utils.reset(net)
    expected = run_by_snntorch(net, x)
    assert 0 < expected.mean() < 1
    assert torch.equal(Simulation(model.graph, torch.float64)(x).output, expected)
    return model


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.mean([2, 3]),
        lambda x: x.mean(dim=(-2, -1)),
        lambda x: x.sum((2, 3)),
        lambda x: x.mean((2, 3), keepdim=True).flatten(1),
        lambda x: functional.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1),
        lambda x: functional.adaptive_max_pool2d(x, 1).squeeze(),
        lambda x: functional.adaptive_max_pool2d(x, (2, 2)).mean((2, 3)),
    ],
)
def test_the_mean_of_each_map_is_a_pool(function):
    same_spikes(Between(function, 4), (2, 6, 6))


@pytest.mark.parametrize(
    "function", [lambda x: x.mean(-1), lambda x: x.sum(2), lambda x: functional.adaptive_max_pool1d(x, 1).squeeze(2)]
)
def test_the_mean_of_each_sequence_of_a_map_is_a_pool(function):
    same_spikes(Between(function, 4, (2, 9)), (2, 9))


class TwoBranches(nn.Module):
    """What two branches give, joined by a function."""

    def __init__(self, function):
        super().__init__()
        self.fc1, self.lif1, self.fc2, self.lif2 = nn.Linear(6, 8), leaky(threshold=0.2), nn.Linear(6, 8), leaky()
        self.fc3, self.lif3, self.function = nn.Linear(8, 5), leaky(threshold=0.1), function

    def forward(self, x):
        return self.lif3(self.fc3(self.function(self.lif1(self.fc1(x)), self.lif2(self.fc2(x)))))


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: a - b,
        lambda a, b: a + (-b),
        lambda a, b: torch.sub(a, b),
        lambda a, b: 0.5 * a - 0.25 * b,
        lambda a, b: a - b - 0.0,
        lambda a, b: 0.0 - b + a,
    ],
)
def test_a_difference_is_a_sum_with_a_factor_of_minus_one(function):
    model = same_spikes(TwoBranches(function), (6,))
    tied = [group for group in channel_groups(model.network) if group.prunable]
    assert [{member.node for member in group.members} >= {"lif1", "lif2"} for group in tied] == [True]


class Normed(nn.Module):
    """A normalisation of what a function makes of two convolutions."""

    def __init__(self, function):
        super().__init__()
        self.a, self.b, self.norm = nn.Conv2d(2, 4, 3), nn.Conv2d(2, 4, 3), trained(nn.BatchNorm2d(4))
        self.lif, self.function = leaky(threshold=0.3), function
        self.factor = nn.Parameter(torch.tensor([0.5, 2.0, -1.0, 3.0]).reshape(4, 1, 1))

    def forward(self, x):
        return self.lif(self.norm(self.function(self, x)))


@pytest.mark.parametrize(
    "function",
    [
        lambda net, x: net.a(x) * 2,
        lambda net, x: -net.a(x),
        lambda net, x: net.factor * net.a(x),
        lambda net, x: net.a(x) - net.b(x),
        lambda net, x: net.factor * (0.5 * net.a(x) + net.factor * net.b(x) / 3),
        lambda net, x: functional.avg_pool2d(functional.max_pool2d(net.a(x) * 4, 2, 1) * net.factor, 2) / 3,
    ],
)
def test_a_normalisation_behind_factors_goes_into_the_weights_before_them(function):
    same_spikes(Normed(function), (2, 6, 6))


@pytest.mark.parametrize("factor", [torch.arange(1.0, 65.0).reshape(4, 4, 4), torch.eye(4)[0].reshape(4, 1, 1)])
def test_a_normalisation_behind_factors_that_no_weights_take_in_is_refused(factor):
    net = Normed(lambda net, x: net.a(x) * factor)
    with pytest.raises(ModelError, match=r"norm: BatchNorm is folded .* \(pools and a factor for each channel may lie"):
        from_snntorch(net, input_shape=(2, 6, 6), time_steps=T)


@pytest.mark.parametrize(
    ("net", "told"),
    [
        (TwoBranches(lambda a, b: 1 - a + b), r"lif3 receives the constant 1 that is added; put it into a bias, or"),
        (TwoBranches(lambda a, b: (a - 0.5) / 0.5 + b), r"the constant 0\.5 that is added; put it into a bias, or"),
        (Between(lambda x: x[:, :2].flatten(1), 32), r"lif2 receives a part of its channels or positions; let the"),
        (
            Between(lambda x: x.chunk(2, 1)[0].flatten(1), 32),
            r"lif2 receives the function chunk, .*; let the layer see",
        ),
        (Between(lambda x: x.mean(-1).mean(-1), 4), r"over some axes of one time step; take it over all positions"),
        (
            nn.Sequential(nn.Conv2d(2, 8, 3), leaky(), nn.PixelShuffle(2), nn.Conv2d(2, 2, 3), leaky()),
            r"2_pixelshuffle: PixelShuffle is not supported: it moves channels to positions; use ConvTranspose2d or",
        ),
        (
            nn.Sequential(nn.Conv2d(2, 4, 3), leaky(), nn.AdaptiveMaxPool2d(3), nn.Conv2d(4, 2, 3), leaky()),
            r"2_adaptivemaxpool2d: windows of different sizes, 4 x 4 in 3 x 3, are not supported in a max pool; choose",
        ),
    ],
)
def test_what_no_synapse_does_is_refused_with_the_way_out(net, told):
    shape = (6,) if isinstance(net, TwoBranches) else (2, 6, 6)
    with pytest.raises(ModelError, match=told):
        from_snntorch(net, input_shape=shape, time_steps=T)


class OwnWeights(nn.Module):
    """Weights that functions take: a standardised kernel, a tied decoder and a matrix of one's own."""

    def __init__(self):
        super().__init__()
        self.conv, self.lif1 = nn.Conv2d(2, 4, 3), leaky(threshold=0.3)
        self.encoder, self.lif2 = nn.Linear(64, 8), leaky(threshold=0.2)
        self.lif3, self.last, self.lif4 = leaky(threshold=0.2), nn.Parameter(torch.randn(64, 5) / 8), leaky()

    def forward(self, x):
        kernel = self.conv.weight - self.conv.weight.mean((1, 2, 3), keepdim=True)
        x = self.lif1(functional.conv2d(x, kernel, self.conv.bias, padding=0))
        x = self.lif2(self.encoder(x.flatten(1)))
        x = self.lif3(functional.linear(x, self.encoder.weight.T))
        return self.lif4(x @ self.last)


def test_weights_that_functions_take_are_layers_like_any_other():
    model = same_spikes(OwnWeights(), (2, 6, 6))
    assert {"conv2d", "linear", "linear_2"} <= set(model.network.nodes)
    assert [group.name for group in channel_groups(model.network) if group.prunable] == ["lif1", "lif2", "lif3"]


class OwnWeightsOverTime(nn.Module):
    """The same in a loop over a sequence, and on all of it at once."""

    def __init__(self):
        super().__init__()
        self.weight, self.kernel = nn.Parameter(torch.randn(6, 4, 9) / 3), nn.Parameter(torch.randn(9, 5) / 3)
        self.lif1, self.lif2 = (snntorch.Leaky(beta=0.9, threshold=0.3, spike_grad=heaviside) for _ in range(2))

    def forward(self, x):
        mem1, mem2, found = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for current in functional.linear(x, self.weight.sum(1).T):
            spikes, mem1 = self.lif1(current, mem1)
            out, mem2 = self.lif2(torch.matmul(spikes, self.kernel), mem2)
            found.append(out)
        return torch.stack(found)


def test_weights_that_functions_take_may_act_on_a_whole_sequence():
    torch.manual_seed(1)
    net = OwnWeightsOverTime()
    model = from_snntorch(net, input_shape=(6,), time_steps=T, encoding="spikes")
    x = (torch.rand(T, B, 6, generator=torch.Generator().manual_seed(2)) < 0.4).double()
    expected = net.double()(x).detach()
    assert 0 < expected.mean() < 1
    assert torch.equal(Simulation(model.graph, torch.float64)(x).output, expected)
