"""What training leaves as it is: synapses and biases that are not there, constants, neurons, frozen weights."""

from dataclasses import replace

import numpy as np
import pytest
import snntorch
import torch
from made_networks import ALL, Chain, plain
from made_training import task, weights
from torch import nn

from spear_deploy.backends.fixed_point.quantiser import quantiser_for
from spear_deploy.network import Encoding, from_snntorch, to_snntorch, to_torch
from spear_deploy.network.editing import with_arrays, with_nodes
from spear_deploy.training import Recipe, fine_tune

RECIPE = Recipe(epochs=3, batch=16, learning_rate=1e-2)


class SpikesHalved(nn.Module):
    """Both pools of one dimension, votes, and two numbers that spikes are multiplied by."""

    def __init__(self):
        super().__init__()
        self.conv, self.lif1 = nn.Conv1d(2, 6, 3, padding=1, bias=False), snntorch.Leaky(beta=0.9, threshold=0.2)
        self.largest, self.mean = nn.MaxPool1d(2), nn.AvgPool1d(2)
        self.fc1, self.lif2 = nn.Linear(18, 16), snntorch.Leaky(beta=0.9, threshold=0.3)
        self.votes, self.fc2, self.lif3 = nn.AvgPool1d(2), nn.Linear(8, 4), snntorch.Leaky(beta=0.9, threshold=0.2)

    def forward(self, x):
        first, second, third = (each.init_leaky() for each in (self.lif1, self.lif2, self.lif3))
        found = []
        for step in x:
            spk, first = self.lif1(self.conv(step), first)
            pooled = self.mean(self.largest(spk) * 0.5)
            spk, second = self.lif2(self.fc1(pooled.flatten(1)), second)
            spk, third = self.lif3(self.fc2(self.votes(spk)) * 3, third)
            found.append(spk)
        return torch.stack(found)


def test_neurons_are_not_trained():
    model = ALL["each neuron its own"]().model()
    tuned = fine_tune(model, task(model.network.input_shape, 5), RECIPE, seed=0)
    for name, neuron in model.network.neurons.items():
        for key in ("beta", "gain", "threshold"):
            np.testing.assert_array_equal(getattr(tuned.network.neurons[name], key), getattr(neuron, key))


def test_synapses_that_are_not_there_do_not_grow_back():
    model = plain().model()
    tuned = fine_tune(model, task((3,), model.time_steps), RECIPE, seed=0)
    for name in ("fc1", "fc2", "fc3"):
        before, after = (each.graph.nodes[name].weight for each in (model, tuned))
        assert (before == 0).any()
        np.testing.assert_array_equal(after[before == 0], 0)
        assert (after != before).any()


def test_a_layer_without_biases_learns_none():
    """NIR's convolutions hold zeros where torch's have `bias=False`."""
    chain = Chain((2, 6, 6)).conv("conv", 4).neurons("a").flatten().linear("fc", 4).neurons("b")
    model = chain.model()
    model.graph.nodes["conv"].bias[:] = 0
    tuned = fine_tune(model, task((2, 6, 6), model.time_steps), RECIPE, seed=0)
    before, after = weights(model), weights(tuned)
    assert {key for key in before if before[key] == after[key]} == {("conv", "bias")}


@pytest.mark.parametrize("rounded", [False, True])
def test_what_is_a_constant_of_the_forward_is_no_weight_to_learn(rounded):
    """Pools in one dimension, votes and factors: NIR says them by weights."""
    torch.manual_seed(0)
    net = SpikesHalved().eval()
    model = from_snntorch(net, input_shape=(2, 12), time_steps=5, encoding=Encoding.DIRECT)
    quantiser = quantiser_for(model) if rounded else None
    tuned = fine_tune(model, task((2, 12), model.time_steps), RECIPE, seed=0, quantiser=quantiser)
    before, after = weights(model), weights(tuned)
    assert {name for name, key in before if before[name, key] != after[name, key]} == {"conv", "fc1", "fc2"}
    assert model.parameters == sum(each.numel() for each in net.parameters())
    assert not any("requires_grad" in notice for notice in model.notices)


def test_a_constant_is_none_to_learn_for_whoever_trains_the_network_in_torch():
    torch.manual_seed(0)
    model = from_snntorch(SpikesHalved().eval(), input_shape=(2, 12), time_steps=5, encoding=Encoding.DIRECT)
    for network in (to_torch(model), to_snntorch(model)):
        learned = sum(each.numel() for each in network.parameters() if each.requires_grad)
        assert model.parameters <= learned <= model.parameters + 6  # biases that are all zero are there
    network = to_torch(model)
    with torch.no_grad():
        for each in network.parameters():
            each.add_(0.1)
    before, after = weights(model), weights(network.model)
    assert {name for name, key in before if before[name, key] != after[name, key]} == {"conv", "fc1", "fc2"}


@pytest.mark.parametrize("factor", [lambda gain: gain, lambda gain: gain.view(-1), lambda gain: gain.exp()])
def test_a_factor_that_was_learned_goes_on_learning(factor):
    class Gained(nn.Sequential):
        def forward(self, x):
            return self[2](self[1](self[0](x) * factor(self.gain)))

    torch.manual_seed(0)
    lif = snntorch.Leaky(beta=0.9, threshold=0.2, init_hidden=True, output=True)
    hidden = snntorch.Leaky(beta=0.9, threshold=0.2, init_hidden=True)
    net = Gained(nn.Linear(3, 16), nn.Sequential(hidden, nn.Linear(16, 4)), lif)
    net.gain = nn.Parameter(torch.linspace(0.5, 1.5, 16))
    model = from_snntorch(net.eval(), input_shape=(3,), time_steps=5, encoding=Encoding.DIRECT)
    tuned = fine_tune(model, task((3,), model.time_steps), RECIPE, seed=0)
    before, after = weights(model), weights(tuned)
    assert {name for name, key in before if key == "scale" and before[name, key] != after[name, key]} == {"scale"}
    assert model.parameters == sum(each.numel() for each in net.parameters())


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_frozen_weights_are_the_same_to_the_last_bit_and_others_learn(precision):
    model = plain().model()
    wide = {
        name: with_arrays(
            node, {key: getattr(node, key).astype(precision) * precision(1.1) for key in ("weight", "bias")}
        )
        if hasattr(node, "weight")
        else node
        for name, node in model.graph.nodes.items()
    }
    model = replace(model.with_graph(with_nodes(model.graph, wide)), frozen=frozenset({"fc2"}))
    tuned = fine_tune(model, task((3,), model.time_steps), RECIPE, seed=0)
    before, after = weights(model), weights(tuned)
    assert {name for name, key in before if before[name, key] != after[name, key]} == {"fc1", "fc3"}


def test_frozen_weights_that_the_chip_rounds_are_rounded_in_the_forward_pass_alone():
    model = replace(plain().model(), frozen=frozenset({"fc1"}))
    data = task((3,), model.time_steps)
    tuned = fine_tune(model, data, RECIPE, seed=0, quantiser=quantiser_for(model))
    before, after = weights(model), weights(tuned)
    assert before["fc1", "weight"] == after["fc1", "weight"]
    assert len(np.unique(tuned.graph.nodes["fc2"].weight)) < len(np.unique(model.graph.nodes["fc2"].weight))
