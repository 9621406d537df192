"""Padding, enlarging, transposed convolutions and uneven pools: exact, counted, pruned, rounded and exported."""

import numpy as np
import pytest
import torch
from made_networks import analog_input
from network_builders import leaky, run_by_snntorch
from silencing import silence
from torch import nn
from torch.nn import functional

from spear_deploy.backends.fixed_point import LoihiExecution, quantize
from spear_deploy.backends.lava.job import floating_job
from spear_deploy.errors import ModelError
from spear_deploy.exporters.onnx import OnnxExporter
from spear_deploy.exporting import assert_faithful
from spear_deploy.hardware.placement.connections import reach_of, volume_of
from spear_deploy.network import (
    Simulation,
    differences,
    fan_out,
    from_snntorch,
    load_model_file,
    portable,
    read_nir,
    save_model_file,
    synapse_matrix,
    write_nir,
)
from spear_deploy.pruning import channel_groups, prune

T, B = 6, 20


class Functions(nn.Module):
    """What is written as a function: padding and enlarging."""

    def __init__(self):
        super().__init__()
        self.conv, self.lif1 = nn.Conv2d(2, 4, 3), leaky(threshold=0.3)
        self.conv2, self.lif2 = nn.Conv2d(4, 3, 3), leaky(threshold=0.3)

    def forward(self, x):
        first = self.lif1(self.conv(functional.pad(x, (1, 0, 2, 1))))
        return self.lif2(self.conv2(functional.interpolate(first, scale_factor=2, mode="nearest")))


def behind(*layers, channels=4, shape=(2, 6, 5)):
    """A layer of spikes, then the layers that are tried, then neurons."""
    first = (
        nn.Conv2d(shape[0], channels, 3, padding=1) if len(shape) == 3 else nn.Conv1d(shape[0], channels, 3, padding=1)
    )
    return nn.Sequential(first, leaky(threshold=0.3), *layers, leaky(threshold=0.2))


MAP, LINE = (2, 6, 5), (2, 9)
NETWORKS = {
    "transposed": (MAP, lambda: behind(nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1))),
    "transposed, grouped, dilated": (
        MAP,
        lambda: behind(nn.ConvTranspose2d(4, 6, (2, 3), stride=(2, 1), groups=2, dilation=(1, 2), bias=False)),
    ),
    "transposed, cropped": (MAP, lambda: behind(nn.ConvTranspose2d(4, 3, 1, stride=2, padding=1))),
    "transposed, normalised": (
        MAP,
        lambda: behind(nn.ConvTranspose2d(4, 3, 2, stride=2), nn.BatchNorm2d(3)),
    ),
    "transposed in one dimension": (LINE, lambda: behind(nn.ConvTranspose1d(4, 3, 3, stride=2), shape=LINE)),
    "enlarged": (MAP, lambda: behind(nn.Upsample(scale_factor=2), nn.Conv2d(4, 3, 3))),
    "enlarged to a size": (MAP, lambda: behind(nn.Upsample(size=(8, 9)), nn.Conv2d(4, 3, 3))),
    "enlarged linearly": (
        MAP,
        lambda: behind(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(4, 3, 3)),
    ),
    "padded with zeros": (MAP, lambda: behind(nn.ZeroPad2d((1, 2, 0, 1)), nn.Conv2d(4, 3, 3))),
    "padded in one dimension": (LINE, lambda: behind(nn.ZeroPad1d((2, 0)), nn.Conv1d(4, 3, 3), shape=LINE)),
    "mirrored": (MAP, lambda: behind(nn.ReflectionPad2d(1), nn.Conv2d(4, 3, 3))),
    "mirrored by the convolution": (MAP, lambda: behind(nn.Conv2d(4, 3, 3, padding=1, padding_mode="reflect"))),
    "round the end": (LINE, lambda: behind(nn.Conv1d(4, 3, 3, padding=1, padding_mode="circular"), shape=LINE)),
    "repeated, same size": (MAP, lambda: behind(nn.Conv2d(4, 3, 3, padding="same", padding_mode="replicate"))),
    "average over the edge": (
        MAP,
        lambda: behind(nn.AvgPool2d(2, ceil_mode=True), nn.Conv2d(4, 3, 1)),
    ),
    "average without the margin": (
        MAP,
        lambda: behind(nn.AvgPool2d(3, 2, 1, count_include_pad=False), nn.Conv2d(4, 3, 1)),
    ),
    "average of another divisor": (MAP, lambda: behind(nn.AvgPool2d(2, divisor_override=3), nn.Conv2d(4, 3, 1))),
    "average to any size": (MAP, lambda: behind(nn.AdaptiveAvgPool2d((4, 3)), nn.Conv2d(4, 3, 1))),
    "average to any length": (LINE, lambda: behind(nn.AdaptiveAvgPool1d(4), nn.Conv1d(4, 3, 1), shape=LINE)),
    "average over the edge of a line": (
        LINE,
        lambda: behind(nn.AvgPool1d(2, ceil_mode=True), nn.Conv1d(4, 3, 1), shape=LINE),
    ),
    "largest of spikes over the edge": (MAP, lambda: behind(nn.MaxPool2d(2, ceil_mode=True), nn.Conv2d(4, 3, 1))),
    "largest of spikes with holes": (MAP, lambda: behind(nn.MaxPool2d(2, 1, dilation=2), nn.Conv2d(4, 3, 1))),
    "functions": (MAP, Functions),
}
DYADIC = [name for name in NETWORKS if name not in ("average without the margin", "average to any size")]
"""Those whose weights are all exact in float32, as ONNX has them."""


def made(case):
    torch.manual_seed(6)
    shape, build = NETWORKS[case]
    net = build()
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            part.running_var.uniform_(0.5, 2)
    return net, shape


def outputs(graph, x):
    with torch.no_grad():
        return Simulation(graph, torch.float64)(x).outputs


@pytest.fixture(params=NETWORKS)
def converted(request):
    net, shape = made(request.param)
    return net, from_snntorch(net, input_shape=shape, time_steps=T)


def test_it_gives_the_spikes_of_snntorch_through_every_file(converted, tmp_path):
    net, model = converted
    x = analog_input(model).double()
    expected = run_by_snntorch(net, x)
    assert 0 < expected.mean() < 1
    assert torch.equal(outputs(model.graph, x)[model.network.read_out], expected)
    save_model_file(model, tmp_path / "net.pt")
    write_nir(model, tmp_path / "net.nir")
    for read in (load_model_file(tmp_path / "net.pt"), read_nir(tmp_path / "net.nir")):
        assert torch.equal(outputs(read.graph, x)[model.network.read_out], expected)


def test_synapses_are_those_that_torchs_own_layers_make_of_one_spike_at_a_time(converted):
    net, model = converted
    if not isinstance(net, nn.Sequential):
        return
    network = model.network
    connection = network.into(network.layers[-1])[0]
    shape = network.shapes[connection.source]
    layers = net.double().eval()[3 if isinstance(net[2], nn.MaxPool2d) else 2 : -1]
    with torch.no_grad():
        one = torch.eye(int(np.prod(shape)), dtype=torch.float64).reshape(-1, *shape)
        reached = (layers(one) - layers(torch.zeros_like(one))).flatten(1).T.numpy()
    np.testing.assert_allclose(synapse_matrix(network, connection).toarray(), reached, atol=1e-12)
    np.testing.assert_array_equal(fan_out(network, connection).flatten().numpy(), (np.abs(reached) > 1e-12).sum(0))
    fan_in = np.broadcast_to(reach_of(network, connection).fan_in(), volume_of(network.shapes[connection.target]))
    assert int(fan_in.sum()) == int((np.abs(reached) > 1e-12).sum())


def test_pruning_equals_silencing(converted):
    _, model = converted
    network, x = model.network, analog_input(model).double()
    groups = channel_groups(network)
    keep = {group.name: np.arange(0, group.size, 2) for group in groups if group.prunable}
    assert keep
    expected = outputs(silence(network, keep), x)
    found = outputs(prune(network, groups, keep), x)
    assert found[network.read_out].sum() > 0
    assert torch.equal(found[network.read_out], expected[network.read_out])


def test_it_is_rounded_for_a_chip_and_written_out_for_lava(converted):
    _, model = converted
    x = analog_input(model).double()
    wanted, found = outputs(model.graph, x), LoihiExecution(quantize(model, calibration=x)).run(x).outputs
    assert all((found[name].double() != wanted[name]).double().mean() < 0.08 for name in model.network.layers)
    assert len(floating_job(model.network, analog_input=True).layers) == len(model.network.layers)


@pytest.mark.parametrize("case", DYADIC)
def test_onnx_does_the_same(case):
    net, shape = made(case)
    assert assert_faithful(OnnxExporter(), from_snntorch(net, input_shape=shape, time_steps=T)).layers


def test_another_reader_of_nir_would_leave_positions_where_they_are_which_is_said_and_refused():
    zero = {"threshold": 0.3, "reset_mechanism": "zero"}
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3), leaky(**zero), nn.Upsample(scale_factor=2), nn.Conv2d(4, 3, 3), leaky(**zero)
    )
    model = from_snntorch(net, input_shape=MAP, time_steps=T)
    assert [line.split(":")[0] for line in differences(model.network)][-1] == "2_upsample"
    with pytest.raises(ModelError, match=r"2_upsample: it moves positions .*no portable form"):
        portable(model)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (nn.ConstantPad2d(1, 0.5), "2_constantpad2d: padding with 0.5 adds a current"),
        (nn.Upsample(scale_factor=2, mode="bicubic"), "2_upsample: mode 'bicubic' is not supported"),
        (nn.GroupNorm(2, 4), "2_groupnorm: GroupNorm is not supported: .*train with BatchNorm"),
        (nn.LayerNorm([4, 6, 5]), "2_layernorm: LayerNorm is not supported: .*train with BatchNorm"),
        (nn.Conv3d(4, 3, 1), "2_conv3d: Conv3d is not supported: .*Conv2d"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name_with_a_way_out(layer, said):
    torch.manual_seed(1)
    with pytest.raises(ModelError, match=said):
        from_snntorch(behind(layer, nn.Conv2d(4, 3, 1)), input_shape=MAP, time_steps=T)
