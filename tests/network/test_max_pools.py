"""The largest current before a neuron: exact where it can be computed, refused by name where it cannot."""

import nir
import numpy as np
import pytest
import snntorch
import torch
from made_networks import max_pooled
from network_builders import heaviside, leaky, run_by_snntorch, trained
from snntorch import utils
from torch import nn
from torch.nn import functional

from spear_deploy.backends.fixed_point import quantize
from spear_deploy.backends.lava.job import floating_job
from spear_deploy.errors import BackendError, ModelError
from spear_deploy.exporters.onnx import Form, OnnxExporter
from spear_deploy.exporting import assert_faithful
from spear_deploy.hardware import check, known_profiles, load_profile
from spear_deploy.network import (
    Simulation,
    differences,
    from_snntorch,
    load_model_file,
    portable,
    read_nir,
    save_model_file,
    write_nir,
)

T, B = 7, 20

NETWORKS = {
    "windows that overlap, padded": (
        (2, 9, 8),
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.MaxPool2d(3, stride=2, padding=1), leaky(threshold=0.4)),
    ),
    "flat windows": ((2, 9, 8), lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.MaxPool2d((1, 2)), leaky(threshold=0.4))),
    "one dimension": (
        (3, 14),
        lambda: nn.Sequential(nn.Conv1d(3, 5, 3), nn.MaxPool1d(3, stride=2, padding=1), leaky(threshold=0.4)),
    ),
    "normalised before": (
        (2, 8, 8),
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3), trained(nn.BatchNorm2d(4)), nn.MaxPool2d(2), leaky(threshold=0.4)),
    ),
    "normalised behind": (
        (2, 8, 8),
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.MaxPool2d(2), trained(nn.BatchNorm2d(4)), leaky(threshold=0.4)),
    ),
    "average and norm behind": (
        (2, 10, 10),
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.AvgPool2d(2), trained(nn.BatchNorm2d(4)), leaky(threshold=0.2)),
    ),
    "flattened behind": (
        (2, 8, 8),
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3),
            nn.MaxPool2d(2),
            nn.Flatten(),
            leaky(threshold=0.4),
            nn.Linear(36, 5),
            leaky(threshold=0.1),
        ),
    ),
}


class Tutorial6(nn.Module):
    """The convolutional network of snnTorch's tutorial 6, which F.max_pool2d stands before the neuron."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 5)
        self.lif1 = snntorch.Leaky(beta=0.5, spike_grad=heaviside)
        self.conv2 = nn.Conv2d(12, 64, 5)
        self.lif2 = snntorch.Leaky(beta=0.5, threshold=0.3, spike_grad=heaviside)
        self.fc1 = nn.Linear(64 * 4 * 4, 10)
        self.lif3 = snntorch.Leaky(beta=0.5, threshold=0.1, spike_grad=heaviside)

    def forward(self, x):
        utils.reset(self)
        mem1, mem2, mem3 = self.lif1.init_leaky(), self.lif2.init_leaky(), self.lif3.init_leaky()
        spikes, membranes = [], []
        for _ in range(T):
            spk1, mem1 = self.lif1(functional.max_pool2d(self.conv1(x), 2), mem1)
            spk2, mem2 = self.lif2(functional.max_pool2d(self.conv2(spk1), 2), mem2)
            spk3, mem3 = self.lif3(self.fc1(spk2.view(x.shape[0], -1)), mem3)
            spikes.append(spk3)
            membranes.append(mem3)
        return torch.stack(spikes), torch.stack(membranes)


def tutorial_7():
    """The network of tutorial 7, on events of a dynamic vision sensor."""
    return nn.Sequential(
        *(nn.Conv2d(2, 12, 5), nn.MaxPool2d(2), leaky(0.5)),
        *(nn.Conv2d(12, 32, 5), nn.MaxPool2d(2), leaky(0.5)),
        *(nn.Flatten(), nn.Linear(32 * 5 * 5, 10), leaky(0.5, output=True)),
    )


def spikes_of(model, x):
    with torch.no_grad():
        return Simulation(model.graph, torch.float64)(x).output


@pytest.mark.parametrize("case", NETWORKS)
def test_a_pool_before_the_neuron_gives_the_spikes_of_snntorch_through_every_file(case, tmp_path):
    shape, build = NETWORKS[case]
    torch.manual_seed(5)
    net = build()
    x = 3 * torch.randn(T, B, *shape, dtype=torch.float64)
    model = from_snntorch(net, input_shape=shape, time_steps=T)
    expected = run_by_snntorch(net, x)
    assert 0 < expected.mean() < 1
    assert torch.equal(spikes_of(model, x), expected)
    save_model_file(model, tmp_path / "net.pt")
    write_nir(model, tmp_path / "net.nir")
    for read in (load_model_file(tmp_path / "net.pt"), read_nir(tmp_path / "net.nir")):
        assert torch.equal(spikes_of(read, x), expected)


def test_the_network_of_tutorial_6_is_converted():
    torch.manual_seed(6)
    net = Tutorial6()
    x = 3 * torch.rand(4, 1, 28, 28, dtype=torch.float64)
    model = from_snntorch(net, input_shape=(1, 28, 28), time_steps=T)
    expected = net.double()(x)[0]
    assert expected.sum() > 0
    assert torch.equal(spikes_of(model, x.expand(T, *x.shape)), expected)


def test_the_network_of_tutorial_7_is_converted():
    torch.manual_seed(7)
    net = tutorial_7()
    for layer in net:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.weight.data *= 3
    x = (torch.rand(T, 4, 2, 34, 34) < 0.2).double()
    model = from_snntorch(net, input_shape=(2, 34, 34), time_steps=T, encoding="spikes")
    net = net.double().eval()
    utils.reset(net)
    with torch.no_grad():
        expected = torch.stack([net(step)[0] for step in x])
    assert expected.sum() > 0
    assert torch.equal(spikes_of(model, x), expected)


def test_a_norm_that_turns_the_sign_is_not_drawn_through_a_maximum():
    norm = trained(nn.BatchNorm2d(4))
    norm.weight.data[2] = -0.5
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.MaxPool2d(2), norm, leaky())
    with pytest.raises(ModelError, match="2_batchnorm2d: BatchNorm is folded only into"):
        from_snntorch(net, input_shape=(2, 8, 8), time_steps=T)


@pytest.mark.parametrize("form", list(Form))
def test_onnx_takes_the_largest_current_too(form):
    assert assert_faithful(OnnxExporter(form=form), max_pooled().model()).layers
    torch.manual_seed(5)
    one_dimension = from_snntorch(NETWORKS["one dimension"][1](), input_shape=(3, 14), time_steps=T)
    assert assert_faithful(OnnxExporter(form=form), one_dimension).layers


def test_another_reader_of_nir_would_sum_which_is_said_and_refused_where_it_must_not_be(tmp_path):
    model = max_pooled().model()
    write_nir(model, tmp_path / "net.nir")
    plain = nir.read(tmp_path / "net.nir", type_check=False)
    assert isinstance(plain.nodes["pool1"], nir.SumPool2d)
    assert [line.split(":")[0] for line in differences(model.network)] == ["pool1, pool2"]
    with pytest.raises(ModelError, match=r"pool1: .*no portable form \(move the pool behind the neuron"):
        portable(model)


def test_metadata_of_an_unknown_pool_is_refused(tmp_path):
    model = max_pooled().model()
    nodes = dict(model.graph.nodes)
    nodes["pool1"] = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]), metadata={"pool": "median"})
    write_nir(model.with_graph(nir.NIRGraph(nodes, model.graph.edges, type_check=False)), tmp_path / "net.nir")
    with pytest.raises(ModelError, match="pool1: unknown pool 'median' in the metadata; known: max"):
        read_nir(tmp_path / "net.nir")


def test_a_chip_that_adds_currents_up_says_so_everywhere():
    model = max_pooled().model()
    for refused in (lambda: quantize(model), lambda: floating_job(model.network, analog_input=True)):
        with pytest.raises(BackendError, match="pool1: it takes the largest of several currents"):
            refused()
    for name in known_profiles():
        verdict = check(model.network, load_profile(name), analog_input=False)
        assert {found.node for found in verdict.violations if found.rule == "largest current"} == {"pool1", "pool2"}
