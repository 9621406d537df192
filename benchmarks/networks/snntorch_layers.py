"""Layers and neurons of snnTorch networks, each between layers of spikes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.networks.case import Case, drawn, of_torch
from benchmarks.networks.forms import trained

MAP, LINE, FLAT = (2, 8, 8), (2, 16), (8,)


def zero(**options: Any) -> nn.Module:
    """A neuron that Loihi has: reset to zero at once."""
    given = {"beta": 0.75, "threshold": 0.5, "reset_mechanism": "zero", "reset_delay": False, "init_hidden": True}
    return snn.Leaky(**given | options)


def behind(*layers: nn.Module) -> Callable[[], nn.Module]:
    """Spikes, the layers that are tried, neurons, and a dense end."""

    def build() -> nn.Module:
        drawn(layers)
        first: nn.Module = nn.LazyConv2d(4, 3, padding=1)
        if any(isinstance(layer, _OF_LINES) for layer in layers):
            first = nn.LazyConv1d(4, 3, padding=1)
        return nn.Sequential(first, zero(), *layers, zero(), nn.Flatten(), nn.LazyLinear(5), zero())

    return build


_OF_LINES = (nn.Conv1d, nn.ConvTranspose1d, nn.AvgPool1d, nn.MaxPool1d, nn.ZeroPad1d, nn.AdaptiveAvgPool1d)


def pooled(*layers: nn.Module) -> Callable[[], nn.Module]:
    """The same with a convolution behind."""
    line = any(isinstance(layer, _OF_LINES) for layer in layers)
    return behind(*layers, nn.LazyConv1d(4, 3) if line else nn.LazyConv2d(4, 3))


LAYERS: dict[str, tuple[tuple[int, ...], Callable[[], nn.Module]]] = {
    "Conv2d, stride 2": (MAP, behind(nn.Conv2d(4, 6, 3, stride=2, padding=1))),
    "Conv2d, dilated, uneven": (MAP, behind(nn.Conv2d(4, 6, (3, 2), dilation=(2, 1), padding=(1, 0)))),
    "Conv2d, same": (MAP, behind(nn.Conv2d(4, 6, 3, padding="same"))),
    "Conv2d, 2 groups": (MAP, behind(nn.Conv2d(4, 6, 3, groups=2))),
    "depthwise": (MAP, behind(nn.Conv2d(4, 4, 3, groups=4))),
    "depthwise, pointwise, a neuron between": (MAP, behind(nn.Conv2d(4, 4, 3, groups=4), zero(), nn.Conv2d(4, 6, 1))),
    "depthwise and pointwise as one": (MAP, behind(nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 6, 1))),
    "Conv2d, reflect": (MAP, behind(nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"))),
    "Conv2d, replicate": (MAP, behind(nn.Conv2d(4, 6, 3, padding=1, padding_mode="replicate"))),
    "Conv2d, circular": (MAP, behind(nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"))),
    "ZeroPad2d": (MAP, behind(nn.ZeroPad2d((1, 0, 2, 1)), nn.Conv2d(4, 6, 3))),
    "ConvTranspose2d": (MAP, behind(nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1))),
    "ConvTranspose1d": (LINE, behind(nn.ConvTranspose1d(4, 3, 3, stride=2))),
    "Upsample, nearest": (MAP, behind(nn.Upsample(scale_factor=2), nn.Conv2d(4, 3, 3))),
    "Upsample, bilinear": (MAP, behind(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(4, 3, 3))),
    "Conv1d": (LINE, behind(nn.Conv1d(4, 6, 5, stride=2, padding=2))),
    "AvgPool2d of spikes": (MAP, pooled(nn.AvgPool2d(2))),
    "AvgPool2d, windows that overlap": (MAP, pooled(nn.AvgPool2d(3, 2))),
    "AvgPool2d, ceil_mode": (MAP, pooled(nn.AvgPool2d(3, ceil_mode=True))),
    "AvgPool2d of currents": (MAP, behind(nn.Conv2d(4, 6, 3), nn.AvgPool2d(2))),
    "MaxPool2d of spikes": (MAP, pooled(nn.MaxPool2d(2))),
    "MaxPool2d, ceil_mode": (MAP, pooled(nn.MaxPool2d(3, ceil_mode=True))),
    "MaxPool2d of currents": (MAP, behind(nn.Conv2d(4, 6, 3), nn.MaxPool2d(2))),
    "MaxPool1d of spikes": (LINE, pooled(nn.MaxPool1d(2))),
    "AdaptiveAvgPool2d": (MAP, behind(nn.Conv2d(4, 6, 3), nn.AdaptiveAvgPool2d(2))),
    "AdaptiveAvgPool2d, uneven": (MAP, behind(nn.AdaptiveAvgPool2d(3), nn.Conv2d(4, 6, 2))),
    "BatchNorm2d behind": (MAP, lambda: trained(behind(nn.Conv2d(4, 6, 3, bias=False), nn.BatchNorm2d(6))())),
    "BatchNorm2d before": (MAP, lambda: trained(behind(nn.BatchNorm2d(4), nn.Conv2d(4, 6, 3))())),
    "Conv3d": ((2, 4, 6, 6), lambda: nn.Sequential(nn.Conv3d(2, 4, 3), zero())),
    "GroupNorm": (MAP, behind(nn.Conv2d(4, 6, 3), nn.GroupNorm(2, 6))),
}


def neurons(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """Two layers of a kind of neuron."""
    return lambda: nn.Sequential(nn.Linear(8, 10), build(), nn.Linear(10, 5), zero())


_HIDDEN = {"init_hidden": True, "threshold": 0.5}
_OWN = {"beta": torch.linspace(0.3, 0.9, 10), "threshold": torch.linspace(0.2, 0.8, 10), "init_hidden": True}
NEURONS: dict[str, Callable[[], nn.Module]] = {
    "Leaky, subtract (default)": lambda: snn.Leaky(0.9, **_HIDDEN),
    "Leaky, subtract at once": lambda: snn.Leaky(0.9, reset_delay=False, **_HIDDEN),
    "Leaky, zero, delayed": lambda: snn.Leaky(0.9, reset_mechanism="zero", **_HIDDEN),
    "Leaky, no reset": lambda: snn.Leaky(0.5, reset_mechanism="none", **_HIDDEN),
    "Leaky, constants of each neuron": lambda: snn.Leaky(learn_beta=True, learn_threshold=True, **_OWN),
    "Leaky, graded spikes": lambda: snn.Leaky(0.9, graded_spikes_factor=0.7, **_HIDDEN),
    "Lapicque": lambda: snn.Lapicque(beta=0.8, **_HIDDEN),
    "Synaptic": lambda: snn.Synaptic(0.5, 0.75, reset_mechanism="zero", reset_delay=False, **_HIDDEN),
    "RLeaky, all to all": lambda: snn.RLeaky(0.8, linear_features=10, **_HIDDEN),
    "RLeaky, one to one": lambda: snn.RLeaky(0.8, all_to_all=False, V=-0.3, **_HIDDEN),
    "RSynaptic": lambda: snn.RSynaptic(0.6, 0.8, linear_features=10, **_HIDDEN),
}


def recurrent_maps() -> nn.Module:
    """A convolution of spikes back into their own maps."""
    maps = snn.RLeaky(0.8, conv2d_channels=3, kernel_size=3, **_HIDDEN)
    return nn.Sequential(nn.Conv2d(2, 3, 3), maps, nn.Flatten(), nn.LazyLinear(4), zero())


class Functions(nn.Module):
    """Padding, enlarging and pools as functions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.lif1, self.conv2, self.lif2 = nn.Conv2d(2, 4, 3), zero(), nn.Conv2d(4, 3, 3), zero()
        self.fc, self.lif3 = nn.LazyLinear(5), zero()

    def forward(self, x: Tensor) -> Tensor:
        first = self.lif1(self.conv1(functional.pad(x, (1, 0, 2, 1))))
        second = self.lif2(self.conv2(functional.interpolate(first, scale_factor=2, mode="nearest")))
        return self.lif3(self.fc(functional.avg_pool2d(second, 2).flatten(1)))


CASES = [
    *(Case(name, "snnTorch", of_torch(build, shape)) for name, (shape, build) in LAYERS.items()),
    *(Case(name, "snnTorch", of_torch(neurons(build), FLAT)) for name, build in NEURONS.items()),
    Case("RLeaky, convolution", "snnTorch", of_torch(recurrent_maps, (2, 6, 6))),
    Case("functions", "snnTorch", of_torch(Functions, MAP)),
]
