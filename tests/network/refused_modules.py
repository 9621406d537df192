"""Modules that do what no graph holds, or not as it must be for one."""

import snntorch
import torch
from network_builders import leaky, trained
from snntorch import spikegen, utils
from torch import nn


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)
        self.lif1, self.lif2 = leaky(), leaky()

    def forward(self, x):
        return self.lif2(self.fc(self.lif1(self.fc(x))))


class SharedNeuron(Shared):
    def forward(self, x):
        return self.lif1(self.lif1(self.fc(x)))


class ForgetsState(nn.Module):
    """A loop that begins each step from zero."""

    def __init__(self):
        super().__init__()
        self.fc, self.lif = nn.Linear(6, 6), snntorch.Leaky(0.9)

    def forward(self, x):
        return torch.stack([self.lif(self.fc(step), self.lif.init_leaky())[0] for step in x])


class ResetsFromAbove(nn.Module):
    """`utils.reset` on a module whose neurons lie one level deeper, where it finds none."""

    def __init__(self):
        super().__init__()
        self.part = nn.Sequential(nn.Linear(6, 6), leaky(threshold=0.3))

    def forward(self, x):
        utils.reset(self)
        return torch.stack([self.part(step) for step in x])


class AddsAnAxis(nn.Module):
    """Samples of one channel without an axis for it."""

    def __init__(self):
        super().__init__()
        self.conv, self.lif, self.fc, self.out = nn.Conv1d(1, 2, 3), leaky(), nn.Linear(8, 3), leaky()

    def forward(self, x):
        utils.reset(self)
        return torch.stack([self.out(self.fc(self.lif(self.conv(step.unsqueeze(1))).flatten(1))) for step in x])


class MapsOfItsInput(nn.Module):
    """Samples that are stored flat."""

    def __init__(self, maps):
        super().__init__()
        self.maps, self.conv, self.lif = maps, nn.Conv2d(1, 2, 2), leaky()
        self.fc, self.out = nn.Linear(4, 3), leaky()

    def forward(self, x):
        utils.reset(self)
        return torch.stack([self.out(self.fc(self.lif(self.conv(self.maps(step))).flatten(1))) for step in x])


class NormOfEachStep(nn.Module):
    """Batch normalisation through time."""

    def __init__(self):
        super().__init__()
        self.fc, self.lif = nn.Linear(6, 6), snntorch.Leaky(0.9)
        self.norms = nn.ModuleList([trained(nn.BatchNorm1d(6)) for _ in range(5)])

    def forward(self, x):
        mem, found = self.lif.init_leaky(), []
        for norm, step in zip(self.norms, x, strict=True):
            spk, mem = self.lif(norm(self.fc(step)), mem)
            found.append(spk)
        return torch.stack(found)


class CarriesState(nn.Module):
    """A loop over hidden states that no one resets."""

    def __init__(self):
        super().__init__()
        self.fc, self.lif = nn.Linear(6, 6), leaky(threshold=0.3)

    def forward(self, x):
        return torch.stack([self.lif(self.fc(step)) for step in x])


class ForeignState(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)
        self.lif1, self.lif2 = snntorch.Leaky(0.9), snntorch.Leaky(0.8)

    def forward(self, x):
        mem = torch.zeros(x.shape[1], 6, dtype=x.dtype)
        found = []
        for step in x:
            spk, mem = self.lif1(self.fc(step), mem)
            spk, mem = self.lif2(spk, mem)
            found.append(spk)
        return found


class StartsHigh(ForeignState):
    def forward(self, x):
        mem = torch.ones(x.shape[1], 6, dtype=x.dtype)
        found = []
        for step in x:
            spk, mem = self.lif1(self.fc(step), mem)
            found.append(spk)
        return found


class Function(nn.Module):
    """One step with a function between the layer and the neuron."""

    def __init__(self, function):
        super().__init__()
        self.fc, self.lif = nn.Linear(6, 6), leaky()
        self.function = function

    def forward(self, x):
        return self.lif(self.function(self.fc(x)))


class Ends(Function):
    """The function behind the neuron."""

    def forward(self, x):
        return self.function(self.lif(self.fc(x)), 1)


class Turned(nn.Module):
    """Channels behind positions."""

    def __init__(self):
        super().__init__()
        self.first, self.fc, self.lif = nn.Conv1d(2, 4, 1), nn.Linear(12, 6), leaky()

    def forward(self, x):
        return self.lif(self.fc(self.first(x).transpose(1, 2).flatten(1)))


class EncodesInside(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.lif = nn.Linear(6, 6), snntorch.Leaky(0.9)

    def forward(self, x):
        mem, found = self.lif.init_leaky(), []
        for step in spikegen.rate(x.clamp(0, 1), num_steps=5):
            spk, mem = self.lif(self.fc(step), mem)
            found.append(spk)
        return found


class NeedsMore(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.lif = nn.Linear(6, 6), snntorch.Leaky(0.9)

    def forward(self, x, mem):
        return self.lif(self.fc(x), mem)


def plain(**options):
    return nn.Sequential(nn.Linear(6, 6), leaky(**options))


def reset_changed_later():
    net = plain(reset_mechanism="subtract")
    net[1].reset_mechanism = "zero"
    return net


class Own(snntorch.Leaky):
    """A neuron that does something else."""

    def forward(self, x, mem=None):
        return super().forward(2 * x, mem)
