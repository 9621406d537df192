"""The way back into PyTorch: it fires as the model does, trains, and is saved as it is."""

import copy
import pickle

import numpy as np
import pytest
import torch
from made_networks import ALL, analog_input, plain, recurrent, residual, several_skips
from network_builders import heaviside
from snntorch import Leaky, utils
from torch import nn

import spear_deploy as sd
from spear_deploy.errors import ArgumentError, ModelError
from spear_deploy.network import Simulation, from_snntorch


def spikes_of_snntorch(net, x):
    utils.reset(net)
    with torch.no_grad():
        return torch.stack([net(step) for step in x])


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("delay", [True, False])
def test_it_fires_as_the_network_of_snntorch_that_was_converted(reset, delay):
    torch.manual_seed(3)
    lif = {"beta": 0.8, "init_hidden": True, "reset_mechanism": reset, "reset_delay": delay, "spike_grad": heaviside}
    net = nn.Sequential(nn.Linear(6, 20), Leaky(**lif), nn.Linear(20, 5), Leaky(**lif, threshold=0.5)).double()
    x = 3 * torch.rand(12, 40, 6, dtype=torch.float64)
    back = sd.to_torch(from_snntorch(net, input_shape=(6,), time_steps=12), dtype=torch.float64)
    wanted = spikes_of_snntorch(net, x)
    assert wanted.any()
    assert torch.equal(back(x), wanted)


@pytest.mark.parametrize("name", ALL)
def test_steps_one_by_one_are_the_whole_sequence(name):
    model = ALL[name]().model()
    net, x = sd.to_torch(model, dtype=torch.float64), analog_input(model)
    with torch.no_grad():
        whole = net(x)
        assert torch.equal(whole, Simulation(model.graph, torch.float64)(x).output)
        for _ in range(2):
            net.reset()
            assert torch.equal(torch.stack([net(step) for step in x]), whole)


@pytest.mark.parametrize("network", [plain, recurrent, residual, several_skips])
@pytest.mark.parametrize("trainable", [(), ("beta", "threshold")])
def test_what_was_trained_is_saved_to_the_last_spike(network, trainable, tmp_path):
    model = network().model()
    before = {name: np.array(node.weight) for name, node in model.graph.nodes.items() if hasattr(node, "weight")}
    net, x = sd.to_torch(model, trainable=trainable), analog_input(model, samples=16)
    wanted = torch.nn.functional.one_hot(torch.arange(16) % 4).float()
    optimiser, losses = torch.optim.Adam(net.parameters(), lr=2e-2), []
    for _ in range(30):
        loss = (net(x).mean(0) - wanted).square().sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]
    sd.save_model(net, tmp_path / "trained.pt")
    again = sd.load_model(tmp_path / "trained.pt")
    with torch.no_grad():
        trained = net(x)
        assert trained.any()
        assert torch.equal(sd.to_torch(again)(x), trained)
    assert (again.time_steps, again.encoding, again.read_out) == (model.time_steps, model.encoding, model.read_out)
    for name, weight in before.items():
        assert np.array_equal(model.graph.nodes[name].weight, weight), "the model that it came from is as it was"


def test_two_modules_of_one_model_share_no_parameter():
    model = plain().model()
    one, other = sd.to_torch(model), sd.to_torch(model)
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.zero_()
    assert all(bool(parameter.any()) for parameter in other.parameters())
    other.load_state_dict(one.state_dict())
    assert not any(bool(parameter.any()) for parameter in other.parameters())


def test_layers_have_the_names_of_the_model():
    net = sd.to_torch(plain().model())
    assert [name for name, _ in net.named_parameters()][:2] == ["simulation.fc1.weight", "simulation.fc1.bias"]
    assert net.layer("fc1") is net.simulation.fc1
    with pytest.raises(ModelError, match="'fc9': no such layer; there are a, b, c, fc1"):
        net.layer("fc9")


def test_a_recurrent_module_may_change_its_precision():
    model = recurrent().model()
    net, x = sd.to_torch(model).double(), analog_input(model)
    assert net(x).dtype == net(x[0]).dtype == torch.float64


def test_what_it_cannot_take_is_refused_in_one_line(tmp_path):
    net = sd.to_torch(plain().model())
    with pytest.raises(ModelError, match=r"needed \[T, B, 3\], or \[B, 3\] for one step, found \[5, 4\]"):
        net(torch.zeros(5, 4))
    net(torch.zeros(4, 3))
    with pytest.raises(ModelError, match="a step of 5 samples after one of 4"):
        net(torch.zeros(5, 3))
    with pytest.raises(ModelError, match="to_torch takes a model, found str"):
        sd.to_torch("model.pt")
    with pytest.raises(ModelError, match="'relu': no such surrogate; known: atan, fast_sigmoid, sigmoid"):
        sd.to_torch(plain().model(), surrogate="relu")
    with pytest.raises(ModelError, match="it is saved without options"):
        sd.save_model(net, tmp_path / "net.pt", time_steps=3)
    with pytest.raises(ModelError, match=r"that is an nn.Module or a model, found str"):
        sd.save_model("net", tmp_path / "net.pt")


def test_a_copy_in_the_middle_of_a_sequence_begins_other_samples():
    net, x = sd.to_torch(plain().model()), torch.rand(5, 3, 3)
    net(x[0])
    for copied in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(torch.stack([copied(step) for step in x]), net(x))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"dtype": "float32"}, "a module computes in torch.float32 or torch.float64, found 'float32'"),
        ({"dtype": torch.float16}, "a module computes in torch.float32 or torch.float64, found torch.float16"),
        ({"surrogate": None}, "a surrogate is a name or a function, found NoneType"),
        ({"trainable": "betta"}, "betta of a neuron cannot be trained, only beta, alpha, threshold"),
        ({"trainable": ("beta", 1)}, "1 of a neuron cannot be trained, only beta, alpha, threshold"),
        ({"trainable": ("beta", "alpha")}, "alpha: no neuron of this network has it; they have beta, threshold"),
    ],
)
def test_what_a_module_cannot_be_made_of_is_refused_when_it_is_made(options, reason):
    with pytest.raises(ModelError, match=reason):
        sd.to_torch(plain().model(), **options)


@pytest.mark.parametrize("trainable", [3, None, np.array(3)])
def test_what_is_no_list_of_constants_is_told_as_an_argument(trainable):
    with pytest.raises(ArgumentError, match="`trainable` takes an iterable of str, found"):
        sd.to_torch(plain().model(), trainable=trainable)


@pytest.mark.parametrize("name", ["fc9", 3, [], None])
def test_what_is_no_layer_is_told(name):
    with pytest.raises(ModelError, match="no such layer; there are a, b, c, fc1"):
        sd.to_torch(plain().model()).layer(name)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (np.zeros((5, 2, 3)), "a network runs tensors; found ndarray"),
        (torch.zeros(0, 2, 3), r"there is no step or no sample to run in \[0, 2, 3\]"),
        (torch.zeros(5, 0, 3), r"there is no step or no sample to run in \[5, 0, 3\]"),
    ],
)
def test_what_cannot_be_run_is_refused_in_a_line(given, reason):
    with pytest.raises(ModelError, match=reason):
        sd.to_torch(plain().model())(given)


def test_a_module_that_was_made_coarser_says_what_to_do_instead():
    with pytest.raises(ModelError, match=r"this one was made torch.float16; take torch.autocast instead"):
        sd.to_torch(plain().model()).half()(torch.zeros(5, 2, 3))


@pytest.mark.parametrize("wrapped", [nn.DataParallel, lambda net: torch.compile(net, backend="eager")])
def test_what_torch_wraps_a_module_in_is_left_out_when_it_is_saved(tmp_path, wrapped):
    net = sd.to_torch(plain().model())
    assert sd.save_model(wrapped(net), tmp_path / "net.pt").parameters == net.model.parameters
