"""The networks of snnTorch's tutorials 2 to 7 and of those beside them, as they stand there, at small width."""

from __future__ import annotations

import snntorch as snn
import torch
from snntorch import surrogate, utils
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.networks.case import Case, batch_first, carried, image, of_torch, whole

STEPS = 6


class Lapicques(nn.Module):
    """Tutorial 2: a layer of Lapicque's neurons, its membrane handed from step to step."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(8, 5), snn.Lapicque(R=5, C=1e-3, time_step=1e-3)

    def forward(self, x: Tensor, mem: Tensor | None = None) -> tuple[Tensor, Tensor]:
        spk, mem = self.lif1(self.fc1(x), mem)
        return spk, mem


class Static(nn.Module):
    """Tutorial 5: an image shown in every step."""

    def __init__(self, beta: float = 0.95) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(12, 16), snn.Leaky(beta=beta)
        self.fc2, self.lif2 = nn.Linear(16, 5), snn.Leaky(beta=beta)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spk2_rec, mem2_rec = [], []
        for _ in range(STEPS):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec, dim=0), torch.stack(mem2_rec, dim=0)


class Synaptics(nn.Module):
    """Tutorial 4: second-order neurons on spikes, the states written down by hand."""

    def __init__(self, alpha: float = 0.9, beta: float = 0.8) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(12, 16), snn.Synaptic(alpha=alpha, beta=beta)
        self.fc2, self.lif2 = nn.Linear(16, 5), snn.Synaptic(alpha=alpha, beta=beta)

    def forward(self, x: Tensor) -> Tensor:
        syn1, mem1 = self.lif1.init_synaptic()
        syn2, mem2 = self.lif2.init_synaptic()
        found = []
        for step in range(x.size(0)):
            spk1, syn1, mem1 = self.lif1(self.fc1(x[step]), syn1, mem1)
            spk2, syn2, mem2 = self.lif2(self.fc2(spk1), syn2, mem2)
            found.append(spk2)
        return torch.stack(found)


class Convolutional(nn.Module):
    """Tutorial 6: F.max_pool2d before the neuron."""

    def __init__(self, beta: float = 0.5) -> None:
        super().__init__()
        grad = surrogate.fast_sigmoid(slope=25)
        self.conv1, self.lif1 = nn.Conv2d(1, 4, 5), snn.Leaky(beta=beta, spike_grad=grad)
        self.conv2, self.lif2 = nn.Conv2d(4, 6, 5), snn.Leaky(beta=beta, spike_grad=grad)
        self.fc1, self.lif3 = nn.Linear(6 * 2 * 2, 10), snn.Leaky(beta=beta, spike_grad=grad)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mem1, mem2, mem3 = self.lif1.init_leaky(), self.lif2.init_leaky(), self.lif3.init_leaky()
        spikes, membranes = [], []
        for _ in range(STEPS):
            spk1, mem1 = self.lif1(functional.max_pool2d(self.conv1(x), 2), mem1)
            spk2, mem2 = self.lif2(functional.max_pool2d(self.conv2(spk1), 2), mem2)
            spk3, mem3 = self.lif3(self.fc1(spk2.view(x.shape[0], -1)), mem3)
            spikes.append(spk3)
            membranes.append(mem3)
        return torch.stack(spikes), torch.stack(membranes)


def convolutional(channels: int = 1, *, pool_behind: bool = False) -> nn.Sequential:
    """Tutorials 6 and 7: Conv - MaxPool - Leaky in a Sequential; or with the pools moved behind the neurons."""
    options = {"beta": 0.5, "spike_grad": surrogate.fast_sigmoid(slope=25), "init_hidden": True}

    def block(inputs: int, outputs: int) -> list[nn.Module]:
        layers: list[nn.Module] = [nn.MaxPool2d(2), snn.Leaky(**options)]
        return [nn.Conv2d(inputs, outputs, 5), *(layers[::-1] if pool_behind else layers)]

    last = [nn.Flatten(), nn.Linear(24, 10), snn.Leaky(**options, output=True)]
    return nn.Sequential(*block(channels, 4), *block(4, 6), *last)


class OverEvents(nn.Module):
    """Tutorial 7's `forward_pass`: a Sequential looped over the frames of a recording."""

    def __init__(self) -> None:
        super().__init__()
        self.net = convolutional(2)

    def forward(self, data: Tensor) -> Tensor:
        found = []
        utils.reset(self.net)
        for step in range(data.size(0)):
            spk, _ = self.net(data[step])
            found.append(spk)
        return torch.stack(found)


class Regression(nn.Module):
    """The first tutorial on regression: the membrane of a last neuron without reset, learnable decays."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = (
            nn.Linear(3, 12),
            snn.Leaky(beta=torch.rand(12), threshold=torch.rand(12), learn_beta=True),
        )
        self.fc2, self.lif2 = (
            nn.Linear(12, 10),
            snn.Leaky(beta=torch.rand(10), threshold=torch.rand(10), learn_beta=True),
        )
        self.fc3, self.lif3 = nn.Linear(10, 1), snn.Leaky(beta=torch.rand(1), learn_beta=True, reset_mechanism="none")

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2, mem3 = self.lif1.init_leaky(), self.lif2.init_leaky(), self.lif3.init_leaky()
        found = []
        for step in range(x.size(0)):
            spk1, mem1 = self.lif1(self.fc1(x[step]), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            _, mem3 = self.lif3(self.fc3(spk2), mem3)
            found.append(mem3)
        return torch.stack(found)


class RecurrentClasses(nn.Module):
    """The second: a recurrent layer, batches first."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(6, 10), snn.RLeaky(beta=0.9, linear_features=10)
        self.fc2, self.lif2 = nn.Linear(10, 4), snn.Leaky(beta=0.8)

    def forward(self, x: Tensor) -> Tensor:
        spk1, mem1 = self.lif1.init_rleaky()
        mem2, found = self.lif2.init_leaky(), []
        for step in range(x.size(1)):
            spk1, mem1 = self.lif1(self.fc1(x[:, step]), spk1, mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            found.append(spk2)
        return torch.stack(found, dim=1)


def population() -> nn.Sequential:
    """The tutorial on population codes: ten outputs a class."""
    options = {"beta": 0.9, "init_hidden": True, "spike_grad": surrogate.fast_sigmoid()}
    return nn.Sequential(
        *(nn.Flatten(), nn.Linear(16, 24), snn.Leaky(**options), nn.Linear(24, 50), snn.Leaky(**options, output=True))
    )


def alphas() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 5), snn.Alpha(alpha=0.8, beta=0.7, init_hidden=True))


def long_short() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 6), snn.SLSTM(6, 5, init_hidden=True))


def feedforward(beta: float = 0.99) -> nn.Sequential:
    """Tutorial 3: fully connected, on rate-coded digits."""
    options = {"beta": beta, "init_hidden": True}
    return nn.Sequential(nn.Linear(20, 30), snn.Leaky(**options), nn.Linear(30, 10), snn.Leaky(**options))


_SOURCE = "snnTorch"
CASES = [
    Case("tutorial 2: Lapicque", _SOURCE, of_torch(Lapicques, (8,), run=carried)),
    Case("tutorial 3: feedforward, rate-coded", _SOURCE, of_torch(feedforward, (20,), encoding="rate")),
    Case("tutorial 4: Synaptic", _SOURCE, of_torch(Synaptics, (12,), run=whole, encoding="spikes")),
    Case("tutorial 4: Alpha", _SOURCE, of_torch(alphas, (8,))),
    Case("tutorial 5: static image", _SOURCE, of_torch(Static, (12,), run=image, time_steps=STEPS)),
    Case("tutorial 6: class", _SOURCE, of_torch(Convolutional, (1, 20, 20), run=image, time_steps=STEPS)),
    Case("tutorial 6: Sequential", _SOURCE, of_torch(convolutional, (1, 20, 20))),
    Case("tutorial 6: pools moved", _SOURCE, of_torch(lambda: convolutional(pool_behind=True), (1, 20, 20))),
    Case("tutorial 7: loop over events", _SOURCE, of_torch(OverEvents, (2, 20, 20), run=whole, encoding="spikes")),
    Case(
        "tutorial 7: pools moved",
        _SOURCE,
        of_torch(lambda: convolutional(2, pool_behind=True), (2, 20, 20), encoding="spikes"),
    ),
    Case("regression I: membrane", _SOURCE, of_torch(Regression, (3,), run=whole, encoding="sequence")),
    Case("regression II: recurrent", _SOURCE, of_torch(RecurrentClasses, (6,), run=batch_first, encoding="sequence")),
    Case("population code", _SOURCE, of_torch(population, (1, 4, 4), classes=5)),
    Case("SLSTM", _SOURCE, of_torch(long_short, (8,))),
]
