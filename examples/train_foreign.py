"""Train spiking networks on data that no constant of the method was chosen on.

    python examples/train_foreign.py fashion-mnist 0 --source /usr/share/datasets/fashion-mnist --out build/foreign
    python examples/train_foreign.py cifar10 0 --source cifar10/        # train.npz, test.npz: JPEG files and labels
    python examples/train_foreign.py nmnist 0 --source recordings.zip   # <label>/<id>.bin, as N-MNIST comes
    python examples/train_foreign.py japanese-vowels 0 --source JapaneseVowels/   # the .ts files that aeon ships

Writes `<set>.npz` once, and `<set>-<seed>.pt` for spear-deploy. What is there already is kept, so that a
second call goes on where the first one ended.
"""

from __future__ import annotations

import argparse
import gzip
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import snntorch as snn
import torch
from numpy.typing import NDArray
from snntorch import surrogate, utils
from torch import Tensor, nn
from torch.nn import functional as F

import spear_deploy

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Task:
    """A data set and the network that is trained on it.

    Attributes:
        read: from the source to the arrays of an npz.
        network: layers for one time step.
        shape: of one time step.
        time_steps: T.
        encoding: of spear-deploy.
        epochs: of the training.
        flips: whether pictures may be mirrored while training.
        batch: samples a step.
        shift: by how many pixels they may be moved.

    """

    read: Callable[[Path], Arrays]
    network: Callable[[], nn.Sequential]
    shape: tuple[int, ...]
    time_steps: int
    encoding: str
    epochs: int
    batch: int = 64
    flips: bool = False
    shift: int = 0


def first_of_each(labels: NDArray[np.generic], counts: tuple[int, ...]) -> list[NDArray[np.int64]]:
    """The first samples of each class by index, so many for each part, disjoint."""
    parts: list[list[int]] = [[] for _ in counts]
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        for part, piece in zip(parts, np.split(places, np.cumsum(counts))[: len(counts)], strict=True):
            part += piece.tolist()
    return [np.sort(part) for part in parts]


def fashion_mnist(source: Path) -> Arrays:
    """7,000 / 1,000 / 2,000 pictures in [0, 1]."""

    def read(name: str, header: int) -> NDArray[np.uint8]:
        return np.frombuffer(gzip.decompress((source / name).read_bytes()), np.uint8, offset=header)

    found: Arrays = {}
    for kind, parts in (("train", {"train": 700, "val": 100}), ("t10k", {"test": 200})):
        labels = read(f"{kind}-labels-idx1-ubyte.gz", 8)
        images = read(f"{kind}-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
        for name, index in zip(parts, first_of_each(labels, tuple(parts.values())), strict=True):
            found |= {f"x_{name}": images[index] / np.float32(255), f"y_{name}": labels[index].astype(np.int64)}
    return found


def cifar10(source: Path) -> Arrays:
    """7,000 / 1,000 / 2,000 colour pictures in [0, 1], decoded from JPEG."""
    from PIL import Image

    found: Arrays = {}
    for kind, parts in (("train", {"train": 700, "val": 100}), ("test", {"test": 200})):
        file = np.load(source / f"{kind}.npz")
        jpeg, offset, labels = file["jpeg"], file["offset"], file["label"]
        for name, index in zip(parts, first_of_each(labels, tuple(parts.values())), strict=True):
            pictures = [Image.open(io.BytesIO(jpeg[offset[i] : offset[i + 1]].tobytes())) for i in index]
            x = np.stack([np.asarray(each, np.float32).transpose(2, 0, 1) / 255 for each in pictures])
            found |= {f"x_{name}": x, f"y_{name}": labels[index].astype(np.int64)}
    return found


def nmnist(source: Path, steps: int = 10) -> Arrays:
    """500 / 100 / 200 recordings of a DVS camera as `steps` frames of 0 and 1, two polarities."""
    with zipfile.ZipFile(source) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".bin"))
        labels = np.array([int(Path(name).parent.name) for name in names])
        x = np.zeros((len(names), steps, 2, 34, 34), np.uint8)
        for number, name in enumerate(names):
            raw = np.frombuffer(archive.read(name), np.uint8).reshape(-1, 5).astype(np.int64)
            time = ((raw[:, 2] & 0x7F) << 16) | (raw[:, 3] << 8) | raw[:, 4]
            step = np.minimum(time * steps // 310_000, steps - 1)
            x[number, step, raw[:, 2] >> 7, raw[:, 1], raw[:, 0]] = 1
    found: Arrays = {}
    for name, index in zip(("train", "val", "test"), first_of_each(labels, (50, 10, 20)), strict=True):
        found |= {f"x_{name}": x[index], f"y_{name}": labels[index]}
    return found


def japanese_vowels(source: Path, steps: int = 29, levels: tuple[float, ...] = (0.25, 0.75, 1.5)) -> Arrays:
    """270 / 370 utterances of nine speakers, as spikes where one of 12 channels rises or falls by so much.

    A reference follows each channel: a change from it beyond a level, in standard deviations,
    spikes in that level's input and moves the reference. It begins at the channel's mean over the training
    data. Utterances are padded to 29 steps with silence.
    """
    parts = {name: _sequences(source / f"JapaneseVowels_{name.upper()}.ts") for name in ("train", "test")}
    everything = np.concatenate([sequence for sequence, _ in parts["train"]])
    mean, deviation = everything.mean(0), everything.std(0)
    found: Arrays = {}
    for name, rows in parts.items():
        x = np.zeros((len(rows), steps, 2 * len(levels) * 12), np.uint8)
        for number, (sequence, _) in enumerate(rows):
            reference = np.zeros(12)
            for t, value in enumerate((sequence - mean) / deviation):
                change = value - reference
                up, down = ([change * sign > level for level in levels] for sign in (1, -1))
                x[number, t] = np.concatenate([*up, *down])
                reference = np.where(np.abs(change) > levels[0], value, reference)
        found |= {f"x_{name}": x, f"y_{name}": np.array([label for _, label in rows])}
    return found


def _sequences(path: Path) -> list[tuple[NDArray[np.float64], int]]:
    """Sequences `[steps, 12]` with their labels from 0, of a .ts file."""
    rows = []
    for line in path.read_text().splitlines():
        if line and line[0] not in "#@":
            *channels, label = line.strip().split(":")
            rows.append((np.array([[float(v) for v in each.split(",")] for each in channels]).T, int(label) - 1))
    return rows


def leaky(beta: float = 0.5) -> snn.Leaky:
    """The neuron used throughout: hard reset, applied at once."""
    options = {"reset_mechanism": "zero", "reset_delay": False, "spike_grad": surrogate.atan()}
    return snn.Leaky(beta=beta, init_hidden=True, **options)


def convolutions(channels: int, side: int, widths: tuple[int, ...], strides: tuple[int, ...]) -> nn.Sequential:
    """Convolutions with batch norm, and a read-out of ten classes."""
    layers: list[nn.Module] = []
    for width, stride in zip(widths, strides, strict=True):
        layers += [nn.Conv2d(channels, width, 3, stride=stride, padding=1), nn.BatchNorm2d(width), leaky()]
        channels, side = width, -(-side // stride)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * side * side, 10), leaky())


def dense(inputs: int, widths: tuple[int, ...], classes: int) -> nn.Sequential:
    """Fully connected layers."""
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(inputs, width), leaky(0.9)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, classes), leaky(0.9))


TASKS = {
    "fashion-mnist": Task(
        fashion_mnist, lambda: convolutions(1, 28, (16, 32, 64), (2, 2, 2)), (1, 28, 28), 4, "direct", 30, 64, True, 1
    ),
    "cifar10": Task(
        cifar10, lambda: convolutions(3, 32, (16, 32, 64, 96), (1, 2, 2, 2)), (3, 32, 32), 4, "direct", 50, 64, True, 3
    ),
    "nmnist": Task(
        nmnist, lambda: convolutions(2, 34, (12, 24, 32), (2, 2, 2)), (2, 34, 34), 10, "spikes", 60, 32, False, 1
    ),
    "japanese-vowels": Task(japanese_vowels, lambda: dense(72, (128, 96), 9), (72,), 29, "spikes", 120, 16),
}


def moved(x: Tensor, task: Task, generator: torch.Generator) -> Tensor:
    """Pictures `[..., H, W]` of a batch, all mirrored or not and moved alike: a little more data for nothing."""
    if task.flips and torch.rand((), generator=generator) < 0.5:
        x = x.flip(-1)
    if task.shift:
        padded = F.pad(x, [task.shift] * 4)
        top, left = torch.randint(0, 2 * task.shift + 1, (2,), generator=generator).tolist()
        x = padded[..., top : top + x.shape[-2], left : left + x.shape[-1]]
    return x


def train(task: Task, data: spear_deploy.Dataset, seed: int, device: str) -> tuple[nn.Sequential, dict[str, float]]:
    """A network from scratch, and its accuracy on every split."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = task.network().to(device)

    def rates(x: Tensor) -> Tensor:
        utils.reset(net)
        steps = [x[:, t] for t in range(task.time_steps)] if task.encoding == "spikes" else [x] * task.time_steps
        return torch.stack([net(step) for step in steps]).mean(0)

    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, task.epochs)
    for _ in range(task.epochs):
        net.train()
        for index in torch.randperm(len(data.train), generator=generator).split(task.batch):
            x = moved(data.train.x[index].float(), task, generator).to(device)
            wanted = F.one_hot(data.train.y[index], int(data.train.y.max()) + 1).float().to(device)
            optimizer.zero_grad()
            (rates(x) - wanted).square().sum(1).mean().backward()
            optimizer.step()
        schedule.step()
    net.eval()
    found = {}
    with torch.no_grad():
        for split in data.splits:
            parts = (split.x[start : start + 200] for start in range(0, len(split), 200))
            classes = [rates(part.float().to(device)).argmax(1).cpu() for part in parts]
            found[str(split.name)] = float((torch.cat(classes) == split.y).double().mean())
    utils.reset(net)
    return net.to("cpu"), found


def main() -> None:
    """Make what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=TASKS)
    parser.add_argument("seed", type=int)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--out", type=Path, default=Path("build/foreign"))
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    torch.set_flush_denormal(True)
    task, npz = TASKS[given.set], given.out / f"{given.set}.npz"
    given.out.mkdir(parents=True, exist_ok=True)
    if not npz.is_file():
        np.savez_compressed(npz, **task.read(given.source))
    path = given.out / f"{given.set}-{given.seed}.pt"
    if not path.is_file():
        net, accuracy = train(task, spear_deploy.load_data(npz), given.seed, given.device)
        spear_deploy.save_model(
            net,
            path,
            input_shape=task.shape,
            time_steps=task.time_steps,
            encoding=task.encoding,
            read_out="count",
            data=npz.name,
        )
        print(path.stem, {name: round(each, 3) for name, each in accuracy.items()}, flush=True)


if __name__ == "__main__":
    main()
