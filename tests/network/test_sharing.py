"""Modules that stand in several places of a network."""

import numpy as np
import pytest
import snntorch
import torch
from network_builders import heaviside, leaky, run_by_snntorch
from torch import nn

from spear_deploy.backends.fixed_point.quantiser import quantiser_for
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.network import Simulation, from_snntorch, load_any, save_model_file, to_torch, write_nir
from spear_deploy.network.sharing import shared_weights
from spear_deploy.pruning import Role, channel_groups, frozen_nodes, prune
from spear_deploy.search import CandidateFactory
from spear_deploy.training import Recipe, fine_tune
from spear_deploy.training.quieting import scaled

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


def images(shape, steps, samples=40, classes=5):
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(samples) % classes
    x = torch.rand((classes, *shape), generator=generator)[labels] * 3
    return EncodedSplit(SplitName.TRAIN, x.expand(steps, *x.shape), labels, analog=True)


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


class Tied(SharedWeights):
    """The same with a layer behind, so that its channels may be pruned; with norms of their own if `apart`."""

    def __init__(self, apart=False):
        super().__init__()
        self.fc, self.lif4, self.apart = nn.Linear(4 * 36, 5), leaky(threshold=0.2), apart
        self.other = nn.BatchNorm2d(4)

    def forward(self, x):
        x = self.lif1(self.first(x))
        x = self.lif2(self.norm(self.conv(x)))
        x = self.lif3((self.other if self.apart else self.norm)(self.conv(x)))
        return self.lif4(self.fc(x.flatten(1)))


def one_neuron(kind, start):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.fc3 = nn.Linear(8, 12), nn.Linear(12, 12), nn.Linear(12, 5)
            self.lif = kind

        def forward(self, x):
            first, second, third = (start(self.lif) for _ in range(3))
            found = []
            for step in x:
                spk, *first = self.lif(self.fc1(step), *first)
                spk, *second = self.lif(self.fc2(spk), *second)
                spk, *third = self.lif(self.fc3(spk), *third)
                found.append(spk)
            return torch.stack(found)

    return Net()


def arrays(graph, name):
    return graph.nodes[name].weight.tobytes(), graph.nodes[name].bias.tobytes()


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        (lambda: snntorch.Leaky(0.9, threshold=0.4, spike_grad=heaviside), lambda lif: [lif.init_leaky()]),
        (lambda: snntorch.Synaptic(0.7, 0.9, threshold=0.4, spike_grad=heaviside), lambda lif: lif.init_synaptic()),
    ],
)
def test_a_neuron_that_keeps_no_state_is_a_layer_in_each_of_its_places(kind, start):
    torch.manual_seed(5)
    net = one_neuron(kind(), start)
    model = from_snntorch(net, input_shape=(8,), time_steps=T, encoding="spikes")
    assert list(model.network.neurons) == ["lif", "lif_2", "lif_3"]
    assert model.network.read_out == "lif_3"
    x = (torch.rand(T, 20, 8) < 0.5).double()
    with torch.no_grad():
        expected = net.double()(x)
    assert 0 < expected.mean() < 1
    assert torch.equal(Simulation(model.graph, torch.float64)(x).output, expected)


def test_shared_weights_become_a_layer_for_each_place_which_is_said():
    torch.manual_seed(4)
    model = converted(SharedWeights(), (2, 6, 6))
    assert model.notices[0] == (
        "conv stands in several places: a layer for each, as on a chip, pruned and trained as one"
    )
    assert {"conv", "conv_2"} <= set(model.network.nodes)
    layers = SharedWeights().first, SharedWeights().conv  # norms go into them
    assert model.parameters == sum(each.numel() for layer in layers for each in layer.parameters())
    assert not [group.name for group in channel_groups(model.network) if group.prunable]  # the output's channels


def test_shared_weights_are_pruned_as_one():
    torch.manual_seed(4)
    model = converted(Tied(), (2, 6, 6))
    (group,) = [group for group in channel_groups(model.network) if group.prunable]
    named = {(member.node, member.role) for member in group.members}
    assert {(name, role) for name in ("conv", "conv_2") for role in (Role.PRODUCER, Role.CONSUMER)} <= named
    pruned = prune(model.network, channel_groups(model.network), {group.name: np.array([0, 3])})
    assert pruned.nodes["conv"].weight.shape == (2, 2, 3, 3)
    assert arrays(pruned, "conv") == arrays(pruned, "conv_2")
    assert shared_weights(pruned.nodes) == [("conv", "conv_2")]


@pytest.mark.parametrize("rounded", [False, True])
def test_shared_weights_are_pruned_recalibrated_and_trained_as_one(rounded):
    """Equal before and after each, and in what is saved."""
    torch.manual_seed(4)
    model = converted(Tied(), (2, 6, 6))
    data = images((2, 6, 6), T)
    candidate = CandidateFactory(model, data).candidate(np.array([0.75])).model
    assert arrays(candidate.graph, "conv") == arrays(candidate.graph, "conv_2")
    assert arrays(candidate.graph, "fc") != arrays(prune_alike(model, candidate), "fc")  # which is recalibrated
    quantiser = quantiser_for(candidate) if rounded else None
    tuned = fine_tune(candidate, data, Recipe(epochs=2, batch=16), seed=0, quantiser=quantiser)
    assert arrays(tuned.graph, "conv") == arrays(tuned.graph, "conv_2")
    assert arrays(tuned.graph, "conv") != arrays(candidate.graph, "conv")
    quiet = scaled(tuned, 0.9)
    assert arrays(quiet.graph, "conv") == arrays(quiet.graph, "conv_2") != arrays(tuned.graph, "conv")


def prune_alike(model, candidate):
    (group,) = [group for group in channel_groups(model.network) if group.prunable]
    kept = np.arange(candidate.network.shapes[group.name][0])
    return prune(model.network, channel_groups(model.network), {group.name: kept})


def test_shared_weights_have_the_gradients_of_all_their_places():
    """As torch's own module has, that is called twice."""
    torch.manual_seed(4)
    net = Tied()
    module = to_torch(converted(net, (2, 6, 6)), dtype=torch.float64)
    assert module.layer("conv").weight is module.layer("conv_2").weight
    assert len(list(module.parameters())) == 6


def test_weights_stay_one_through_a_file_and_freezing_one_place_freezes_all(tmp_path):
    torch.manual_seed(4)
    model = converted(Tied(), (2, 6, 6))
    save_model_file(model, tmp_path / "net.pt")
    write_nir(model, tmp_path / "net.nir")
    for read in (load_any(tmp_path / "net.pt"), load_any(tmp_path / "net.nir")):
        assert [set(each) for each in shared_weights(read.network.nodes)] == [{"conv", "conv_2"}]
    assert frozen_nodes(("conv_2",), model.network) == {"conv", "conv_2"}


def test_norms_that_differ_make_weights_of_their_own():
    torch.manual_seed(4)
    model = converted(Tied(apart=True), (2, 6, 6))
    said = "conv stands in several places: each has weights of its own, as norms that go into them differ"
    assert model.notices == (said,)
    assert not shared_weights(model.network.nodes)
    assert len([group for group in channel_groups(model.network) if group.prunable]) == 3
