"""Networks of SpikingJelly, against SpikingJelly itself.

pip install spikingjelly      needed for these tests alone: the project reads its modules without it
"""

import pytest
import torch
from torch import nn

from spear_deploy.errors import ModelError
from spear_deploy.network import ReadOut, Simulation, from_spikingjelly

pytest.importorskip("spikingjelly.activation_based", reason="spikingjelly is missing: pip install spikingjelly")
from spikingjelly.activation_based import functional, layer, neuron

T, B = 6, 12

NEURONS = {
    "IF": lambda mode: neuron.IFNode(v_threshold=0.9, step_mode=mode),
    "IF, soft reset": lambda mode: neuron.IFNode(v_threshold=0.9, v_reset=None, step_mode=mode),
    "LIF": lambda mode: neuron.LIFNode(tau=2.0, v_threshold=0.5, step_mode=mode),
    "LIF, input whole": lambda mode: neuron.LIFNode(tau=1.7, decay_input=False, v_threshold=0.9, step_mode=mode),
    "LIF, soft reset": lambda mode: neuron.LIFNode(tau=3.0, v_threshold=0.5, v_reset=None, step_mode=mode),
    "LIF, reset to another value": lambda mode: neuron.LIFNode(v_threshold=0.4, v_reset=-0.2, step_mode=mode),
    "IF, reset to another value": lambda mode: neuron.IFNode(v_threshold=1.4, v_reset=0.2, step_mode=mode),
    "parametric LIF": lambda mode: neuron.ParametricLIFNode(init_tau=1.6, v_threshold=0.6, step_mode=mode),
    "parametric LIF, input whole": lambda mode: neuron.ParametricLIFNode(
        init_tau=2.5, decay_input=False, v_threshold=0.9, step_mode=mode
    ),
}


def net_of(build, mode):
    """Convolutions, norms and pools of all kinds, as in SpikingJelly's own examples."""
    torch.manual_seed(4)
    net = nn.Sequential(
        layer.Conv2d(2, 6, 3, padding=1, bias=False),
        layer.BatchNorm2d(6),
        build("s"),
        layer.MaxPool2d(2, 2),
        layer.Conv2d(6, 8, 3),
        layer.AvgPool2d(2),
        build("s"),
        layer.Flatten(),
        layer.Dropout(0.3),
        layer.Linear(8, 12),
        build("s"),
    )
    for module in net:
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.3, 1)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data *= 2
    functional.set_step_mode(net, mode)
    return net.eval()


def run_by_spikingjelly(net, x, mode):
    net = net.double().eval()
    functional.reset_net(net)
    with torch.no_grad():
        result = net(x) if mode == "m" else torch.stack([net(step) for step in x])
    functional.reset_net(net)
    return result


def outputs_of(model, x):
    with torch.no_grad():
        return Simulation(model.graph, torch.float64)(x).output


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("case", NEURONS)
def test_every_neuron_gives_the_spikes_of_spikingjelly(case, mode):
    net = net_of(NEURONS[case], mode)
    x = 2 * torch.rand(T, B, 2, 8, 8, dtype=torch.float64)
    model = from_spikingjelly(net, input_shape=(2, 8, 8), time_steps=T)
    expected = run_by_spikingjelly(net, x, mode)
    assert 0 < expected.mean() < 1
    assert torch.equal(outputs_of(model, x), expected)


def test_a_membrane_at_the_threshold_fires_in_single_precision_too():
    """Currents of a quarter on thresholds of one: SpikingJelly fires in the fourth step."""
    net = nn.Sequential(layer.Linear(4, 4, bias=False), neuron.IFNode())
    net[0].weight.data = torch.eye(4)
    x = torch.full((8, 1, 4), 0.25)
    model = from_spikingjelly(net, input_shape=(4,), time_steps=8)
    functional.reset_net(net)
    expected = torch.stack([net(step) for step in x]).detach()
    assert expected.sum(0).tolist() == [[2.0] * 4]
    for dtype in (torch.float32, torch.float64):
        with torch.no_grad():
            assert torch.equal(Simulation(model.graph, dtype)(x.to(dtype)).output.float(), expected)


def test_votes_are_a_population_code():
    torch.manual_seed(5)
    net = nn.Sequential(layer.Linear(6, 20), neuron.LIFNode(v_threshold=0.3), layer.VotingLayer(4))
    functional.set_step_mode(net, "m")
    x = 2 * torch.rand(T, B, 6, dtype=torch.float64)
    model = from_spikingjelly(net, input_shape=(6,), time_steps=T)
    assert (model.classes, model.population, model.read_out) == (5, 4, ReadOut.COUNT)
    votes = run_by_spikingjelly(net, x, "m").mean(0)
    counts = outputs_of(model, x).sum(0).reshape(B, 5, 4).mean(2) / T
    torch.testing.assert_close(counts, votes)


class Block(nn.Module):
    """A SEW block: spikes are added to spikes."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = layer.SeqToANNContainer(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels))
        self.sn1 = neuron.IFNode(v_threshold=0.3, step_mode="m")
        self.conv2 = layer.SeqToANNContainer(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels))
        self.sn2 = neuron.IFNode(v_threshold=0.3, step_mode="m")

    def forward(self, x):
        return self.sn2(self.conv2(self.sn1(self.conv1(x)))) + x


class SewNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.sn = layer.Conv2d(2, 4, 3, padding=1, step_mode="m"), neuron.IFNode(0.3, step_mode="m")
        self.block = Block(4)
        self.pool = layer.AdaptiveAvgPool2d((1, 1), step_mode="m")
        self.fc = layer.Linear(4, 5, step_mode="m")

    def forward(self, x):
        return self.fc(torch.flatten(self.pool(self.block(self.sn(self.conv(x)))), 2)).mean(0)


class RepeatsAnImage(SewNet):
    """A static image, repeated inside, as in the model zoo's training scripts."""

    def forward(self, x):
        return super().forward(x.unsqueeze(0).repeat(T, 1, 1, 1, 1))


def test_a_residual_network_that_ends_in_a_linear_layer_gives_its_own_logits():
    torch.manual_seed(6)
    net = SewNet()
    x = 2 * torch.rand(T, B, 2, 8, 8, dtype=torch.float64)
    model = from_spikingjelly(net, input_shape=(2, 8, 8), time_steps=T, encoding="spikes")
    logits = run_by_spikingjelly(net, x, "m")
    torch.testing.assert_close(outputs_of(model, x).mean(0), logits)


def test_an_image_that_is_repeated_inside_is_a_static_input():
    torch.manual_seed(6)
    net = RepeatsAnImage()
    x = 2 * torch.rand(B, 2, 8, 8, dtype=torch.float64)
    model = from_spikingjelly(net, input_shape=(2, 8, 8), time_steps=T)
    logits = run_by_spikingjelly(net, x, "m")
    torch.testing.assert_close(outputs_of(model, x.expand(T, *x.shape)).mean(0), logits)


class Multiplies(SewNet):
    """A SEW network whose shortcuts are joined by AND."""

    def __init__(self):
        super().__init__()
        self.block2 = Block(4)

    def forward(self, x):
        first = self.sn(self.conv(x))
        return self.fc(torch.flatten(self.pool(self.block2(self.block(first) * first)), 2)).mean(0)


def test_a_product_of_spikes_is_refused_by_what_it_is_in_multi_step_mode_too():
    with pytest.raises(ModelError, match=r"block2_sn1 receives a product of two values .*no synapse does; add them$"):
        from_spikingjelly(Multiplies(), input_shape=(2, 8, 8), time_steps=T, encoding="spikes")


def test_a_threshold_dependent_norm_is_a_norm():
    torch.manual_seed(7)
    norm = layer.ThresholdDependentBatchNorm2d(1.0, 0.5, 4)
    norm.running_mean.normal_(0, 0.2)
    norm.running_var.uniform_(0.3, 1)
    net = nn.Sequential(layer.Conv2d(2, 4, 3), norm, neuron.IFNode(v_threshold=0.3), layer.Flatten())
    net += nn.Sequential(layer.Linear(4 * 36, 5), neuron.IFNode(v_threshold=0.2))
    functional.set_step_mode(net, "m")
    x = 2 * torch.rand(T, B, 2, 8, 8, dtype=torch.float64)
    model = from_spikingjelly(net, input_shape=(2, 8, 8), time_steps=T)
    expected = run_by_spikingjelly(net, x, "m")
    assert 0 < expected.mean() < 1
    assert torch.equal(outputs_of(model, x), expected)


class Offset(neuron.LIFNode):
    """A neuron of one's own."""

    def neuronal_charge(self, x):
        self.v = 0.5 * self.v + 0.5 * x + 0.1


def test_what_is_not_converted_is_named():
    other = nn.Sequential(layer.Linear(4, 4), neuron.CUBALIFNode())
    named = r"1_cubalifnode: CUBALIFNode .*; supported: SpikingJelly's IFNode, .*, NonSpikingLIFNode$"
    with pytest.raises(ModelError, match=named):
        from_spikingjelly(other, input_shape=(4,), time_steps=T)
    parallel = nn.Sequential(layer.Linear(4, 4, step_mode="m"), neuron.PSN(T), neuron.IFNode(step_mode="m"))
    with pytest.raises(ModelError, match=r"1_psn: PSN is not supported; supported: SpikingJelly's IFNode"):
        from_spikingjelly(parallel, input_shape=(4,), time_steps=T)
    own = nn.Sequential(layer.Linear(4, 4), Offset(), layer.Linear(4, 2), neuron.LIFNode())
    with pytest.raises(ModelError, match=r"1_offset: Offset is not supported; supported: SpikingJelly's IFNode"):
        from_spikingjelly(own, input_shape=(4,), time_steps=T)
    upside_down = nn.Sequential(layer.Linear(4, 4), neuron.IFNode(v_reset=1.5))
    with pytest.raises(ModelError, match=r"1_ifnode: its threshold 1 must exceed its start 1.5"):
        from_spikingjelly(upside_down, input_shape=(4,), time_steps=T)


def with_read_out(read_out):
    """A last layer of neurons without a threshold, which decode their membranes themselves."""
    torch.manual_seed(6)
    net = nn.Sequential(layer.Linear(6, 20), neuron.LIFNode(v_threshold=0.3), layer.Linear(20, 5), read_out)
    functional.set_step_mode(net[:3], "m")
    return net


DECODED = {
    "mean-mem": (ReadOut.MEMBRANE, lambda v: v.mean(0)),
    "last_mem": (ReadOut.LAST, lambda v: v[-1]),
    "max-mem": (ReadOut.LARGEST, lambda v: v.max(0).values),
}


@pytest.mark.parametrize("decode", DECODED)
@pytest.mark.parametrize("kind", [neuron.NonSpikingIFNode, lambda decode: neuron.NonSpikingLIFNode(3.0, decode)])
def test_neurons_without_a_threshold_are_read_as_they_decode_their_membranes(kind, decode):
    net = with_read_out(kind(decode=decode))
    x = 2 * torch.rand(T, B, 6, dtype=torch.float64)
    model = from_spikingjelly(net, input_shape=(6,), time_steps=T)
    read_out, over_time = DECODED[decode]
    expected = run_by_spikingjelly(net, x, "m")
    assert (model.read_out, expected.shape) == (read_out, (B, 5))
    torch.testing.assert_close(over_time(outputs_of(model, x)), expected)


def test_neurons_without_a_threshold_that_decode_nothing_are_read_step_by_step():
    net = with_read_out(neuron.NonSpikingLIFNode())
    x = 2 * torch.rand(T, B, 6, dtype=torch.float64)
    model = from_spikingjelly(net, input_shape=(6,), time_steps=T)
    functional.reset_net(net)
    with torch.no_grad():
        expected = torch.stack(net.double()(x))
    torch.testing.assert_close(outputs_of(model, x), expected)


def test_a_membrane_that_is_decoded_by_its_magnitude_is_refused_by_name():
    with pytest.raises(ModelError, match=r"3_nonspikinglifnode: decode=.max-abs-mem. is no read-out; use one of"):
        from_spikingjelly(with_read_out(neuron.NonSpikingLIFNode(decode="max-abs-mem")), input_shape=(6,), time_steps=T)
