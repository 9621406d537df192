import numpy as np
import pytest
import snntorch
import torch
from network_builders import heaviside, leaky, lif, run_by_snntorch
from torch import nn

from spear_deploy.errors import ModelError
from spear_deploy.network import Neuron, Reset, Simulation, from_snntorch, neuron_of, node_of

RESETS = [(reset, delay) for reset in ("zero", "subtract", "none") for delay in (True, False)]


@pytest.mark.parametrize(("reset", "delay"), RESETS)
@pytest.mark.parametrize("beta", [0.0, 0.37, 0.9, 1.0])
def test_a_neuron_spikes_as_snntorchs_leaky_does(reset, delay, beta):
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(5, 7), leaky(beta, threshold=0.4, reset_mechanism=reset, reset_delay=delay)).double()
    x = 3 * torch.rand(40, 100, 5, dtype=torch.float64)
    model = from_snntorch(net, input_shape=(5,), time_steps=40)
    expected = run_by_snntorch(net, x)
    assert 0 < expected.mean() < 1
    assert torch.equal(Simulation(model.graph, torch.float64)(x).output, expected)


@pytest.mark.parametrize("shape", [(), (1,), (7,), (1, 7)])
def test_beta_and_threshold_may_differ_by_neuron(shape):
    torch.manual_seed(2)
    beta, threshold = torch.rand(shape), 0.2 + torch.rand(shape)
    net = nn.Sequential(nn.Linear(5, 7), leaky(beta, threshold=threshold)).double()
    x = 3 * torch.rand(20, 100, 5, dtype=torch.float64)
    model = from_snntorch(net, input_shape=(5,), time_steps=20)
    assert torch.equal(Simulation(model.graph, torch.float64)(x).output, run_by_snntorch(net, x))


def test_the_default_surrogate_gives_the_same_spikes_in_float32():
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(5, 7), snntorch.Leaky(0.9, init_hidden=True, threshold=0.4))
    x = 3 * torch.rand(20, 1, 5)
    model = from_snntorch(net, input_shape=(5,), time_steps=20)
    assert torch.equal(Simulation(model.graph)(x).output, run_by_snntorch(net, x))


def test_constants_survive_nir_bit_for_bit():
    beta = np.random.default_rng(0).random((3, 4))
    neuron = Neuron(beta, gain=np.full((3, 4), 0.1), threshold=np.ones((3, 4)), alpha=beta**2, reset=Reset.SUBTRACT)
    back = neuron_of(node_of(neuron))
    for key in ("beta", "gain", "alpha", "threshold"):
        np.testing.assert_array_equal(getattr(back, key), getattr(neuron, key))
    assert back.reset is Reset.SUBTRACT


def test_a_node_without_metadata_is_forward_euler_with_reset_to_zero():
    node = lif((2,), beta=0.75, dt=1e-4)
    node.metadata.clear()
    neuron = neuron_of(node)
    np.testing.assert_allclose(neuron.beta, 0.75, rtol=1e-12)
    np.testing.assert_allclose(neuron.gain, 1.0, rtol=1e-12)
    assert neuron.reset is Reset.ZERO


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tau": np.array([1e-5, 1e-3])}, "at least dt = 0.0001 s, found 1e-05 s"),
        ({"tau": np.array([-1.0, 1e-3])}, "at least dt = 0.0001 s, found -1 s"),
        ({"v_threshold": np.array([1.0, 0.0])}, "thresholds must be positive, found 0"),
        ({"v_threshold": np.array([1.0, np.nan])}, "v_threshold must be finite, found nan"),
        ({"r": np.array([1.0, np.inf])}, "r must be finite, found inf"),
        ({"r": np.array([1.0, 1e39])}, r"r must fit into float32, up to 3.4e\+38, found 1e\+39"),
        ({"metadata": {"dt": 0.0}}, "dt must be positive, found 0"),
        ({"metadata": {"dt": 1e-4, "reset": "soft"}}, "unknown reset 'soft'"),
        ({"metadata": {"dt": 1e-4, "beta": 0.51}}, "beta = 0.51 contradicts the node's own parameters, which give 0.5"),
        ({"metadata": {"dt": 1e-4, "beta": np.zeros(3)}}, r"beta has shape \(3,\), the layer \(2,\)"),
    ],
)
def test_impossible_parameters_are_refused_by_name_and_number(change, message):
    node = lif((2,))
    for key, value in change.items():
        setattr(node, key, value)
    with pytest.raises(ModelError, match=f"^lif1: .*{message}"):
        neuron_of(node, "lif1")


def test_exact_constants_within_a_millionth_are_taken_from_the_metadata():
    node = lif((2,), beta=0.5)
    node.metadata["beta"] = 0.5000004
    np.testing.assert_array_equal(neuron_of(node).beta, 0.5000004)


def test_surrogate_gradients_flow_through_time():
    net = nn.Sequential(nn.Linear(3, 2), snntorch.Leaky(0.9, init_hidden=True, spike_grad=heaviside))
    simulation = Simulation(from_snntorch(net, input_shape=(3,), time_steps=5).graph)
    simulation(torch.rand(5, 4, 3)).output.sum().backward()
    gradients = [parameter.grad for parameter in simulation.parameters()]
    assert gradients
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)
