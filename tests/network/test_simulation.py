import math

import pytest
import snntorch
import torch
from network_builders import drawn_neuron, graph_of, leaky, lif, small_cnn
from snntorch import surrogate as theirs
from torch import nn

from spear_deploy.errors import ModelError
from spear_deploy.network import SURROGATES, Reset, Simulation, from_snntorch, node_of
from spear_deploy.network.simulation import NeuronLayer
from spear_deploy.network.surrogate import atan

VARIANTS = [(reset, delay) for reset in Reset for delay in (True, False)]


def stepwise(layer):
    """The same layer through autograd, one step after the other."""
    return NeuronLayer(layer.neuron, layer.dtype, lambda x: atan(x))


@pytest.mark.parametrize(("reset", "delay"), VARIANTS)
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("spiking", [True, False])
def test_all_steps_at_once_are_the_steps_one_by_one(monkeypatch, reset, delay, full, spiking):
    monkeypatch.setattr("spear_deploy.network.neuron_layer._PIECE", 24)
    torch.manual_seed(0)
    layer = NeuronLayer(drawn_neuron(reset, delay, (3, 4), each=full, alpha=full, spiking=spiking), torch.float64)
    currents = (torch.rand(15, 5, 3, 4, dtype=torch.float64) - 0.2).requires_grad_()
    weights = torch.randn(15, 5, 3, 4, dtype=torch.float64)
    results = []
    for run in (layer, stepwise(layer)):
        output = run(currents)
        (gradient,) = torch.autograd.grad((output * weights).sum(), currents)
        results.append((output.detach(), gradient))
    assert 0 < (results[0][0] > 0).double().mean() < 1
    assert torch.equal(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-12, atol=1e-14)
    with torch.no_grad():
        assert torch.equal(layer(currents), results[0][0])


@pytest.mark.parametrize("reset", ["zero", "subtract", "none"])
@pytest.mark.parametrize(
    ("name", "spike_grad"),
    [("atan", theirs.atan()), ("fast_sigmoid", theirs.fast_sigmoid()), ("sigmoid", theirs.sigmoid())],
)
def test_weights_receive_snntorchs_gradients(reset, name, spike_grad):
    torch.manual_seed(1)
    net = nn.Sequential(
        nn.Linear(5, 4),
        snntorch.Leaky(0.8, threshold=0.5, init_hidden=True, reset_mechanism=reset, spike_grad=spike_grad),
    ).double()
    simulation = Simulation(from_snntorch(net, input_shape=(5,), time_steps=8).graph, torch.float64, SURROGATES[name])
    x = 2 * torch.rand(8, 6, 5, dtype=torch.float64)
    loss_weights = torch.randn(8, 6, 4, dtype=torch.float64)
    net[1].reset_mem()
    (torch.stack([net(step) for step in x]) * loss_weights).sum().backward()
    (simulation(x).output * loss_weights).sum().backward()
    ours = dict(simulation.named_parameters())
    found = next(value.grad for value in ours.values() if value.dim() == 2)
    assert net[0].weight.grad.abs().max() > 0
    torch.testing.assert_close(found, net[0].weight.grad, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", SURROGATES)
def test_a_surrogate_is_a_step_forward_and_smooth_backward(name):
    x = torch.tensor([-1.0, -0.1, 0.0, 0.1, 1.0], dtype=torch.float64, requires_grad=True)
    spikes = SURROGATES[name](x)
    assert spikes.tolist() == [0, 0, 0, 1, 1]
    spikes.sum().backward()
    formula = {
        "atan": lambda v: 1 / (1 + (math.pi * v) ** 2),
        "fast_sigmoid": lambda v: 1 / (1 + 25 * abs(v)) ** 2,
        "sigmoid": lambda v: 25 * math.exp(-25 * v) / (1 + math.exp(-25 * v)) ** 2,
    }[name]
    torch.testing.assert_close(x.grad, torch.tensor([formula(v) for v in x.tolist()], dtype=torch.float64))


def test_decays_and_thresholds_can_be_trained_and_kept():
    torch.manual_seed(2)
    model = from_snntorch(small_cnn(), input_shape=(1, 8, 8), time_steps=5)
    simulation = Simulation(model.graph, trainable=("beta", "threshold"))
    optimizer = torch.optim.SGD(
        [p for name, p in simulation.named_parameters() if name.endswith(("beta", "threshold"))], 0.1
    )
    simulation(torch.rand(5, 4, 1, 8, 8)).output.sum().backward()
    optimizer.step()
    before, after = model.network.neurons, simulation.trained_neurons()
    for layer in before:
        assert (after[layer].beta != before[layer].beta).all()
        assert (after[layer].threshold != before[layer].threshold).all()
        assert ((after[layer].beta >= 0) & (after[layer].beta <= 1)).all()
        node_of(after[layer])


def test_trained_constants_are_named():
    with pytest.raises(ModelError, match="gain of a neuron cannot be trained, only beta, alpha, threshold"):
        Simulation(graph_of((3,), ("lif", lif(3))), trainable=("gain",))


def test_recurrent_and_branched_networks_are_trained():
    torch.manual_seed(3)
    recurrent = snntorch.RLeaky(0.8, linear_features=6, init_hidden=True, threshold=0.4)
    net = nn.Sequential(nn.Linear(5, 6), recurrent, nn.Linear(6, 3), leaky(threshold=0.3))
    simulation = Simulation(from_snntorch(net, input_shape=(5,), time_steps=6).graph)
    simulation(torch.rand(6, 8, 5)).output.sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in simulation.parameters())


def test_a_static_input_gives_what_the_same_input_repeated_gives():
    simulation = Simulation(from_snntorch(small_cnn(), input_shape=(1, 8, 8), time_steps=5).graph, torch.float64)
    x = torch.rand(1, 6, 1, 8, 8, dtype=torch.float64)
    static, repeated = x.expand(5, -1, -1, -1, -1), x.repeat(5, 1, 1, 1, 1)
    assert torch.equal(simulation(static).output, simulation(repeated).output)
