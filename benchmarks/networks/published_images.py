"""Networks of images as papers and repositories publish them: norms of each step, skips, branches, pools, patches."""

from __future__ import annotations

from typing import Any

import snntorch as snn
import torch
from snntorch import surrogate, utils
from torch import Tensor, nn

from benchmarks.networks.forms import STEPS, leaky, trained


class NormThroughTime(nn.Module):
    """Batch normalisation through time: a norm for each step, as BNTT has it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.Linear(4 * 36, 5)
        self.norms = nn.ModuleList([nn.BatchNorm2d(4, eps=1e-4, momentum=0.1) for _ in range(STEPS)])
        self.lif1, self.lif2 = leaky(init_hidden=False), leaky(init_hidden=False)

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2, found = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for t, step in enumerate(x):
            spk, mem1 = self.lif1(self.norms[t](self.conv(step)), mem1)
            out, mem2 = self.lif2(self.fc(spk.flatten(1)), mem2)
            found.append(out)
        return torch.stack(found)


class LearnedSkip(nn.Module):
    """A residual whose weight is learned, one number or one a channel."""

    def __init__(self, each: int = 1) -> None:
        super().__init__()
        self.conv1, self.lif1 = nn.Conv2d(2, 4, 3, padding=1), leaky()
        self.conv2, self.lif2 = nn.Conv2d(4, 4, 3, padding=1), leaky()
        self.skip = nn.Parameter(torch.linspace(0.4, 0.8, each).reshape(1, -1, 1, 1) if each > 1 else torch.tensor(0.6))
        self.fc, self.lif3 = nn.Linear(4 * 36, 5), leaky()

    def forward(self, x: Tensor) -> Tensor:
        first = self.lif1(self.conv1(x))
        return self.lif3(self.fc(self.lif2(self.conv2(first) + self.skip * first).flatten(1)))


class Separable(nn.Module):
    """Depthwise, norm, pointwise, norm, neuron; the head a global average pool."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.lif0 = nn.Conv2d(3, 4, 3, padding=1, bias=False), leaky()
        self.depth, self.bn1 = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False), nn.BatchNorm2d(4)
        self.point, self.bn2, self.lif1 = nn.Conv2d(4, 8, 1, bias=False), nn.BatchNorm2d(8), leaky()
        self.pool, self.fc, self.lif2 = nn.AdaptiveAvgPool2d(1), nn.Linear(8, 5), leaky()

    def forward(self, x: Tensor) -> Tensor:
        x = self.lif0(self.stem(x))
        x = self.lif1(self.bn2(self.point(self.bn1(self.depth(x)))))
        return self.lif2(self.fc(torch.flatten(self.pool(x), 1)))


class Autoencoder(nn.Module):
    """Down to a code and up again, all of it in spikes."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *(nn.Conv2d(1, 4, 3, padding=1, stride=2), leaky(), nn.Conv2d(4, 6, 3, padding=1, stride=2), leaky()),
            *(nn.Flatten(1, 3), nn.Linear(24, 8), leaky()),
        )
        self.linear = nn.Sequential(nn.Linear(8, 24), leaky())
        self.decoder = nn.Sequential(
            *(nn.Unflatten(1, (6, 2, 2)), nn.ConvTranspose2d(6, 4, 3, 2, 1, 1), leaky()),
            *(nn.ConvTranspose2d(4, 1, 3, 2, 1, 1), leaky()),
        )

    def forward(self, x: Tensor) -> Tensor:
        utils.reset(self.encoder)
        utils.reset(self.linear)
        utils.reset(self.decoder)
        found = []
        for _ in range(STEPS):
            found.append(self.decoder(self.linear(self.encoder(x))))
        return torch.stack(found, dim=2)


class Generator(nn.Module):
    """As DCGANs generate: maps of a flat code, normalised, and enlarged by transposed convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.norm, self.lif1 = nn.Linear(10, 24, bias=False), nn.BatchNorm2d(6), leaky()
        self.up1, self.norm1, self.lif2 = nn.ConvTranspose2d(6, 4, 4, 2, 1, bias=False), nn.BatchNorm2d(4), leaky()
        self.up2, self.lif3 = nn.ConvTranspose2d(4, 1, 4, 2, 1), leaky()

    def forward(self, x: Tensor) -> Tensor:
        x = self.lif1(self.norm(self.fc(x).view(-1, 6, 2, 2)))
        return self.lif3(self.up2(self.lif2(self.norm1(self.up1(x)))))


class MeanOfMaps(nn.Module):
    """Global pooling as a mean, and a branch that is subtracted."""

    def __init__(self) -> None:
        super().__init__()
        self.on, self.lif1 = nn.Conv2d(2, 6, 3, padding=1), leaky()
        self.off, self.lif2 = nn.Conv2d(2, 6, 3, padding=1), leaky()
        self.depth, self.wide, self.lif3 = (
            nn.Conv2d(6, 6, 3, padding=1, groups=6),
            nn.Conv2d(6, 8, 3, padding=1),
            leaky(),
        )
        self.fc, self.lif4 = nn.Linear(8, 5), leaky(threshold=0.2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.lif1(self.on(x)) - self.lif2(self.off(x))
        return self.lif4(self.fc(self.lif3(self.wide(self.depth(x))).mean((2, 3))))


class EventVGG(nn.Module):
    """DVS gestures: norms, spikes pooled by their largest, dropout, a population of outputs averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), leaky(), nn.MaxPool2d(2)),
            *(nn.Conv2d(4, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), leaky(), nn.MaxPool2d(2)),
        )
        self.classifier = nn.Sequential(
            *(nn.Flatten(), nn.Dropout(0.5), nn.Linear(24, 20), leaky(), nn.Dropout(0.5), nn.Linear(20, 20), leaky()),
            nn.AvgPool1d(4, 4),
        )

    def forward(self, x: Tensor) -> Tensor:
        utils.reset(self.features)
        utils.reset(self.classifier)
        return torch.stack([self.classifier(self.features(frame)) for frame in x]).mean(0)


class Inception(nn.Module):
    """Kernels of three sizes side by side on the same spikes, the channels put together."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.lif0 = nn.Conv2d(2, 4, 3, padding=1), leaky()
        self.ones, self.threes, self.fives = (
            nn.Conv2d(4, 2, 1),
            nn.Conv2d(4, 3, 3, padding=1),
            nn.Conv2d(4, 2, 5, padding=2),
        )
        self.lif1, self.pool, self.fc, self.lif2 = leaky(), nn.MaxPool2d(2), nn.Linear(7 * 9, 5), leaky()

    def forward(self, x: Tensor) -> Tensor:
        x = self.lif0(self.stem(x))
        x = self.lif1(torch.cat([self.ones(x), self.threes(x), self.fives(x)], dim=1))
        return self.lif2(self.fc(self.pool(x).flatten(1)))


class Patches(nn.Module):
    """A patch embedding and a mixer over positions: transposes between the layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lif0 = nn.Conv2d(1, 6, 4, stride=4), leaky()
        self.mix, self.lif1 = nn.Conv1d(6, 6, 1), leaky()
        self.head, self.lif2 = nn.Linear(24, 5), leaky()

    def forward(self, x: Tensor) -> Tensor:
        x = self.lif0(self.embed(x)).flatten(2)
        x = self.lif1(self.mix(x)) + x
        return self.lif2(self.head(x.flatten(1)))


class Tiled(nn.Module):
    """An image repeated over time before a loop, the output a sum over the record, then a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1, self.fc2, self.lif2 = nn.Linear(16, 12), leaky(), nn.Linear(12, 5), leaky()

    def forward(self, x: Tensor) -> Tensor:
        utils.reset(self)
        x = x.unsqueeze(0).repeat(STEPS, 1, 1, 1, 1)
        found = [self.lif2(self.fc2(self.lif1(self.fc1(step.view(step.size(0), -1))))) for step in x]
        return torch.stack(found).sum(dim=0) / STEPS


def deep_mlp() -> nn.Module:
    """BatchNorm1d, dropout and neurons, the last membrane given too."""
    grad = surrogate.atan()
    options: dict[str, Any] = {"beta": 0.5, "spike_grad": grad, "init_hidden": True, "learn_beta": True}
    return trained(
        nn.Sequential(
            *(nn.Flatten(), nn.Linear(16, 20), nn.BatchNorm1d(20), snn.Leaky(**options), nn.Dropout(0.2)),
            *(
                nn.Linear(20, 12),
                nn.BatchNorm1d(12),
                snn.Leaky(**options),
                nn.Linear(12, 5),
                snn.Leaky(**options, output=True),
            ),
        )
    )
