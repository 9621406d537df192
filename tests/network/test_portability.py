"""What leaves as NIR: for any reader, and for readers that know NIR alone."""

import nir
import numpy as np
import pytest
import snntorch
import torch
from network_builders import heaviside, leaky, small_cnn
from torch import nn

from spear_deploy.errors import ModelError
from spear_deploy.exporters.nir import NirExporter
from spear_deploy.network import Simulation, differences, from_snntorch, portable, prove_equal, read_nir, write_nir

CONVOLUTIONS = {
    "grouped": ((4, 8, 9), nn.Conv2d(4, 6, 3, groups=2, stride=2, padding=1)),
    "depthwise in one dimension": ((4, 12), nn.Conv1d(4, 4, 3, groups=4)),
    "flat kernel": ((2, 8, 9), nn.Conv2d(2, 6, (1, 5), stride=(2, 1), padding=(1, 0), dilation=(1, 2))),
    "flat kernel, grouped": ((2, 8, 9), nn.Conv2d(2, 6, (3, 1), groups=2)),
    "flat kernel, same": ((2, 8, 9), nn.Conv2d(2, 6, (2, 5), padding="same", bias=False)),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_plain_nir_reads_every_convolution_and_ours_restores_it(tmp_path, case):
    shape, layer = CONVOLUTIONS[case]
    torch.manual_seed(1)
    model = from_snntorch(nn.Sequential(layer, leaky(threshold=0.3)), input_shape=shape, time_steps=5)
    write_nir(model, tmp_path / "net.nir")
    plain = nir.read(tmp_path / "net.nir")
    x = torch.randn(5, 20, *shape, dtype=torch.float64)
    expected = Simulation(model.graph, torch.float64)(x).output
    assert 0 < expected.mean() < 1
    assert torch.equal(Simulation(plain, torch.float64)(x).output, expected)
    back = read_nir(tmp_path / "net.nir")
    name = next(name for name in back.graph.nodes if "conv" in name)
    before, after = model.graph.nodes[name], back.graph.nodes[name]
    np.testing.assert_array_equal(after.weight, before.weight)
    assert int(after.groups) == int(before.groups)
    assert torch.equal(Simulation(back.graph, torch.float64)(x).output, expected)


@pytest.mark.parametrize(
    "change", [{"groups": 3}, {"kernel": np.array([4, 3])}, {"kernel": np.array([1, 1])}, {"groups": 2}]
)
def test_metadata_that_contradicts_a_convolution_is_refused(tmp_path, change):
    torch.manual_seed(1)
    model = from_snntorch(nn.Sequential(nn.Conv2d(4, 6, 3), leaky()), input_shape=(4, 8, 9), time_steps=5)
    model.graph.nodes["0_conv2d"].metadata |= change
    write_nir(model, tmp_path / "net.nir")
    with pytest.raises(ModelError, match=f"0_conv2d: metadata {next(iter(change))} = "):
        read_nir(tmp_path / "net.nir")


def test_a_subtracting_reset_is_said_to_be_lost_on_other_readers():
    model = from_snntorch(small_cnn(), input_shape=(1, 8, 8), time_steps=5)
    (notice,) = differences(model.network)
    assert notice.startswith(f"{', '.join(model.network.layers)}: it resets by subtraction")
    assert (
        differences(from_snntorch(small_cnn(reset_mechanism="zero"), input_shape=(1, 8, 8), time_steps=5).network) == ()
    )


@pytest.mark.parametrize("dt_s", [1e-4, 1e-3])
@pytest.mark.parametrize("delay", [True, False])
def test_a_portable_graph_has_the_same_spikes_in_a_reader_that_knows_nir_alone(tmp_path, delay, dt_s):
    net = small_cnn(reset_mechanism="zero", reset_delay=delay)
    model = from_snntorch(net, input_shape=(1, 8, 8), time_steps=10, dt_s=dt_s)
    exporter = NirExporter(portable=True)
    exporter.write(model, tmp_path / "net.nir")
    graph = nir.read(tmp_path / "net.nir")
    x = torch.rand(10, 20, 1, 8, 8, dtype=torch.float64)
    expected = Simulation(model.graph, torch.float64)(x)
    assert expected.output.sum() > 0
    for node in graph.nodes.values():
        node.metadata = {}
    # Without metadata our own simulation is such a reader: forward Euler with dt = 1e-4.
    found = Simulation(graph, torch.float64)(x)
    assert all(torch.equal(expected.outputs[layer], found.outputs[layer]) for layer in expected.outputs)
    assert exporter.prove(model, tmp_path / "net.nir").spikes > 0


@pytest.mark.parametrize(
    ("neuron", "message"),
    [
        (lambda: leaky(), "1_leaky: it resets by subtraction"),
        (lambda: leaky(reset_mechanism="none"), "1_leaky: it spikes without a reset"),
        (
            lambda: snntorch.Lapicque(beta=0.9, reset_mechanism="zero", init_hidden=True, spike_grad=heaviside),
            "1_lapicque: it loses the input of the step after a spike",
        ),
        (
            lambda: leaky(torch.tensor([1.0, 0.9, 0.8, 0.7]), reset_mechanism="zero"),
            r"1_leaky: (beta|gain) = .* has no exact tau in NIR",
        ),
    ],
)
def test_what_nir_alone_cannot_say_has_no_portable_form(neuron, message):
    model = from_snntorch(nn.Sequential(nn.Linear(6, 4), neuron()), input_shape=(6,), time_steps=5)
    with pytest.raises(ModelError, match=message):
        portable(model)


def test_an_exported_file_is_proven_to_hold_the_model(tmp_path):
    model = from_snntorch(small_cnn(), input_shape=(1, 8, 8), time_steps=5)
    exporter = NirExporter()
    exporter.write(model, tmp_path / "net.nir")
    proof = exporter.prove(model, tmp_path / "net.nir")
    assert (proof.layers, proof.time_steps) == (3, 5)
    assert proof.spikes > 0
    assert len(exporter.notices(model)) == 1


def test_two_networks_that_differ_are_told_apart_by_layer_and_step():
    model = from_snntorch(small_cnn(), input_shape=(1, 8, 8), time_steps=5)
    other = from_snntorch(small_cnn(seed=1), input_shape=(1, 8, 8), time_steps=5)
    with pytest.raises(
        ModelError, match=r"1_leaky: the converted network differs .* in time step 0: \d+ of 5120 spikes over all steps"
    ):
        prove_equal(model, other)
