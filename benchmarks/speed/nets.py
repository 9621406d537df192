"""Five networks that people have, in snnTorch: the oldest of the libraries that they are compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import snntorch
import torch
from snntorch import surrogate
from torch import Tensor, nn

from spear_deploy.network import Model, from_snntorch

BETA = 0.5
_HARD: dict[str, Any] = {
    "init_hidden": True,
    "reset_mechanism": "zero",
    "reset_delay": False,
    "spike_grad": surrogate.atan(alpha=2.0),
}
CLASSES = 10


@dataclass(frozen=True)
class Net:
    """A network and how it is run.

    Attributes:
        name: in the tables.
        build: makes it, with weights at which all layers fire.
        input_shape: of one step.
        time_steps: T.
        batch: samples that run together beside peers.
        counted: samples of a split that is measured.
        static: whether a sample is an image that every step shows; else spikes that change.

    """

    name: str
    build: Callable[[], nn.Sequential]
    input_shape: tuple[int, ...]
    time_steps: int
    batch: int
    counted: int
    static: bool = False

    def made(self) -> nn.Sequential:
        """The network, the same each time."""
        torch.manual_seed(0)
        return self.build()

    def model(self) -> Model:
        """The same as we read it."""
        return from_snntorch(self.made(), input_shape=self.input_shape, time_steps=self.time_steps)

    def inputs(self, samples: int | None = None) -> Tensor:
        """`[T, B, *input_shape]`."""
        generator = torch.Generator().manual_seed(1)
        shape = (samples or self.batch, *self.input_shape)
        if self.static:
            return torch.rand(shape, generator=generator).expand(self.time_steps, *shape)
        return (torch.rand((self.time_steps, *shape), generator=generator) < 0.2).float()


def leaky() -> nn.Module:
    """LIF with hard reset, tau 2."""
    return snntorch.Leaky(BETA, **_HARD)


def convolutional(channels: int, size: int, widths: tuple[int | str, ...]) -> nn.Sequential:
    """Convolutions of 3 x 3 with a neuron layer each, and a dense one; a width "/32" has stride 2."""
    parts: list[nn.Module] = []
    for width in widths:
        if width == "pool":
            parts.append(nn.AvgPool2d(2))
            size //= 2
            continue
        stride = 2 if isinstance(width, str) else 1
        out = int(str(width).lstrip("/"))
        conv = nn.Conv2d(channels, out, 3, stride, padding=1)
        with torch.no_grad():
            nn.init.kaiming_normal_(conv.weight).mul_(2)
        parts += [conv, leaky()]
        channels, size = out, -(-size // stride)
    return nn.Sequential(*parts, nn.Flatten(), *dense_layer(channels * size**2, CLASSES))


def dense_layer(before: int, after: int) -> tuple[nn.Module, nn.Module]:
    """A dense layer and its neurons."""
    layer = nn.Linear(before, after)
    with torch.no_grad():
        layer.weight.mul_(6)
    return layer, leaky()


def _dense() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), *dense_layer(784, 256), *dense_layer(256, CLASSES))


def _recurrent() -> nn.Sequential:
    hidden = snntorch.RSynaptic(alpha=0.8, beta=0.9, linear_features=128, **_HARD | {"reset_delay": True})
    first = nn.Linear(64, 128)
    with torch.no_grad():
        first.weight.mul_(4)
    return nn.Sequential(first, hidden, *dense_layer(128, CLASSES))


_VGG = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 384, 384, 384, "pool")

NETS = (
    Net("digits", lambda: convolutional(1, 8, (16, "/32", "/64")), (1, 8, 8), 4, 64, 1000, static=True),
    Net("dense 784-256-10", _dense, (1, 28, 28), 20, 64, 300),
    Net("three convolutions", lambda: convolutional(1, 28, (16, "pool", 32, "pool", 64)), (1, 28, 28), 16, 16, 64),
    Net("recurrent CubaLIF", _recurrent, (64,), 256, 32, 64),
    Net("VGG", lambda: convolutional(3, 32, _VGG), (3, 32, 32), 4, 4, 32, static=True),
)
