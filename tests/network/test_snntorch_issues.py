"""The failing examples of snnTorch's NIR issues: 410, 384, 367, 334, 304 and 290.

Each goes to a file that plain `nir.read` loads, and comes back with the spikes of snnTorch.
"""

import nir
import numpy as np
import pytest
import snntorch
import torch
from network_builders import heaviside, run_by_snntorch
from snntorch.import_nir import import_from_nir
from snntorch.surrogate import sigmoid
from torch import nn

from spear_deploy.exporters.nir import NirExporter
from spear_deploy.network import Simulation, from_snntorch, load_any, read_nir, write_nir


def round_trip(net, shape, path, time_steps=10, **options):
    """The model that comes back from a NIR file, and the graph that plain NIR reads from it."""
    model = from_snntorch(net, input_shape=shape, time_steps=time_steps, **options)
    write_nir(model, path / "net.nir")
    return read_nir(path / "net.nir"), nir.read(path / "net.nir")


def in_float64(net):
    for module in net.modules():
        if isinstance(module, snntorch.SpikingNeuron):
            module.spike_grad = heaviside
    return net.double()


class SynapticNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(2450, 128)
        self.lif1 = snntorch.Synaptic(alpha=0.5, beta=0.9)
        self.fc2 = nn.Linear(128, 4)
        self.lif2 = snntorch.Synaptic(alpha=0.9, beta=0.9)

    def forward(self, x):
        spikes, _, _ = self.lif1(self.fc1(x))
        spikes, _, _ = self.lif2(self.fc2(spikes))
        return spikes


def test_410_and_334_synaptic_neurons_have_the_shape_of_their_layer(tmp_path):
    torch.manual_seed(0)
    net = SynapticNet()
    model, plain = round_trip(net, (2450,), tmp_path)
    np.testing.assert_array_equal(plain.nodes["lif1"].input_type["input"], [128])
    np.testing.assert_array_equal(plain.nodes["lif2"].output_type["output"], [4])
    x = 3 * torch.rand(10, 5, 2450, dtype=torch.float64)
    in_float64(net)
    with torch.no_grad():
        expected = torch.stack([net(step) for step in x])
    assert 0 < expected.mean() < 1
    assert torch.equal(Simulation(model.graph, torch.float64)(x).output, expected)


def test_410_a_file_with_scalar_neurons_loads(tmp_path):
    """What snnTorch 0.9.4 wrote: nir.read rejects it; ours takes the shapes from the layers between."""
    torch.manual_seed(0)
    net = SynapticNet()

    def cuba(alpha, beta):
        constants = {"tau_syn": 1e-4 / (1 - alpha), "tau_mem": 1e-4 / (1 - beta), "r": 1 / (1 - beta)}
        constants |= {"v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0, "w_in": 1 / (1 - alpha)}
        return nir.CubaLIF(**{key: np.float64(value) for key, value in constants.items()})

    dense = {
        name: nir.Affine(*(p.detach().numpy() for p in getattr(net, name).parameters())) for name in ("fc1", "fc2")
    }
    nodes = {"input": nir.Input(np.array([2450])), **dense, "lif1": cuba(0.5, 0.9), "lif2": cuba(0.9, 0.9)}
    nodes["output"] = nir.Output(np.array([], dtype=int))
    edges = [("input", "fc1"), ("fc1", "lif1"), ("lif1", "fc2"), ("fc2", "lif2"), ("lif2", "output")]
    nir.write(tmp_path / "model.nir", nir.NIRGraph(nodes, edges, type_check=False))
    with pytest.raises(ValueError, match="type mismatch"):
        nir.read(tmp_path / "model.nir")
    model = load_any(tmp_path / "model.nir", time_steps=5)
    assert [model.network.shapes[name] for name in model.network.layers] == [(128,), (4,)]
    assert "lif1: its scalar parameters are spread over the layer" in model.notices


def test_384_a_lif_has_a_v_reset_and_the_dense_example_comes_back(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 500),
        snntorch.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(500, 10),
        snntorch.Leaky(beta=0.9, init_hidden=True, output=True),
    )
    model, plain = round_trip(net, (1, 28, 28), tmp_path)
    np.testing.assert_array_equal(plain.nodes["2_leaky"].v_reset, np.zeros(500))
    x = 3 * torch.rand(10, 5, 1, 28, 28, dtype=torch.float64)
    net[-1].output = False
    expected = run_by_snntorch(in_float64(net), x)
    assert 0 < expected.mean() < 1
    assert torch.equal(Simulation(model.graph, torch.float64)(x).output, expected)


def convolutional():
    options = {"beta": 0.1, "threshold": 0.1, "spike_grad": sigmoid(25), "init_hidden": True}
    return nn.Sequential(
        nn.Conv2d(2, 8, kernel_size=(3, 3), padding=(1, 1), bias=False),
        snntorch.Leaky(**options),
        nn.AvgPool2d(2, 2),
        nn.Conv2d(8, 16, kernel_size=(3, 3), padding=(1, 1), bias=False),
        snntorch.Leaky(**options),
        nn.AvgPool2d(2, 2),
        nn.Conv2d(16, 16, kernel_size=(3, 3), padding=(1, 1), stride=(2, 2), bias=False),
        snntorch.Leaky(**options),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 10, bias=False),
        snntorch.Leaky(**options, output=True),
    )


def test_367_and_304_convolutions_pools_and_per_axis_sizes_come_back(tmp_path):
    torch.manual_seed(0)
    net = convolutional()
    model, plain = round_trip(net, (2, 34, 34), tmp_path)
    kinds = [type(node).__name__ for node in plain.nodes.values()]
    assert (kinds.count("Conv2d"), kinds.count("AvgPool2d"), kinds.count("LIF")) == (3, 2, 4)
    x = 2 * torch.rand(10, 2, 2, 34, 34, dtype=torch.float64)
    net[-1].output = False
    expected = run_by_snntorch(in_float64(net), x)
    assert 0 < expected.mean() < 1
    assert torch.equal(Simulation(model.graph, torch.float64)(x).output, expected)


@pytest.mark.parametrize("all_to_all", [True, False])
def test_290_recurrent_leaky_comes_back(tmp_path, all_to_all):
    torch.manual_seed(0)
    options = {"linear_features": 8} if all_to_all else {"all_to_all": False, "V": torch.rand(8)}
    net = nn.Sequential(
        nn.Linear(6, 8),
        snntorch.RLeaky(beta=0.9, init_hidden=True, threshold=0.5, **options),
        nn.Linear(8, 3),
        snntorch.Leaky(beta=0.9, init_hidden=True, threshold=0.3),
    )
    model, plain = round_trip(net, (6,), tmp_path)
    assert ("1_rleaky", "1_rleaky_recurrent") in plain.edges
    x = 2 * torch.rand(10, 20, 6, dtype=torch.float64)
    expected = run_by_snntorch(in_float64(net), x)
    assert 0 < expected.mean() < 1
    assert torch.equal(Simulation(model.graph, torch.float64)(x).output, expected)


def test_snntorchs_own_importer_runs_our_files_with_the_same_spikes(tmp_path):
    torch.manual_seed(0)
    options = {"reset_mechanism": "zero", "reset_delay": False, "init_hidden": True}
    net = nn.Sequential(
        nn.Linear(6, 8),
        snntorch.Leaky(beta=0.9, threshold=0.4, **options),
        nn.Linear(8, 4),
        snntorch.Leaky(beta=0.8, threshold=0.3, **options),
    )
    model = from_snntorch(net, input_shape=(6,), time_steps=10)
    x = 2 * torch.rand(10, 20, 6)
    expected = Simulation(model.graph)(x).output.detach()
    assert 0 < expected.mean() < 1
    for portable in (True, False):
        NirExporter(portable=portable).write(model, tmp_path / "net.nir")
        theirs, state, found = import_from_nir(nir.read(tmp_path / "net.nir")), None, []
        for step in x:
            out, state = theirs(step) if state is None else theirs(step, state)
            found.append(out[0] if isinstance(out, tuple) else out)
        assert torch.equal(torch.stack(found).detach(), expected)
