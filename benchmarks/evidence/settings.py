"""What evidence is gathered on: a data set, its dense networks, and chips."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import snntorch
import torch
from torch import nn

from spear_deploy import save_model
from spear_deploy.data import encode, load_data
from spear_deploy.network import load_any, save_model_file
from spear_deploy.search import LreSample
from spear_deploy.training import Recipe, fine_tune

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "evidence"
MNIST_FOLDER = ROOT.parent / "shared" / "cases" / "mnist"
"""Where MNIST's idx files are looked for, if no other folder is named."""
BETA = 0.5
TARGET = "loihi2"
MNIST_SIZES = (7000, 1000, 2000)
WIDTHS = (16, 32, 64)
DEEP_WIDTHS = (8, 8, 16, 16, 32, 32)
OTHER_WIDTHS = (12, 24, 32)
"""Of another network on the same data, to which LRE's fit is carried over."""


@dataclass(frozen=True)
class Setting:
    """A data set and how its dense networks are made.

    Attributes:
        name: of the setting.
        data: a data set's name or an npz file.
        shape: of one sample.
        strides: of the convolutions.
        recipe: of the dense training.
        samples: LRE samples that are made to compare estimators at different numbers of them.
        held_out: random networks that estimators are judged on.
        lava_seconds: how long a run in Lava may take.
        widths: channels of the convolutions, where no others are asked for.

    """

    name: str
    data: str
    shape: tuple[int, int, int]
    strides: tuple[int, ...]
    recipe: Recipe
    samples: int
    held_out: int
    lava_seconds: float
    widths: tuple[int, ...] = WIDTHS

    def model(self, time_steps: int = 4, widths: tuple[int, ...] | None = None) -> Path:
        """The dense model file; trained when it is asked for the first time."""
        widths = widths or self.widths
        if self.name == "digits" and time_steps == 4 and widths == WIDTHS:
            return ROOT / "examples" / "digits.pt"
        path = BUILD / f"{self.name}-T{time_steps}-{'-'.join(map(str, widths))}.pt"
        if not path.is_file():
            _train(self, time_steps, widths, path)
        return path

    def lre_samples(self, pipeline: str) -> Sequence[LreSample]:
        """LRE's samples are not kept with these networks: they are made in a minute."""
        return ()


def digits() -> Setting:
    """Scikit-learn's digits and the shipped model."""
    return Setting(
        "digits", "digits", (1, 8, 8), (1, 2, 2), Recipe(40, 64, 5e-3), samples=40, held_out=30, lava_seconds=60.0
    )


def mnist(source: Path) -> Setting:
    """The 10,000 MNIST test images as 7,000 / 1,000 / 2,000, from their folder of idx files or from an npz."""
    data = source if source.suffix == ".npz" else _mnist_npz(source)
    return Setting(
        "mnist", str(data), (1, 28, 28), (2, 2, 2), Recipe(20, 64, 3e-3), samples=24, held_out=20, lava_seconds=20.0
    )


def mnist_deep(source: Path) -> Setting:
    """The same images for six convolutions: a search has six groups of channels there instead of three."""
    return replace(mnist(source), name="mnist-deep", strides=(2, 1, 1, 2, 1, 1), widths=DEEP_WIDTHS)


def _mnist_npz(folder: Path) -> Path:
    path = BUILD / "mnist.npz"
    if not path.is_file():
        images, labels = (
            np.frombuffer(gzip.decompress((folder / f"t10k-{name}-ubyte.gz").read_bytes()), np.uint8, offset=header)
            for name, header in (("images-idx3", 16), ("labels-idx1", 8))
        )
        order = np.random.default_rng(0).permutation(len(labels))
        x = (images.reshape(-1, 1, 28, 28)[order] / np.float32(255)).astype(np.float32)
        y = labels[order].astype(np.int64)
        ends = np.cumsum(MNIST_SIZES)[:-1]
        arrays = {}
        for key, part_x, part_y in zip(("train", "val", "test"), np.split(x, ends), np.split(y, ends), strict=True):
            arrays |= {f"x_{key}": part_x, f"y_{key}": part_y}
        BUILD.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **arrays)
    return path


def _train(setting: Setting, time_steps: int, widths: tuple[int, ...], path: Path) -> None:
    """Convolutions and a read-out, trained from scratch."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    channels, side = setting.shape[0], setting.shape[1]
    for width, stride in zip(widths, setting.strides, strict=True):
        layers += [nn.Conv2d(channels, width, 3, stride=stride, padding=1), _leaky()]
        channels, side = width, -(-side // stride)
    layers += [nn.Flatten(), nn.Linear(channels * side * side, 10), _leaky()]
    BUILD.mkdir(parents=True, exist_ok=True)
    untrained = path.with_suffix(".untrained.pt")
    save_model(
        nn.Sequential(*layers),
        untrained,
        input_shape=setting.shape,
        time_steps=time_steps,
        encoding="direct",
        read_out="count",
        data=setting.data,
    )
    model = load_any(untrained)
    train = encode(load_data(setting.data).train, model.encoding, time_steps)
    save_model_file(fine_tune(model, train, setting.recipe, seed=0), path)
    untrained.unlink()


def _leaky() -> snntorch.Leaky:
    return snntorch.Leaky(beta=BETA, init_hidden=True, reset_mechanism="zero", reset_delay=False)
