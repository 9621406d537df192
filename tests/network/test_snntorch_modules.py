"""The way back into snnTorch, held against snnTorch's own run of the network that was converted."""

import re

import nir
import numpy as np
import pytest
import snntorch
import torch
from made_networks import ALL, Chain, analog_input, several_skips
from snntorch import utils
from torch import nn

import spear_deploy as sd
from spear_deploy.errors import ModelError
from spear_deploy.network import Neuron, Reset, from_snntorch, node_of


def run(net, x):
    utils.reset(net)
    with torch.no_grad():
        return torch.stack([net(step) for step in x])


def neuron(kind, width, reset, delay, rng):
    """A layer of a class of snnTorch with constants drawn for each neuron or for all."""
    options = {"init_hidden": True, "reset_mechanism": reset, "threshold": float(rng.uniform(0.4, 1.2))}
    beta = torch.rand(width) * 0.5 + 0.4 if rng.random() < 0.5 else float(rng.uniform(0.4, 0.95))
    if kind == "Lapicque":
        return snntorch.Lapicque(beta=float(rng.uniform(0.4, 0.95)), **options)
    if kind in ("Synaptic", "RSynaptic"):
        options["alpha"] = float(rng.uniform(0.2, 0.6))
    if kind in ("RLeaky", "RSynaptic"):
        options |= {"linear_features": width} if rng.random() < 0.6 else {"all_to_all": False, "V": torch.rand(width)}
    return getattr(snntorch, kind)(beta=beta, reset_delay=delay, **options)


CASES = [
    (kind, reset, delay)
    for kind in ("Leaky", "Lapicque", "Synaptic", "RLeaky", "RSynaptic")
    for reset in ("subtract", "zero", "none")
    for delay in (True, False)
    if delay or kind not in ("Lapicque", "RSynaptic")
]


@pytest.mark.parametrize(("kind", "reset", "delay"), CASES)
def test_it_fires_as_snntorch_does_to_the_last_spike(kind, reset, delay):
    rng = np.random.default_rng(len(kind) + 7 * delay)
    torch.manual_seed(int(rng.integers(1000)))
    net = nn.Sequential(
        nn.Linear(6, 24), neuron(kind, 24, reset, delay, rng), nn.Linear(24, 10), neuron(kind, 10, reset, delay, rng)
    )
    net[0].weight.data *= 4
    net[2].weight.data = net[2].weight.data.abs() * 2
    x = 2 * torch.rand(15, 30, 6)
    first = run(net, x)
    back = sd.to_snntorch(from_snntorch(net, input_shape=(6,), time_steps=15))
    assert first.any()
    assert isinstance(back, nn.Sequential)
    assert [type(each) for each in back] == [type(each) for each in net]
    assert torch.equal(run(back, x), first)


@pytest.mark.parametrize("pool", [nn.MaxPool2d, nn.AvgPool2d])
def test_a_convolutional_network_comes_back(pool):
    torch.manual_seed(5)
    lif = {"beta": 0.8, "init_hidden": True, "reset_delay": False}
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), snntorch.Leaky(**lif), pool(2),
        nn.Conv2d(8, 6, 3, stride=2), snntorch.RLeaky(**lif, conv2d_channels=6, kernel_size=3), nn.Flatten(),
        nn.Linear(54, 5), snntorch.Leaky(**lif),
    )  # fmt: skip
    net[1].weight.data += 2.0
    for each in net[4], net[7]:
        each.weight.data = each.weight.data.abs() * 3
    net.eval()
    model = from_snntorch(net, input_shape=(1, 16, 16), time_steps=8)
    x = torch.rand(8, 20, 1, 16, 16)
    wanted = run(net, x)
    assert wanted.any()
    assert torch.equal(run(sd.to_snntorch(model), x), wanted)


def test_a_membrane_is_read_as_it_is():
    torch.manual_seed(1)
    model = Chain((3,)).linear("fc1", 9).neurons("a").linear("fc2", 4).membranes("out").model(read_out="membrane")
    x = analog_input(model)
    back = sd.to_snntorch(model)
    assert "lif" not in back.code
    assert torch.allclose(run(back, x.float()), sd.to_torch(model)(x), atol=1e-5)


@pytest.mark.parametrize("name", [name for name in ALL if ALL[name] is not several_skips])
def test_what_comes_back_is_converted_again_to_the_same(name):
    model = ALL[name]().model()
    shape = model.network.input_shape
    again = from_snntorch(sd.to_snntorch(model), input_shape=shape, time_steps=model.time_steps)
    x = analog_input(model)
    wanted = sd.to_torch(model)(x)
    assert wanted.any()
    assert torch.equal(sd.to_torch(again)(x), wanted)


def test_it_trains_with_snntorch_and_shares_nothing_with_the_model():
    model = ALL["plain"]().model()
    net, before = sd.to_snntorch(model), np.array(model.graph.nodes["fc1"].weight)
    utils.reset(net)
    loss = sum(net(step).sum() for step in analog_input(model).float())
    loss.backward()
    assert net.fc1.weight.grad.any()
    with torch.no_grad():
        net.fc1.weight.zero_()
    assert np.array_equal(model.graph.nodes["fc1"].weight, before)


@pytest.mark.parametrize("kind", ["Leaky", "Lapicque", "Synaptic", "RLeaky"])
def test_in_float64_it_fires_as_the_model_does_and_learns_as_in_float32(kind):
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(6, 12), neuron(kind, 12, "subtract", True, np.random.default_rng(1)))
    net[0].weight.data *= 3
    model = from_snntorch(net, input_shape=(6,), time_steps=8)
    x, gradients = 2 * torch.rand(8, 5, 6, dtype=torch.float64), {}
    for dtype in (torch.float32, torch.float64):
        back = sd.to_snntorch(model, dtype=dtype)
        spikes = torch.stack([back(step) for step in x.to(dtype)])
        assert spikes.dtype is dtype
        spikes.square().sum().backward()
        gradients[dtype] = next(back.parameters()).grad
    assert torch.equal(spikes, sd.to_torch(model, dtype=torch.float64)(x))
    assert spikes.any()
    torch.testing.assert_close(gradients[torch.float64].float(), gradients[torch.float32], rtol=1e-3, atol=1e-5)


def test_the_user_s_random_numbers_stay_as_they_are():
    torch.manual_seed(8)
    wanted = torch.rand(3)
    torch.manual_seed(8)
    sd.to_snntorch(ALL["recurrent"]().model())
    assert torch.equal(torch.rand(3), wanted)


def each(value, **options):
    one = np.ones(4)
    return node_of(Neuron(beta=0.5 * one, gain=one, threshold=one, **{k: v * one for k, v in options.items()}, **value))


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (each({"reset": Reset.SUBTRACT_ONCE}), "out: snnTorch's Leaky has no reset subtract_once"),
        (each({}, offset=0.2), "out: a leak voltage"),
        (each({}, reset_value=-0.2), "out: it resets to another voltage than 0"),
        (nir.IF(r=1e4 * np.ones(4), v_threshold=np.ones(4), metadata={"reset": "zero_hold", "reset_delay": 1}),
         "out: a delayed reset to zero without a leak"),
    ],
)  # fmt: skip
def test_what_snntorch_cannot_say_is_refused_by_name(node, said):
    with pytest.raises(ModelError, match=re.escape(said)):
        sd.to_snntorch(Chain((3,)).linear("fc", 4).add("out", node).model())


def test_delays_and_loops_over_several_layers_are_refused():
    with pytest.raises(ModelError, match="delay: a delay of 2 steps; snnTorch has no module that delays"):
        sd.to_snntorch(several_skips().model())
    chain = Chain((3,)).linear("fc1", 8).neurons("a").linear("fc2", 6).neurons("b").linear("back", 8)
    chain.edges.append(("back", "a"))
    chain.last, chain.shape = "b", (6,)
    with pytest.raises(ModelError, match="b: its spikes go back to back; snnTorch's neurons feed back to themselves"):
        sd.to_snntorch(chain.model())
    with pytest.raises(ModelError, match="to_snntorch takes a model, found int"):
        sd.to_snntorch(3)
