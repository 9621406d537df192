"""Every way in which the forward of a network over time is written, against snnTorch itself."""

import pytest
import snntorch
import torch
from network_builders import heaviside, leaky
from snntorch import utils
from torch import nn

from spear_deploy.errors import ModelError
from spear_deploy.network import Simulation, from_snntorch

T, B = 7, 20
EXPLICIT = {"spike_grad": heaviside}


def spikes_of(model, x):
    return Simulation(model.graph, torch.float64)(x).output


class LoopOnStatic(nn.Module):
    """The loop of snnTorch's tutorial 5."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 8)
        self.lif1 = snntorch.Leaky(beta=0.9, threshold=0.4, **EXPLICIT)
        self.fc2 = nn.Linear(8, 3)
        self.lif2 = snntorch.Leaky(beta=0.8, threshold=0.2, **EXPLICIT)

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes, membranes = [], []
        for _ in range(T):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        return torch.stack(spikes, dim=0), torch.stack(membranes, dim=0)


class LoopOnSequence(LoopOnStatic):
    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes = []
        for step in range(x.size(0)):
            spk1, mem1 = self.lif1(self.fc1(x[step].flatten(1)), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
        return torch.stack(spikes)


class IteratesOverSequence(LoopOnStatic):
    def forward(self, x):
        utils.reset(self)
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        total = 0
        for current in self.fc1(x):
            spk1, mem1 = self.lif1(current, mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            total = total + spk2
        return total


class BatchFirst(LoopOnStatic):
    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes = []
        for step in range(x.size(1)):
            spk1, mem1 = self.lif1(self.fc1(x[:, step]), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
        return torch.stack(spikes, dim=1).sum(1)


class Permutes(LoopOnSequence):
    def forward(self, x):
        return super().forward(x.permute(1, 0, 2))


class ExplicitStep(LoopOnStatic):
    def forward(self, x, mem1=None, mem2=None):
        spk1, mem1 = self.lif1(self.fc1(x), mem1)
        spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
        return spk2, mem1, mem2


class FillsATensor(LoopOnStatic):
    def forward(self, x):
        mem1 = torch.zeros(x.shape[0], 8)
        mem2 = torch.zeros(x.shape[0], 3)
        spikes = torch.zeros(T, x.shape[0], 3)
        for step in range(T):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes[step] = spk2
        return spikes


class KeepsItsStates(LoopOnStatic):
    def forward(self, x):
        self.mem1, self.mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes = []
        for _ in range(T):
            spk1, self.mem1 = self.lif1(self.fc1(x), self.mem1)
            spk2, self.mem2 = self.lif2(self.fc2(spk1), self.mem2)
            spikes.append(spk2)
        return spikes


STATIC = [LoopOnStatic, FillsATensor, KeepsItsStates]
SEQUENCE = [LoopOnSequence, IteratesOverSequence, BatchFirst, Permutes, ExplicitStep]


def reference(net, x):
    """The network of LoopOnStatic, written down once more."""
    net = net.double()
    mem1, mem2 = torch.zeros(x.shape[1], 8).double(), torch.zeros(x.shape[1], 3).double()
    spikes = []
    for step in x:
        spk1, mem1 = net.lif1(net.fc1(step), mem1)
        spk2, mem2 = net.lif2(net.fc2(spk1), mem2)
        spikes.append(spk2)
    return torch.stack(spikes).detach()


@pytest.mark.parametrize(
    ("style", "encoding"),
    [(style, "direct") for style in STATIC + SEQUENCE] + [(style, "rate") for style in SEQUENCE],
)
def test_a_network_is_converted_however_its_forward_is_written(style, encoding):
    torch.manual_seed(4)
    net = style()
    x = 3 * torch.rand(T, B, 6, dtype=torch.float64)
    model = from_snntorch(net, input_shape=(6,), time_steps=T, encoding=encoding)
    expected = reference(net, x)
    assert 0 < expected.mean() < 1
    assert torch.equal(spikes_of(model, x), expected)
    assert model.network.layers == ["lif1", "lif2"]


def test_the_loop_must_run_as_often_as_was_said():
    with pytest.raises(ModelError, match="lif1 is called 7 times in 5 time steps"):
        from_snntorch(LoopOnStatic(), input_shape=(6,), time_steps=5)


class Wrapped(nn.Module):
    """A Sequential inside a loop, as in snnTorch's later tutorials."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(6, 8), leaky(threshold=0.3), nn.Linear(8, 4), leaky(threshold=0.2, output=True)
        )

    def forward(self, x):
        utils.reset(self.net)
        spikes, membranes = [], []
        for _ in range(T):
            spk, mem = self.net(x)
            spikes.append(spk)
            membranes.append(mem)
        return torch.stack(spikes), torch.stack(membranes)


def test_a_sequential_inside_a_loop_is_followed():
    torch.manual_seed(15)
    net = Wrapped()
    model = from_snntorch(net, input_shape=(6,), time_steps=T)
    x = (2 * torch.rand(1, B, 6, dtype=torch.float64)).expand(T, -1, -1)
    with torch.no_grad():
        expected, _ = net.double()(x[0])
    assert 0 < expected.mean() < 1
    assert torch.equal(spikes_of(model, x), expected)
    assert model.network.layers == ["net_1_leaky", "net_3_leaky"]
    net.net[1].mem = torch.ones(3)
    from_snntorch(net, input_shape=(6,), time_steps=T)
    assert torch.equal(net.net[1].mem, torch.ones(3))


class ReturnsAllLayers(LoopOnStatic):
    """Hidden spikes come along, for a penalty on them."""

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        hidden, spikes = [], []
        for _ in range(T):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            hidden.append(spk1)
            spikes.append(spk2)
        return torch.stack(hidden), torch.stack(spikes)


def test_the_last_of_several_returned_layers_is_the_output_and_said_to_be():
    torch.manual_seed(17)
    model = from_snntorch(ReturnsAllLayers(), input_shape=(6,), time_steps=T)
    assert model.network.read_out == "lif2"
    assert model.notices == ("the network also returns lif1; its output is taken to be lif2",)


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.head1, self.fc2, self.head2 = nn.Linear(6, 3), leaky(), nn.Linear(6, 2), leaky()

    def forward(self, x):
        return self.head1(self.fc1(x)), self.head2(self.fc2(x))


def test_two_heads_have_no_single_output():
    with pytest.raises(ModelError, match="returns the spikes of head1, spikes of head2: which is its output"):
        from_snntorch(TwoHeads(), input_shape=(6,), time_steps=T)


class Folded(nn.Module):
    """Layers see time folded into the batch, as many own loops do; neurons are called step by step."""

    batch_first = False

    def __init__(self):
        super().__init__()
        self.conv, self.lif1 = nn.Conv2d(2, 4, 3), snntorch.Leaky(beta=0.9, threshold=0.3, **EXPLICIT)
        self.pool, self.fc = nn.MaxPool2d(2), nn.Linear(4 * 2 * 2, 3)
        self.lif2 = snntorch.Leaky(beta=0.8, threshold=0.2, **EXPLICIT)

    def forward(self, x):
        first, second = x.shape[:2]
        currents = self.conv(x.flatten(0, 1)).view(first, second, 4, 4, 4)
        spikes = self.run(self.lif1, currents)
        pooled = self.pool(spikes.flatten(0, 1)).flatten(1)
        return self.run(self.lif2, self.fc(0.5 * pooled).reshape(first, second, -1))

    def run(self, neuron, currents):
        mem, found = neuron.init_leaky(), []
        for step in range(currents.shape[1 if self.batch_first else 0]):
            spk, mem = neuron(currents[:, step] if self.batch_first else currents[step], mem)
            found.append(spk)
        return torch.stack(found, dim=1 if self.batch_first else 0)


class FoldedBatchFirst(Folded):
    batch_first = True


class FoldedByModules(Folded):
    """The same with modules for it."""

    def __init__(self):
        super().__init__()
        self.fold, self.unfold, self.flat = nn.Flatten(0, 1), nn.Unflatten(0, (T, -1)), nn.Flatten()

    def forward(self, x):
        spikes = self.run(self.lif1, self.unfold(self.conv(self.fold(x))))
        pooled = self.flat(self.pool(self.fold(spikes)))
        return self.run(self.lif2, self.unfold(self.fc(0.5 * pooled)))


@pytest.mark.parametrize("style", [Folded, FoldedBatchFirst, FoldedByModules])
@pytest.mark.parametrize("encoding", ["direct", "spikes"])
def test_time_may_be_folded_into_the_batch(style, encoding):
    torch.manual_seed(8)
    net = style()
    x = 3 * torch.rand(T, B, 2, 6, 6, dtype=torch.float64)
    model = from_snntorch(net, input_shape=(2, 6, 6), time_steps=T, encoding=encoding)
    given = x.transpose(0, 1) if style.batch_first else x
    expected = net.double()(given).detach()
    expected = expected.transpose(0, 1) if style.batch_first else expected
    assert 0 < expected.mean() < 1
    assert torch.equal(spikes_of(model, x), expected)
