"""Concatenated channels: the weights behind them add up their parts, exactly, and are pruned like any others."""

import numpy as np
import pytest
import snntorch
import torch
from made_networks import analog_input
from network_builders import heaviside, leaky, trained
from silencing import silence
from snntorch import utils
from torch import nn
from torch.nn import functional

from spear_deploy.backends.fixed_point import LoihiExecution, quantize
from spear_deploy.backends.lava.job import floating_job
from spear_deploy.errors import ModelError
from spear_deploy.exporters.onnx import OnnxExporter
from spear_deploy.exporting import assert_faithful
from spear_deploy.network import Simulation, from_snntorch, read_nir, write_nir
from spear_deploy.pruning import channel_groups, prune

T, B = 6, 20


class Dense(nn.Module):
    """As in DenseNet: each block sees all before it; a norm behind, one before, pools and a flat end."""

    def __init__(self):
        super().__init__()
        self.conv1, self.lif1 = nn.Conv2d(2, 4, 3, padding=1), leaky(threshold=0.4)
        self.conv2, self.lif2 = nn.Conv2d(4, 3, 3, padding=1), leaky(threshold=0.3)
        self.conv3, self.norm3, self.lif3 = nn.Conv2d(7, 5, 3), trained(nn.BatchNorm2d(5)), leaky(threshold=0.4)
        self.pool = nn.AvgPool2d(2)
        self.fc, self.lif4 = nn.Linear(7 * 9 + 5, 6), leaky(threshold=0.2)

    def forward(self, x):
        first = self.lif1(self.conv1(x))
        second = self.lif2(self.conv2(first))
        both = torch.cat([first, second], dim=1)
        third = self.lif3(self.norm3(self.conv3(both)))
        wide = self.pool(both).flatten(1)
        deep = functional.avg_pool2d(third, 3).flatten(1)
        return self.lif4(self.fc(torch.cat((wide, deep), 1)))


class Skip(nn.Module):
    """As in a U-Net: spikes of an earlier layer beside those of a later one."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1, self.fc2, self.lif2 = nn.Linear(6, 8), leaky(threshold=0.3), nn.Linear(8, 5), leaky()
        self.norm, self.fc3, self.lif3 = trained(nn.BatchNorm1d(13)), nn.Linear(13, 4), leaky(threshold=0.2)

    def forward(self, x):
        first = self.lif1(self.fc1(x))
        return self.lif3(self.fc3(self.norm(torch.cat([first, self.lif2(self.fc2(first))], -1))))


class Branches(nn.Module):
    """As in Inception: kernels of several sizes side by side before one norm and one layer of neurons."""

    def __init__(self):
        super().__init__()
        self.stem, self.lif0 = nn.Conv2d(2, 4, 3, padding=1), leaky(threshold=0.4)
        self.narrow, self.wide = nn.Conv2d(4, 3, 1), nn.Conv2d(4, 5, 3, padding=1)
        own = {"threshold": torch.linspace(0.2, 0.6, 8).reshape(8, 1, 1)}
        self.norm, self.lif1 = trained(nn.BatchNorm2d(8)), leaky(torch.linspace(0.5, 0.9, 8).reshape(8, 1, 1), **own)
        self.pool, self.fc, self.lif2 = nn.AvgPool2d(2), nn.Linear(8 * 9, 5), leaky(threshold=0.2)

    def forward(self, x):
        x = self.lif0(self.stem(x))
        x = self.lif1(self.norm(torch.cat([self.narrow(x), self.wide(x)], 1)))
        return self.lif2(self.fc(self.pool(x).flatten(1)))


class Grouped(nn.Module):
    """As in ShuffleNets: groups that each take from one branch, a norm behind them; then a depthwise convolution."""

    def __init__(self):
        super().__init__()
        self.conv1, self.lif1 = nn.Conv2d(2, 4, 3, padding=1), leaky(threshold=0.4)
        self.conv2, self.lif2 = nn.Conv2d(4, 8, 3, padding=1), leaky(threshold=0.3)
        self.groups, self.norm = nn.Conv2d(12, 6, 3, padding=1, groups=3), trained(nn.BatchNorm2d(6))
        self.lif3, self.depthwise = leaky(threshold=0.2), nn.Conv2d(12, 12, 3, groups=12, bias=False)
        self.pointwise, self.lif4 = nn.Conv2d(12, 5, 1), leaky(threshold=0.2)
        self.fc, self.lif5 = nn.Linear(5 * 16 + 6 * 36, 6), leaky(threshold=0.2)

    def forward(self, x):
        first = self.lif1(self.conv1(x))
        both = torch.cat([first, self.lif2(self.conv2(first))], 1)
        third = self.lif3(self.norm(self.groups(both)))
        fourth = self.lif4(self.pointwise(self.depthwise(both)))
        return self.lif5(self.fc(torch.cat([fourth.flatten(1), third.flatten(1)], 1)))


class GroupAcross(nn.Module):
    """Groups of four channels on branches of two and six."""

    def __init__(self):
        super().__init__()
        self.narrow, self.wide, self.lif1 = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 6, 1), leaky()
        self.groups, self.lif2 = nn.Conv2d(8, 4, 3, groups=2), leaky()

    def forward(self, x):
        return self.lif2(self.groups(self.lif1(torch.cat([self.narrow(x), self.wide(x)], 1))))


class CurrentsOnly(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.lif = nn.Linear(6, 4), nn.Linear(6, 4), leaky()

    def forward(self, x):
        return self.lif(torch.cat([self.fc1(x), self.fc2(x)], 1))


CASES = {
    "dense": (Dense, (2, 6, 6)),
    "skip": (Skip, (6,)),
    "branches": (Branches, (2, 6, 6)),
    "grouped": (Grouped, (2, 6, 6)),
}


def made(case):
    torch.manual_seed(4)
    build, shape = CASES[case]
    return build(), shape


def run(net, x):
    net = net.double().eval()
    utils.reset(net)
    with torch.no_grad():
        return torch.stack([net(step) for step in x])


def outputs(graph, x):
    with torch.no_grad():
        return Simulation(graph, torch.float64)(x).outputs


@pytest.mark.parametrize("case", CASES)
def test_a_concatenation_gives_the_spikes_of_snntorch_through_every_file(case, tmp_path):
    net, shape = made(case)
    x = 3 * torch.rand(T, B, *shape, dtype=torch.float64)
    model = from_snntorch(net, input_shape=shape, time_steps=T)
    expected = run(net, x)
    assert 0 < expected.mean() < 1
    assert torch.equal(outputs(model.graph, x)[model.network.read_out], expected)
    write_nir(model, tmp_path / "net.nir")
    assert torch.equal(outputs(read_nir(tmp_path / "net.nir").graph, x)[model.network.read_out], expected)
    assert assert_faithful(OnnxExporter(), model).layers
    assert floating_job(model.network, analog_input=True).layers
    integers = LoihiExecution(quantize(model, calibration=x)).run(x).outputs
    wanted = outputs(model.graph, x)
    assert all((integers[name].double() != wanted[name]).double().mean() < 0.05 for name in model.network.layers)


@pytest.mark.parametrize("case", CASES)
def test_pruning_through_a_concatenation_equals_silencing(case):
    net, shape = made(case)
    model = from_snntorch(net, input_shape=shape, time_steps=T)
    network, x = model.network, analog_input(model)
    groups = channel_groups(network)
    assert {group.name for group in groups if group.prunable} == set(network.layers) - {network.read_out}
    keep = {group.name: np.arange(0, group.size, 2) for group in groups if group.prunable}
    expected = outputs(silence(network, keep), x)
    found = outputs(prune(network, groups, keep), x)
    assert found[network.read_out].sum() > 0
    for name, spikes in found.items():
        kept = torch.from_numpy(keep.get(name, np.arange(network.shapes[name][0])))
        assert torch.equal(spikes, expected[name][:, :, kept]), name


def test_neurons_on_concatenated_currents_are_a_layer_for_each_branch():
    net, shape = made("branches")
    network = from_snntorch(net, input_shape=shape, time_steps=T).network
    assert {name: network.shapes[name] for name in ("lif1_1", "lif1_2")} == {"lif1_1": (3, 6, 6), "lif1_2": (5, 6, 6)}
    np.testing.assert_allclose(network.neurons["lif1_2"].threshold[:, 0, 0], np.linspace(0.2, 0.6, 8)[3:], rtol=1e-6)


class Steps(CurrentsOnly):
    """The same with states handed over, and a layer behind."""

    def __init__(self):
        super().__init__()
        self.lif = snntorch.Leaky(0.9, threshold=0.3, spike_grad=heaviside)
        self.fc3, self.lif3 = nn.Linear(8, 5), leaky(threshold=0.2)

    def forward(self, x, mem=None):
        spk, mem = self.lif(torch.cat([self.fc1(x), self.fc2(x)], 1), self.lif.init_leaky() if mem is None else mem)
        return self.lif3(self.fc3(spk)), mem


def test_their_states_may_be_handed_over():
    torch.manual_seed(4)
    net = Steps()
    x = 3 * torch.rand(T, B, 6, dtype=torch.float64)
    model = from_snntorch(net, input_shape=(6,), time_steps=T)
    utils.reset(net.double())
    expected, mem = [], None
    with torch.no_grad():
        for step in x:
            spk, mem = net(step, mem)
            expected.append(spk)
    assert 0 < torch.stack(expected).mean() < 1
    assert torch.equal(outputs(model.graph, x)["lif3"], torch.stack(expected))


class OneNeuron(CurrentsOnly):
    """One module that keeps no state behind a layer, a concatenation and another layer."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 6), nn.Linear(8, 5)
        self.lif = snntorch.Leaky(0.9, threshold=0.3, spike_grad=heaviside)

    def forward(self, x):
        mem1, mem2, mem3 = (self.lif.init_leaky() for _ in range(3))
        found = []
        for step in x:
            spk, mem1 = self.lif(self.first(step), mem1)
            spk, mem2 = self.lif(torch.cat([self.fc1(spk), self.fc2(spk)], 1), mem2)
            spk, mem3 = self.lif(self.last(spk), mem3)
            found.append(spk)
        return torch.stack(found)


def test_they_may_be_those_of_a_module_that_stands_in_several_places():
    torch.manual_seed(4)
    net = OneNeuron()
    x = 3 * torch.rand(T, B, 6, dtype=torch.float64)
    model = from_snntorch(net, input_shape=(6,), time_steps=T, encoding="sequence")
    assert list(model.network.layers) == ["lif", "lif_2_1", "lif_2_2", "lif_3"]
    with torch.no_grad():
        expected = net.double()(x)
    assert 0 < expected.mean() < 1
    assert torch.equal(outputs(model.graph, x)["lif_3"], expected)


def test_a_concatenation_at_the_end_is_refused_by_its_layers():
    with pytest.raises(ModelError, match="returns a concatenation of lif_1, lif_2; end it with one layer of weights"):
        from_snntorch(CurrentsOnly(), input_shape=(6,), time_steps=T)


class HearsItself(CurrentsOnly):
    def __init__(self):
        super().__init__()
        self.lif = snntorch.RLeaky(0.9, linear_features=8, init_hidden=True)


def test_recurrent_neurons_on_concatenated_currents_are_refused():
    with pytest.raises(ModelError, match="lif receives a concatenation of currents; give each branch neurons"):
        from_snntorch(HearsItself(), input_shape=(6,), time_steps=T)


def test_a_group_that_takes_from_several_branches_is_refused_as_that():
    with pytest.raises(ModelError, match=r"groups: Conv2d on a concatenation, where a group takes from several parts"):
        from_snntorch(GroupAcross(), input_shape=(2, 6, 6), time_steps=T)
