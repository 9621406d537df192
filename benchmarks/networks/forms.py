"""Ways in which networks are put together: skips, concatenations, shared layers, read-outs, loops of one's own."""

from __future__ import annotations

from typing import Any

import snntorch as snn
import torch
from snntorch import utils
from torch import Tensor, nn

from benchmarks.networks.case import Case, batch_first, of_torch, whole

STEPS = 6


def leaky(**options: Any) -> Any:
    """snnTorch's default: reset by subtraction, a step late."""
    return snn.Leaky(**{"beta": 0.9, "threshold": 0.5, "init_hidden": True} | options)


def trained(net: nn.Module) -> nn.Module:
    """The network with norms that do something."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.running_mean is not None:
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.1, 0.2)
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return net


class Residual(nn.Module):
    """Blocks as in ResNets: currents added to spikes, and spikes to spikes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.lif1 = nn.Conv2d(2, 4, 3, padding=1), leaky()
        self.conv2, self.norm, self.lif2 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), leaky()
        self.down, self.conv3, self.lif3 = nn.Conv2d(4, 6, 1, stride=2), nn.Conv2d(4, 6, 3, 2, 1), leaky()
        self.fc, self.lif4 = nn.Linear(6 * 9, 5), leaky()

    def forward(self, x: Tensor) -> Tensor:
        x = self.lif1(self.conv1(x))
        x = self.lif2(self.norm(self.conv2(x)) + x)
        x = self.lif3(self.conv3(x) + self.down(x))
        return self.lif4(self.fc(x.flatten(1)))


class DenselyConnected(nn.Module):
    """As in DenseNets: each block sees all channels before it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.lif1 = nn.Conv2d(2, 4, 3, padding=1), leaky()
        self.conv2, self.lif2 = nn.Conv2d(4, 3, 3, padding=1), leaky()
        self.conv3, self.norm, self.lif3 = nn.Conv2d(7, 5, 3), nn.BatchNorm2d(5), leaky()
        self.pool, self.fc, self.lif4 = nn.AvgPool2d(2), nn.Linear(5 * 4 + 7 * 9, 5), leaky()

    def forward(self, x: Tensor) -> Tensor:
        first = self.lif1(self.conv1(x))
        both = torch.cat([first, self.lif2(self.conv2(first))], dim=1)
        deep = self.pool(self.lif3(self.norm(self.conv3(both)))).flatten(1)
        return self.lif4(self.fc(torch.cat((deep, self.pool(both).flatten(1)), 1)))


class GroupedBranches(nn.Module):
    """As in ShuffleNets: a depthwise and a grouped convolution on concatenated channels, a norm behind."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.lif1 = nn.Conv2d(2, 4, 3, padding=1), leaky()
        self.conv2, self.lif2 = nn.Conv2d(4, 4, 3, padding=1), leaky()
        self.depthwise, self.norm, self.lif3 = nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), leaky()
        self.grouped, self.lif4 = nn.Conv2d(8, 6, 3, groups=2), leaky()
        self.fc, self.lif5 = nn.Linear(6 * 16, 5), leaky()

    def forward(self, x: Tensor) -> Tensor:
        first = self.lif1(self.conv1(x))
        both = torch.cat([first, self.lif2(self.conv2(first))], dim=1)
        return self.lif5(self.fc(self.lif4(self.grouped(self.lif3(self.norm(self.depthwise(both))))).flatten(1)))


class UNet(nn.Module):
    """Down, up by a transposed convolution, and the early maps beside the late ones."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.lif1 = nn.Conv2d(2, 4, 3, padding=1), leaky()
        self.pool, self.deep, self.lif2 = nn.MaxPool2d(2), nn.Conv2d(4, 6, 3, padding=1), leaky()
        self.up, self.lif3 = nn.ConvTranspose2d(6, 4, 2, stride=2), leaky()
        self.last, self.lif4 = nn.Conv2d(8, 2, 3, padding=1), leaky()

    def forward(self, x: Tensor) -> Tensor:
        early = self.lif1(self.down(x))
        late = self.lif3(self.up(self.lif2(self.deep(self.pool(early)))))
        return self.lif4(self.last(torch.cat([early, late], 1)))


class Shared(nn.Module):
    """One convolution twice, one pool twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.lif1 = nn.Conv2d(2, 4, 3, padding=1), leaky()
        self.conv, self.pool, self.lif2, self.lif3 = nn.Conv2d(4, 4, 3, padding=1), nn.AvgPool2d(2), leaky(), leaky()
        self.fc, self.lif4 = nn.Linear(16, 5), leaky()

    def forward(self, x: Tensor) -> Tensor:
        x = self.lif2(self.pool(self.conv(self.lif1(self.first(x)))))
        x = self.lif3(self.pool(self.conv(x)))
        return self.lif4(self.fc(x.flatten(1)))


class EndsInLinear(nn.Module):
    """SPEAR's own kind: currents of the last layer, averaged over time (or their sum, or the last), are the logits."""

    def __init__(self, over: str = "mean") -> None:
        super().__init__()
        self.over = over
        self.fc1, self.lif1, self.fc2 = nn.Linear(8, 12), leaky(init_hidden=False), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        mem, found = self.lif1.init_leaky(), []
        for step in x:
            spk, mem = self.lif1(self.fc1(step), mem)
            found.append(self.fc2(spk))
        logits = torch.stack(found)
        return {"mean": logits.mean(0), "sum": logits.sum(0), "last": logits[-1]}[self.over]


class LastMembrane(nn.Module):
    """The membrane of the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1, self.fc2 = nn.Linear(8, 12), leaky(init_hidden=False), nn.Linear(12, 5)
        self.out = leaky(init_hidden=False, reset_mechanism="none")

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2 = self.lif1.init_leaky(), self.out.init_leaky()
        for step in x:
            spk, mem1 = self.lif1(self.fc1(step), mem1)
            _, mem2 = self.out(self.fc2(spk), mem2)
        return mem2


class TwoHeads(nn.Module):
    """Spikes of two layers, one of which is meant."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(8, 12), leaky()
        self.fc2, self.lif2, self.fc3, self.lif3 = nn.Linear(12, 5), leaky(), nn.Linear(12, 3), leaky()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.lif1(self.fc1(x))
        return self.lif2(self.fc2(x)), self.lif3(self.fc3(x))


class Folded(nn.Module):
    """Layers see time folded into the batch, neurons step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.lif1 = nn.Conv2d(2, 4, 3), leaky(init_hidden=False)
        self.pool, self.fc, self.lif2 = nn.MaxPool2d(2), nn.Linear(36, 5), leaky(init_hidden=False)

    def forward(self, x: Tensor) -> Tensor:
        steps, batch = x.shape[:2]
        spikes = self.run(self.lif1, self.conv(x.flatten(0, 1)).view(steps, batch, 4, 6, 6))
        currents = self.fc(self.pool(spikes.flatten(0, 1)).flatten(1))
        return self.run(self.lif2, currents.reshape(steps, batch, -1))

    def run(self, neuron: Any, currents: Tensor) -> Tensor:
        mem, found = neuron.init_leaky(), []
        for step in currents:
            spk, mem = neuron(step, mem)
            found.append(spk)
        return torch.stack(found)


class BatchFirst(nn.Module):
    """Batches first, as torch's own recurrent layers may have it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1, self.fc2, self.lif2 = nn.Linear(8, 12), leaky(), nn.Linear(12, 5), leaky()

    def forward(self, x: Tensor) -> Tensor:
        utils.reset(self)
        return torch.stack([self.lif2(self.fc2(self.lif1(self.fc1(x[:, t])))) for t in range(x.shape[1])], dim=1)


class OwnRecurrence(nn.Module):
    """Spikes of the step before through a layer of the user's own, and a skip over time."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.back, self.lif1 = nn.Linear(8, 10), nn.Linear(10, 10), leaky(init_hidden=False)
        self.out, self.lif2 = nn.Linear(10, 5), leaky(init_hidden=False)

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2, found = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        spk = torch.zeros(x.shape[1], 10, dtype=x.dtype)
        for step in x:
            spk, mem1 = self.lif1(self.fc(step) + self.back(spk), mem1)
            out, mem2 = self.lif2(self.out(spk), mem2)
            found.append(out)
        return torch.stack(found)


def keyword_spotting() -> nn.Module:
    """As NeuroBench's networks for sound: strided convolutions over time, norms, a dense end."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 4), (4, 8)):
        layers += [nn.Conv1d(inputs, outputs, 5, stride=2, padding=2), nn.BatchNorm1d(outputs), leaky()]
    return trained(nn.Sequential(*layers, nn.AvgPool1d(4), nn.Flatten(), nn.LazyLinear(5), leaky()))


def motor_decoding() -> nn.Module:
    """As NeuroBench's for reaching movements: two neurons without reset whose membranes are velocities."""
    return nn.Sequential(
        nn.Linear(16, 20), leaky(beta=0.96), nn.Linear(20, 2), leaky(reset_mechanism="none", output=True)
    )


def gestures() -> nn.Module:
    """As its network for gestures: three convolutions with pools behind, on events."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((2, 4), (4, 6), (6, 8)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), leaky(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(11), leaky())


def small_vgg() -> nn.Module:
    """Convolutions in pairs, with norms and dropout."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 4), (4, 6)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), leaky()]
        layers += [nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), leaky()]
        layers += [nn.AvgPool2d(2), nn.Dropout2d(0.2)]
    return trained(nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(12), leaky(), nn.Linear(12, 5), leaky()))


_OF = "snnTorch"
MAP = (2, 6, 6)
CASES = [
    Case("ResNet blocks", _OF, of_torch(lambda: trained(Residual()), MAP)),
    Case("DenseNet blocks", _OF, of_torch(lambda: trained(DenselyConnected()), MAP)),
    Case("groups on concatenated channels", _OF, of_torch(lambda: trained(GroupedBranches()), MAP)),
    Case("U-Net", _OF, of_torch(UNet, MAP, encoding="spikes")),
    Case("shared convolution and pool", _OF, of_torch(Shared, (2, 8, 8))),
    Case("VGG, small", _OF, of_torch(small_vgg, (3, 8, 8))),
    Case("Linear at the end, mean", _OF, of_torch(EndsInLinear, (8,), run=whole)),
    Case("Linear at the end, sum", _OF, of_torch(lambda: EndsInLinear("sum"), (8,), run=whole)),
    Case("Linear at the end, last step", _OF, of_torch(lambda: EndsInLinear("last"), (8,), run=whole)),
    Case("membrane of the last step", _OF, of_torch(LastMembrane, (8,), run=whole, encoding="sequence")),
    Case("two heads, one named", _OF, of_torch(TwoHeads, (8,), output="lif2")),
    Case("two heads, none named", _OF, of_torch(TwoHeads, (8,))),
    Case("time folded into the batch", _OF, of_torch(Folded, (2, 8, 8), run=whole, encoding="spikes")),
    Case("batch first", _OF, of_torch(BatchFirst, (8,), run=batch_first, encoding="spikes")),
    Case("recurrence by hand", _OF, of_torch(OwnRecurrence, (8,), run=whole, encoding="sequence")),
    Case("event counts", _OF, of_torch(gestures, (2, 8, 8), encoding="counts")),
    Case("NeuroBench: gestures", _OF, of_torch(gestures, (2, 8, 8), encoding="spikes")),
    Case("NeuroBench: keywords", _OF, of_torch(keyword_spotting, (1, 32))),
    Case("NeuroBench: reaching", _OF, of_torch(motor_decoding, (16,), encoding="counts", read_out="membrane")),
]
