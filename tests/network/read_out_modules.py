"""Networks that end as people write them: currents, membranes, populations, two heads."""

import snntorch
import torch
from network_builders import heaviside
from snntorch import utils
from torch import nn

T, B = 6, 30


def lif(threshold=0.4, **options):
    return snntorch.Leaky(beta=0.9, threshold=threshold, spike_grad=heaviside, **options)


class EndsInLinear(nn.Module):
    """SPEAR's own kind: the last Linear's currents, averaged over time, are the logits."""

    def __init__(self, hidden=12, classes=5):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(8, hidden), lif()
        self.fc2 = nn.Linear(hidden, classes)

    def steps(self, x):
        mem, found = self.lif1.init_leaky(), []
        for step in x:
            spk, mem = self.lif1(self.fc1(step), mem)
            found.append(self.fc2(spk))
        return found

    def forward(self, x):
        return torch.stack(self.steps(x)).mean(0)


class Sums(EndsInLinear):
    def forward(self, x):
        return sum(self.steps(x))


class SumsAndDivides(EndsInLinear):
    def forward(self, x):
        return sum(self.steps(x)) / len(x)


class EveryStep(EndsInLinear):
    def forward(self, x):
        return torch.stack(self.steps(x), dim=1)


class AsAList(EndsInLinear):
    def forward(self, x):
        return self.steps(x)


class ScaledLogits(EndsInLinear):
    def forward(self, x):
        return torch.stack([2.5 * step for step in self.steps(x)]).mean(dim=0)


class AllAtOnce(EndsInLinear):
    """The last layer is called once, on the spikes of all steps."""

    def forward(self, x):
        mem, found = self.lif1.init_leaky(), []
        for step in x:
            spk, mem = self.lif1(self.fc1(step), mem)
            found.append(spk)
        return self.fc2(torch.stack(found)).mean(0)


class OfTheMean(AllAtOnce):
    """The last layer is called once, on the firing rates."""

    def forward(self, x):
        mem, found = self.lif1.init_leaky(), []
        for step in x:
            spk, mem = self.lif1(self.fc1(step), mem)
            found.append(spk)
        return self.fc2(torch.stack(found).mean(0))


class OfTheSum(OfTheMean):
    def forward(self, x):
        mem, found = self.lif1.init_leaky(), []
        for step in x:
            spk, mem = self.lif1(self.fc1(step), mem)
            found.append(spk)
        return self.fc2(torch.stack(found).sum(0))


class LastStep(EndsInLinear):
    def forward(self, x):
        return self.steps(x)[-1]


class LastOfAStack(EndsInLinear):
    def forward(self, x):
        return torch.stack(self.steps(x), dim=1)[:, -1]


class LargestCurrent(EndsInLinear):
    def forward(self, x):
        return torch.stack(self.steps(x), dim=1).max(1)[0]


class Doubled(EndsInLinear):
    def forward(self, x):
        return 2 * torch.stack(self.steps(x)).amax(dim=0)


class LargestMembrane(nn.Module):
    """As networks for spoken digits end."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1, self.fc2 = nn.Linear(8, 12), lif(), nn.Linear(12, 5)
        self.out = lif(reset_mechanism="none")

    def forward(self, x):
        mem1, mem2, found = self.lif1.init_leaky(), self.out.init_leaky(), []
        for step in x:
            spk, mem1 = self.lif1(self.fc1(step), mem1)
            _, mem2 = self.out(self.fc2(spk), mem2)
            found.append(mem2)
        return torch.max(torch.stack(found), 0).values


class AddsLargest(LargestCurrent):
    def forward(self, x):
        largest = super().forward(x)
        return largest + largest


class LargestSpike(LargestCurrent):
    """Whether a neuron fired at all."""

    def __init__(self):
        super().__init__()
        self.lif2 = lif()

    def steps(self, x):
        mem, found = self.lif2.init_leaky(), []
        for step in super().steps(x):
            spk, mem = self.lif2(step, mem)
            found.append(spk)
        return found


class BehindLargest(LargestCurrent):
    def __init__(self):
        super().__init__()
        self.fc3 = nn.Linear(5, 4, bias=False)

    def forward(self, x):
        return self.fc3(super().forward(x))


class LastMembrane(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.lif1, self.fc2 = nn.Linear(8, 12), lif(), nn.Linear(12, 5)
        self.out = lif(reset_mechanism="none")

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.out.init_leaky()
        for step in x:
            spk, mem1 = self.lif1(self.fc1(step), mem1)
            _, mem2 = self.out(self.fc2(spk), mem2)
        return mem2


class TwoHeads(EndsInLinear):
    def __init__(self):
        super().__init__()
        self.other, self.lif2 = nn.Linear(12, 3), lif()

    def forward(self, x):
        mem1, mem2, found, spikes = self.lif1.init_leaky(), self.lif2.init_leaky(), [], []
        for step in x:
            spk, mem1 = self.lif1(self.fc1(step), mem1)
            found.append(self.fc2(spk))
            spk2, mem2 = self.lif2(self.other(spk), mem2)
            spikes.append(spk2)
        return torch.stack(found), torch.stack(spikes)


class Gained(nn.Module):
    """Branches with factors of their own: in the input of the last layers, and behind one of them."""

    def __init__(self):
        super().__init__()
        self.fcs = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        self.lifs = nn.ModuleList(lif(init_hidden=True) for _ in range(3))
        self.end, self.beside = nn.Linear(8, 3), nn.Linear(8, 3)

    def forward(self, x):
        utils.reset(self.lifs)
        found = []
        for h in x:
            for i, (fc, neurons) in enumerate(zip(self.fcs, self.lifs, strict=True)):
                spikes = neurons(fc(h))
                h = spikes + 0.7 * h if i else spikes
            found.append(2 * (self.end(h) + 0.5 * self.beside(spikes)))
        return torch.stack(found).mean(0)
