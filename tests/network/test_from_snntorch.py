"""Every layer and neuron of snnTorch networks, against snnTorch itself."""

import pytest
import snntorch
import torch
from network_builders import heaviside, leaky, run_by_snntorch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, prune

from spear_deploy.errors import ModelError
from spear_deploy.network import Simulation, from_snntorch

T, B = 7, 20
EXPLICIT = {"spike_grad": heaviside}


def spikes_of(model, x):
    return Simulation(model.graph, torch.float64)(x).output


def test_converting_leaves_the_network_as_it_was():
    torch.manual_seed(4)
    net = nn.Sequential(nn.Linear(6, 3), snntorch.Leaky(0.9, threshold=0.3, init_hidden=True))
    net(torch.rand(2, 6)).sum().backward()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    membrane = net[1].mem.detach().clone()
    from_snntorch(net, input_shape=(6,), time_steps=4)
    assert net.training
    assert torch.equal(net[1].mem, membrane)
    assert "forward" not in vars(net[0])
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


@pytest.mark.parametrize("kind", ["weight", "bias"])
def test_weights_that_float32_cannot_hold_are_refused_by_layer_and_value(kind):
    net = nn.Sequential(nn.Linear(6, 3), snntorch.Leaky(0.9, init_hidden=True)).double()
    getattr(net[0], kind).data.flatten()[1] = 1e100  # a warning of NumPy's would be an error here
    with pytest.raises(ModelError, match=rf"linear: {kind} must fit into float32, up to 3.4e\+38, found 1e\+100"):
        from_snntorch(net, input_shape=(6,), time_steps=4)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding="same", bias=False)
        self.lif1 = leaky(threshold=0.3)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.conv3 = nn.Conv2d(4, 4, (1, 3), padding=(0, 1))
        self.lif2 = leaky(threshold=0.5)
        self.fc = nn.Linear(64, 5)
        self.lif3 = leaky(threshold=0.2)

    def forward(self, x):
        first = self.lif1(self.conv1(x))
        second = self.lif2(self.conv2(first) + self.conv3(first) + first)
        pooled = functional.avg_pool2d(second + first, 2)
        return self.lif3(self.fc(pooled.view(x.size(0), -1)))


def test_branches_and_residual_additions_are_followed():
    torch.manual_seed(5)
    net = Residual()
    model = from_snntorch(net, input_shape=(1, 8, 8), time_steps=T)
    x = 2 * torch.rand(T, B, 1, 8, 8, dtype=torch.float64)
    expected = run_by_snntorch(net, x)
    assert 0 < expected.mean() < 1
    assert torch.equal(spikes_of(model, x), expected)
    assert {path for _, _, path in map(_parts, model.network.into("lif2"))} == {(), ("conv2",), ("conv3",)}


def _parts(connection):
    return connection.source, connection.target, connection.path


class OwnRecurrence(nn.Module):
    """Recurrence that the user wrote: the spikes of the step before through a layer of their own."""

    def __init__(self, bias):
        super().__init__()
        self.fc = nn.Linear(6, 8)
        self.rec = nn.Linear(8, 8, bias=bias)
        self.lif = snntorch.Leaky(beta=0.9, threshold=0.5, **EXPLICIT)
        self.out = snntorch.Leaky(beta=0.9, threshold=0.5, **EXPLICIT)

    def forward(self, x):
        mem, mem_out = self.lif.init_leaky(), self.out.init_leaky()
        spk = torch.zeros(x.shape[1], 8, dtype=x.dtype)
        late = torch.zeros(x.shape[1], 8, dtype=x.dtype)
        found = []
        for step in x:
            new, mem = self.lif(self.fc(step) + self.rec(spk), mem)
            out, mem_out = self.out(new + late, mem_out)
            late, spk = spk, new
            found.append(out)
        return torch.stack(found)


@pytest.mark.parametrize("bias", [True, False])
def test_recurrence_and_late_skips_that_a_user_wrote_are_followed(bias):
    torch.manual_seed(6)
    net = OwnRecurrence(bias)
    x = 2 * torch.rand(12, B, 6, dtype=torch.float64)
    model = from_snntorch(net, input_shape=(6,), time_steps=12)
    with torch.no_grad():
        expected = net.double()(x)
    assert 0 < expected.mean() < 1
    assert torch.equal(spikes_of(model, x), expected)


NEURONS = {
    "Synaptic": lambda **o: snntorch.Synaptic(alpha=0.7, beta=0.8, **o),
    "Lapicque": lambda **o: snntorch.Lapicque(beta=0.8, **o),
    "Lapicque of R and C": lambda **o: snntorch.Lapicque(R=2.0, C=3.0, **o),
    "RLeaky": lambda **o: snntorch.RLeaky(beta=0.8, linear_features=8, **o),
    "RLeaky one to one": lambda **o: snntorch.RLeaky(beta=0.8, all_to_all=False, V=torch.rand(8) - 0.7, **o),
    "RSynaptic": lambda **o: snntorch.RSynaptic(alpha=0.6, beta=0.8, linear_features=8, **o),
    "RSynaptic one to one": lambda **o: snntorch.RSynaptic(alpha=0.6, beta=0.8, all_to_all=False, V=-0.4, **o),
}


@pytest.mark.parametrize("reset", ["zero", "subtract", "none"])
@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("kind", NEURONS)
def test_every_neuron_kind_spikes_as_in_snntorch(kind, reset, delay):
    options = {"init_hidden": True, "threshold": 0.5, "reset_mechanism": reset, "spike_grad": heaviside}
    if not kind.startswith("Lapicque"):
        options["reset_delay"] = delay
    torch.manual_seed(7)
    net = nn.Sequential(nn.Linear(6, 8), NEURONS[kind](**options), nn.Linear(8, 4), leaky(threshold=0.2))
    if kind.startswith("RSynaptic") and not delay:
        with pytest.raises(ModelError, match="reset_delay=False"):
            from_snntorch(net, input_shape=(6,), time_steps=T)
        return
    x = 2 * torch.rand(T * 3, B, 6, dtype=torch.float64)
    model = from_snntorch(net, input_shape=(6,), time_steps=T * 3)
    expected = run_by_snntorch(net, x)
    assert 0 < expected.mean() < 1
    assert torch.equal(spikes_of(model, x), expected)


@pytest.mark.parametrize("kind", ["RLeaky", "RLeaky one to one", "RSynaptic one to one"])
def test_parameters_are_counted_as_torch_does(kind):
    """Biases that are not there are none, and what a layer hears of itself one to one is a weight of each neuron."""
    net = nn.Sequential(
        *(nn.Conv1d(2, 4, 3, padding=1, bias=False), leaky(threshold=0.2), nn.Flatten(), nn.Linear(24, 8)),
        *(NEURONS[kind](init_hidden=True), nn.Linear(8, 4, bias=False), leaky(threshold=0.2)),
    )
    recurrent = net[4].recurrent
    own = {id(each) for each in (*recurrent.parameters(), getattr(recurrent, "V", None)) if each is not None}
    counted = sum(each.numel() for each in net.parameters() if id(each) not in own)
    heard = 8 * 8 + 8 if kind == "RLeaky" else 8
    assert from_snntorch(net, input_shape=(2, 6), time_steps=T).parameters == counted + heard


def test_a_recurrent_convolution_is_followed():
    torch.manual_seed(8)
    recurrent = snntorch.RLeaky(
        beta=0.8, conv2d_channels=3, kernel_size=3, init_hidden=True, threshold=0.4, spike_grad=heaviside
    )
    net = nn.Sequential(nn.Conv2d(1, 3, 3), recurrent, nn.Flatten(), nn.Linear(48, 4), leaky(threshold=0.2))
    x = 2 * torch.rand(T, B, 1, 6, 6, dtype=torch.float64)
    expected = run_by_snntorch(net, x)
    assert 0 < expected.mean() < 1
    assert torch.equal(spikes_of(from_snntorch(net, input_shape=(1, 6, 6), time_steps=T), x), expected)


LAYERS = {
    "Conv1d": ((2, 12), [nn.Conv1d(2, 4, 3, stride=2, padding=1, bias=False)]),
    "Conv1d same": ((2, 12), [nn.Conv1d(2, 4, 4, padding="same", dilation=2, groups=2)]),
    "Conv2d per axis": ((2, 8, 9), [nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2))]),
    "Conv2d same": ((2, 8, 9), [nn.Conv2d(2, 4, (3, 2), padding="same", groups=2, bias=False)]),
    "AdaptiveAvgPool2d": ((2, 8, 6), [nn.Conv2d(2, 3, 1), nn.AdaptiveAvgPool2d((4, 1))]),
    "Dropout": ((2, 8, 6), [nn.Dropout2d(0.5), nn.Conv2d(2, 3, 1), nn.Identity()]),
    "BatchNorm2d after": ((2, 8, 6), [nn.Conv2d(2, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3)]),
    "BatchNorm2d before": ((4, 8, 6), [nn.BatchNorm2d(4), nn.Conv2d(4, 6, 3, groups=2)]),
    "BatchNorm1d": ((5,), [nn.Linear(5, 6), nn.BatchNorm1d(6)]),
    "BatchNorm1d before": ((5,), [nn.BatchNorm1d(5, affine=False), nn.Linear(5, 6)]),
}


@pytest.mark.parametrize("case", LAYERS)
def test_every_layer_kind_gives_the_spikes_of_snntorch(case):
    shape, layers = LAYERS[case]
    torch.manual_seed(9)
    for layer in layers:
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
            if layer.affine:
                nn.init.normal_(layer.weight)
                nn.init.normal_(layer.bias)
    net = nn.Sequential(*layers, leaky(threshold=0.2))
    x = 2 * torch.randn(T, B, *shape, dtype=torch.float64)
    model = from_snntorch(net, input_shape=shape, time_steps=T)
    expected = run_by_snntorch(net, x)
    assert 0 < expected.mean() < 1
    assert torch.equal(spikes_of(model, x), expected)


POOLS = {
    "MaxPool2d": ((2, 8, 9), lambda: nn.MaxPool2d(3, stride=2, padding=1)),
    "AvgPool2d": ((2, 8, 9), lambda: nn.AvgPool2d((2, 3), padding=(1, 0))),
    "SumPool2d": ((2, 8, 9), lambda: nn.AvgPool2d(2, divisor_override=1)),
    "MaxPool1d": ((2, 12), lambda: nn.MaxPool1d(2)),
    "AvgPool1d": ((2, 12), lambda: nn.AvgPool1d(3, stride=2, padding=1)),
}


@pytest.mark.parametrize("case", POOLS)
def test_pools_between_neurons_give_the_spikes_of_snntorch(case):
    shape, pool = POOLS[case]
    torch.manual_seed(10)
    convolution = nn.Conv2d(2, 3, 3, padding=1) if len(shape) == 3 else nn.Conv1d(2, 3, 3, padding=1)
    net = nn.Sequential(
        convolution, leaky(threshold=0.7), pool(), nn.Flatten(), nn.LazyLinear(4), leaky(threshold=0.05)
    )
    x = 4 * torch.rand(T, B, *shape, dtype=torch.float64)
    expected = run_by_snntorch(net, x)
    model = from_snntorch(net, input_shape=shape, time_steps=T)
    assert 0 < expected.mean() < 1
    assert torch.equal(spikes_of(model, x), expected)


def test_a_max_pool_on_spikes_becomes_neurons_that_count_as_such():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), leaky(threshold=0.2), nn.MaxPool2d(2), nn.Conv2d(2, 3, 2), leaky())
    model = from_snntorch(net, input_shape=(1, 8, 8), time_steps=T)
    assert model.network.layers == ["1_leaky", "2_maxpool2d_threshold", "4_leaky"]
    slow = from_snntorch(net, input_shape=(1, 8, 8), time_steps=T, dt_s=1e-3)
    assert slow.network.dt_s == 1e-3


@pytest.mark.parametrize("size", [0.7, torch.tensor([0.7]), torch.linspace(0.5, 1.5, 6)], ids=["one", "array", "each"])
@pytest.mark.parametrize("learned", [False, True])
def test_graded_spikes_are_scaled_behind_the_neuron(learned, size):
    torch.manual_seed(11)
    graded = leaky(threshold=0.5, graded_spikes_factor=size, learn_graded_spikes_factor=learned)
    net = nn.Sequential(nn.Linear(5, 6), graded, nn.Linear(6, 4), leaky())
    x = 4 * torch.rand(T, B, 5, dtype=torch.float64)
    expected = run_by_snntorch(net, x)
    assert 0 < expected.mean() < 1
    assert torch.equal(spikes_of(from_snntorch(net, input_shape=(5,), time_steps=T), x), expected)


class ReadsMembrane(nn.Module):
    def __init__(self, reset):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(6, 8), leaky(threshold=0.4)
        self.fc2 = nn.Linear(8, 3)
        self.readout = snntorch.Leaky(0.7, reset_mechanism=reset, init_hidden=True, output=True, spike_grad=heaviside)

    def forward(self, x):
        _, membrane = self.readout(self.fc2(self.lif1(self.fc1(x))))
        return membrane


def test_a_leaky_without_reset_is_read_by_its_membrane():
    torch.manual_seed(12)
    net = ReadsMembrane("none")
    model = from_snntorch(net, input_shape=(6,), time_steps=T, read_out="membrane")
    x = 2 * torch.rand(T, B, 6, dtype=torch.float64)
    torch.testing.assert_close(spikes_of(model, x), run_by_snntorch(net, x), rtol=1e-13, atol=1e-13)
    assert not model.network.neurons["readout"].spikes


def test_the_membrane_of_a_neuron_that_resets_is_refused():
    with pytest.raises(ModelError, match="readout: its membrane is read, but spikes reset it"):
        from_snntorch(ReadsMembrane("subtract"), input_shape=(6,), time_steps=T, read_out="membrane")


def test_the_proof_is_kept_with_the_model():
    torch.manual_seed(13)
    net = nn.Sequential(nn.Linear(5, 6), leaky(threshold=0.3), nn.Linear(6, 4), leaky(threshold=0.2))
    proof = from_snntorch(net, input_shape=(5,), time_steps=T).graph.metadata["proof"]
    assert (proof["samples"], proof["time_steps"], proof["layers"]) == (4, T, 2)
    assert proof["spikes"] > 20


class MyLinear(nn.Linear):
    """A user's class that runs as its parent does."""

    gain = 2


class MyLeaky(snntorch.Leaky):
    pass


def test_subclasses_and_pruned_layers_are_followed():
    torch.manual_seed(14)
    options = {"init_hidden": True, "threshold": 0.3, "spike_grad": heaviside}
    net = nn.Sequential(MyLinear(6, 8), MyLeaky(0.9, **options), nn.Linear(8, 4), leaky(threshold=0.2))
    prune.l1_unstructured(net[2], "weight", amount=0.5)
    net[2](torch.zeros(1, 8))
    net = weight_norm_of_first(net)
    x = 2 * torch.rand(T, B, 6, dtype=torch.float64)
    model = from_snntorch(net, input_shape=(6,), time_steps=T)
    expected = run_by_snntorch(net, x)
    assert 0 < expected.mean() < 1
    assert torch.equal(spikes_of(model, x), expected)
    assert (model.graph.nodes["2_linear"].weight == 0).sum() == 16


def weight_norm_of_first(net):
    parametrizations.weight_norm(net[0])
    return net


def test_the_proof_tries_stronger_inputs_and_says_which_layers_stayed_silent():
    torch.manual_seed(16)
    net = nn.Sequential(nn.Linear(5, 6), leaky(threshold=20.0), nn.Linear(6, 4), leaky(threshold=1e6))
    model = from_snntorch(net, input_shape=(5,), time_steps=T)
    assert model.graph.metadata["proof"]["spikes"] > 0
    assert model.graph.metadata["proof"]["silent"] == "3_leaky"
    assert model.notices == ("3_leaky: gave no spike on the samples of the proof; pass sample=",)
