"""Networks as papers and repositories publish them: loops of one's own, records, speech; all of their cases."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import snntorch as snn
import torch
from snntorch import utils
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.networks.case import Case, batch_first, image, of_torch, whole
from benchmarks.networks.forms import STEPS, leaky, trained
from benchmarks.networks.published_images import (
    Autoencoder,
    EventVGG,
    Generator,
    Inception,
    LearnedSkip,
    MeanOfMaps,
    NormThroughTime,
    Patches,
    Separable,
    Tiled,
    deep_mlp,
)


class OneNeuronTwice(nn.Module):
    """One module of constants for two layers of one size, the states passed by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(8, 10), nn.Linear(10, 10), nn.Linear(10, 10)
        self.lif = snn.Leaky(beta=0.9, threshold=0.5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mem1 = mem2 = mem3 = self.lif.init_leaky()
        spikes, membranes = [], []
        for step in x:
            spk1, mem1 = self.lif(self.fc1(step), mem1)
            spk2, mem2 = self.lif(self.fc2(spk1), mem2)
            spk3, mem3 = self.lif(self.fc3(spk2), mem3)
            spikes.append(spk3)
            membranes.append(mem3)
        return torch.stack(spikes), torch.stack(membranes)


class PlainLeaky(nn.Module):
    """The learned constants of each neuron, dropout, weights without bias, and both records given back."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.drop, self.fc2 = nn.Linear(8, 16, bias=False), nn.Dropout(0.3), nn.Linear(16, 5, bias=False)
        self.lif1 = snn.Leaky(beta=torch.rand(16), threshold=torch.rand(16), learn_beta=True, learn_threshold=True)
        self.lif2 = snn.Leaky(beta=0.95, learn_beta=True, learn_threshold=True, reset_mechanism="zero")

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mem1, mem2 = torch.zeros(x.shape[1], 16, dtype=x.dtype), torch.zeros(x.shape[1], 5, dtype=x.dtype)
        spk_rec = torch.zeros(len(x), x.shape[1], 5, dtype=x.dtype)
        mem_rec = torch.zeros(len(x), x.shape[1], 5, dtype=x.dtype)
        for t in range(len(x)):
            spk1, mem1 = self.lif1(self.fc1(x[t]), mem1)
            spk_rec[t], mem2 = self.lif2(self.fc2(self.drop(spk1)), mem2)
            mem_rec[t] = mem2
        return spk_rec, mem_rec


class RecurrentSpeech(nn.Module):
    """Spiking Heidelberg Digits: two recurrent layers, a membrane without spikes, its largest over time."""

    def __init__(self, over: str = "max") -> None:
        super().__init__()
        self.over = over
        self.fc1, self.rlif1 = (
            nn.Linear(14, 12),
            snn.RLeaky(0.9, linear_features=12, threshold=0.5, learn_recurrent=True),
        )
        self.fc2, self.rlif2 = nn.Linear(12, 10), snn.RLeaky(0.8, linear_features=10, threshold=0.5)
        self.fc3, self.read = nn.Linear(10, 4), snn.Leaky(0.95, reset_mechanism="none")

    def forward(self, x: Tensor) -> Tensor:
        spk1, mem1 = self.rlif1.init_rleaky()
        spk2, mem2 = self.rlif2.init_rleaky()
        mem3, found = self.read.init_leaky(), []
        for t in range(x.shape[1]):
            spk1, mem1 = self.rlif1(self.fc1(x[:, t]), spk1, mem1)
            spk2, mem2 = self.rlif2(self.fc2(spk1), spk2, mem2)
            _, mem3 = self.read(self.fc3(spk2), mem3)
            found.append(mem3)
        record = torch.stack(found, dim=1)
        return record.max(1)[0] if self.over == "max" else record.mean(1)


class Speech1d(nn.Module):
    """Strided and dilated convolutions over the frequencies of each step, a global mean before the last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1, self.lif1 = nn.Conv1d(1, 4, 7, stride=2, padding=3), nn.BatchNorm1d(4), leaky()
        self.conv2, self.bn2, self.lif2 = nn.Conv1d(4, 8, 3, dilation=2, groups=2), nn.BatchNorm1d(8), leaky()
        self.fc, self.out = nn.Linear(8, 5), leaky()

    def forward(self, x: Tensor) -> Tensor:
        utils.reset(self)
        found = []
        for t in range(x.size(0)):
            spk = self.lif1(self.bn1(self.conv1(x[t].unsqueeze(1))))
            spk = self.lif2(self.bn2(self.conv2(spk)))
            found.append(self.out(self.fc(spk.mean(dim=2))))
        return torch.stack(found)


class SquareRecord(nn.Module):
    """Layers in a ModuleList and states in a list, as generic code writes it."""

    def __init__(self, sizes: tuple[int, ...] = (8, 16, 12, 5)) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in pairwise(sizes)])
        self.neurons = nn.ModuleList([leaky(init_hidden=False) for _ in sizes[1:]])

    def forward(self, x: Tensor) -> list[Tensor]:
        states = [neuron.init_leaky() for neuron in self.neurons]
        records: list[list[Tensor]] = [[] for _ in self.neurons]
        for step in x:
            out = step
            for index, (layer, neuron) in enumerate(zip(self.layers, self.neurons, strict=True)):
                out, states[index] = neuron(layer(out), states[index])
                records[index].append(out)
        return [torch.stack(record) for record in records][-1]


class OwnNeuron(nn.Module):
    """A neuron of the user's own, of a linear layer and a module of snnTorch, used twice."""

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            self.linear, self.norm = nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs)
            self.neuron = leaky(init_hidden=False, learn_beta=True)
            self.mem: Any = None

        def forward(self, x: Tensor) -> Tensor:
            if self.mem is None:
                self.mem = torch.zeros(x.shape[0], self.linear.out_features, dtype=x.dtype)
            spk, self.mem = self.neuron(self.norm(self.linear(x)), self.mem)
            return spk

    def __init__(self) -> None:
        super().__init__()
        self.block1, self.block2 = self.Block(8, 12), self.Block(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        self.block1.mem = self.block2.mem = None
        return torch.stack([self.block2(self.block1(step)) for step in x]).sum(0)


class LapicqueLearned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(8, 12), snn.Lapicque(beta=0.8, threshold=0.3, learn_beta=True, init_hidden=True)
        self.fc2 = nn.Linear(12, 5)
        self.lif2 = snn.Lapicque(R=2.0, C=3.0, time_step=1.0, threshold=0.3, init_hidden=True, reset_mechanism="zero")

    def forward(self, x: Tensor) -> Tensor:
        return self.lif2(self.fc2(self.lif1(self.fc1(x))))


class SynapticLearned(nn.Module):
    """Learned rates of each neuron; the read-out a membrane without reset of the second order."""

    def __init__(self) -> None:
        super().__init__()
        options: dict[str, Any] = {"learn_alpha": True, "learn_beta": True}
        self.fc1, self.fc2 = nn.Linear(8, 12), nn.Linear(12, 5)
        self.lif1 = snn.Synaptic(alpha=torch.rand(12), beta=torch.rand(12), threshold=0.3, **options)
        self.read = snn.Synaptic(alpha=0.8, beta=0.9, reset_mechanism="none", **options)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        syn1, mem1 = self.lif1.init_synaptic()
        syn2, mem2 = self.read.init_synaptic()
        spikes, membranes = [], []
        for step in x:
            spk1, syn1, mem1 = self.lif1(self.fc1(step), syn1, mem1)
            spk2, syn2, mem2 = self.read(self.fc2(spk1), syn2, mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        return torch.stack(spikes), torch.stack(membranes)


class Gated(nn.Module):
    """Spiking self-attention by products, as spikformers have it."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.lq, self.lk = nn.Linear(8, 8), nn.Linear(8, 8), leaky(), leaky()
        self.out, self.lo = nn.Linear(8, 5), leaky()

    def forward(self, x: Tensor) -> Tensor:
        return self.lo(self.out(self.lq(self.q(x)) * self.lk(self.k(x))))


class Delayed(nn.Module):
    """Spikes of one and of two steps before beside those of now."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.late, self.later, self.lif1 = (
            nn.Linear(8, 10),
            nn.Linear(8, 10),
            nn.Linear(8, 10),
            leaky(init_hidden=False),
        )
        self.out, self.lif2 = nn.Linear(10, 5), leaky(init_hidden=False)

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2, found = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        padded = functional.pad(x, (0, 0, 0, 0, 2, 0))
        for t in range(x.shape[0]):
            current = self.fc1(padded[t + 2]) + self.late(padded[t + 1]) + self.later(padded[t])
            spk, mem1 = self.lif1(current, mem1)
            out, mem2 = self.lif2(self.out(spk), mem2)
            found.append(out)
        return torch.stack(found)


class WeightNormed(nn.Module):
    """Weights reparametrised by torch (weight_norm), spectral norm."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.utils.parametrizations.weight_norm(nn.Linear(8, 12)), leaky()
        self.fc2, self.lif2 = nn.Linear(12, 5), leaky()

    def forward(self, x: Tensor) -> Tensor:
        return self.lif2(self.fc2(self.lif1(self.fc1(x))))


def alpha_hidden() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 10), snn.Alpha(alpha=0.9, beta=0.7, init_hidden=True), nn.Linear(10, 5), leaky())


_OF = "snnTorch"
CASES = [
    Case("one Leaky in three places", _OF, of_torch(OneNeuronTwice, (8,), run=whole, encoding="spikes")),
    Case(
        "BNTT",
        _OF,
        of_torch(lambda: trained(NormThroughTime()), (2, 6, 6), run=whole, encoding="spikes", time_steps=STEPS),
    ),
    Case("skip with a learned weight", _OF, of_torch(LearnedSkip, (2, 6, 6))),
    Case("skip with a weight a channel", _OF, of_torch(lambda: LearnedSkip(4), (2, 6, 6))),
    Case("records written by index", _OF, of_torch(PlainLeaky, (8,), run=whole, encoding="spikes")),
    Case("speech, largest membrane", _OF, of_torch(RecurrentSpeech, (14,), run=batch_first, encoding="sequence")),
    Case(
        "speech, mean membrane",
        _OF,
        of_torch(lambda: RecurrentSpeech("mean"), (14,), run=batch_first, encoding="sequence"),
    ),
    Case("speech, Conv1d in a loop", _OF, of_torch(lambda: trained(Speech1d()), (16,), run=whole, encoding="sequence")),
    Case("separable with norms", _OF, of_torch(lambda: trained(Separable()), (3, 6, 6))),
    Case("generator", _OF, of_torch(lambda: trained(Generator()), (10,))),
    Case("difference of branches, mean of maps", _OF, of_torch(MeanOfMaps, (2, 6, 6), encoding="spikes")),
    Case("autoencoder", _OF, of_torch(Autoencoder, (1, 8, 8), run=image, time_steps=STEPS)),
    Case("lists of layers", _OF, of_torch(SquareRecord, (8,), run=whole, encoding="spikes")),
    Case("states kept by blocks", _OF, of_torch(lambda: trained(OwnNeuron()), (8,), run=whole, encoding="spikes")),
    Case(
        "gestures, voting by AvgPool1d",
        _OF,
        of_torch(lambda: trained(EventVGG()), (2, 8, 8), run=whole, encoding="spikes"),
    ),
    Case("Lapicque, learned", _OF, of_torch(LapicqueLearned, (8,))),
    Case(
        "Synaptic, learned, a membrane",
        _OF,
        of_torch(SynapticLearned, (8,), run=whole, encoding="spikes", read_out="membrane"),
    ),
    Case("product of spikes", _OF, of_torch(Gated, (8,))),
    Case("Inception blocks", _OF, of_torch(Inception, (2, 6, 6))),
    Case("delays by hand", _OF, of_torch(Delayed, (8,), run=whole, encoding="spikes")),
    Case("patches", _OF, of_torch(Patches, (1, 8, 8))),
    Case("weight_norm", _OF, of_torch(WeightNormed, (8,))),
    Case("image repeated", _OF, of_torch(Tiled, (1, 4, 4), run=image, time_steps=STEPS)),
    Case("Alpha in the middle", _OF, of_torch(alpha_hidden, (8,))),
    Case("dense with norms and dropout", _OF, of_torch(deep_mlp, (1, 4, 4))),
]
