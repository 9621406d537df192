"""Two deep networks on CIFAR-10, trained once by `examples/train_cifar10.py`, so that searches on them start from them.

    python examples/train_cifar10.py --net vgg10 --width 0.25 --images 10000 --epochs 30 --test-images 2000
    python examples/train_cifar10.py --net sew-resnet --width 0.25 --images 10000 --epochs 30 --test-images 2000

Each npz holds the parameters of such a training, in float32, before its normalisations were folded; `NAME.lre.json`,
where there is one, LRE's samples of that network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

import spear_deploy
from benchmarks.cifar10 import arrays
from benchmarks.deep.samples import kept_samples
from examples.train_cifar10 import NETWORKS, TIME_STEPS
from spear_deploy.search import LreSample

FOLDER = Path(__file__).parent
BUILD = FOLDER.parents[1] / "build" / "deep"
CIFAR10_FOLDER = FOLDER.parents[2] / "shared" / "cases" / "cifar10"
"""Where CIFAR-10 is looked for, if no other folder is named."""

IMAGES = {"train": 10_000, "validation": 1_000, "test": 2_000}
"""Those that the networks were trained on, and of the others."""

WIDTH = 0.25
TRAINED = tuple(sorted(path.stem for path in FOLDER.glob("*.npz")))


def deep_network(name: str) -> nn.Module:
    """The trained network, ready to be asked."""
    net = NETWORKS[name](WIDTH)
    with np.load(FOLDER / f"{name}.npz") as file:
        held = {key: torch.from_numpy(file[key]) for key in file.files}
    uncounted = {key for key in net.state_dict() if key.endswith("num_batches_tracked")}
    found = net.load_state_dict(held, strict=False)
    assert set(found.missing_keys) <= uncounted
    assert not found.unexpected_keys
    return net.eval()


@dataclass(frozen=True)
class DeepSetting:
    """A trained deep network, as evidence is gathered on it.

    Attributes:
        name: of the network.
        data: the folder of its arrays.
        path: its model file.

    """

    name: str
    data: str
    path: Path

    def model(self) -> Path:
        """The dense model file."""
        return self.path

    def lre_samples(self, pipeline: str) -> list[LreSample]:
        """LRE's samples that are kept here, of `spear+`."""
        return kept_samples(self.name) if pipeline == "spear+" else []


def deep(name: str, source: Path = CIFAR10_FOLDER, out: Path = BUILD) -> DeepSetting:
    """Write OUT/NAME.pt and, where it is not there yet, OUT/cifar10, as `spear-deploy` reads them."""
    out.mkdir(parents=True, exist_ok=True)
    data = arrays(source, out / "cifar10", **IMAGES)
    sample = spear_deploy.load_data(data).test.x[:4]
    path = out / f"{name}.pt"
    spear_deploy.save_model(
        deep_network(name),
        path,
        input_shape=(3, 32, 32),
        time_steps=TIME_STEPS,
        encoding="direct",
        read_out="membrane",
        data=data.name,
        sample=sample.double().expand(TIME_STEPS, *sample.shape),
    )
    return DeepSetting(name, str(data), path)
