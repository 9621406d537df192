"""Two deep networks on CIFAR-10, trained once by `examples/train_cifar10.py`, so that searches on them start from them.

    python examples/train_cifar10.py --net vgg10 --width 0.25 --images 10000 --epochs 30 --test-images 2000
    python examples/train_cifar10.py --net sew-resnet --width 0.25 --images 10000 --epochs 30 --test-images 2000

Each file here holds the parameters of such a training, in float32, before its normalisations were folded.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from examples.train_cifar10 import HELD_OUT, NETWORKS, load, normalised

FOLDER = Path(__file__).parent
WIDTH = 0.25
TRAINED = tuple(sorted(path.stem for path in FOLDER.glob("*.npz")))
PARTS = {
    "train": ("train", slice(0, 10_000)),
    "val": ("train", slice(-HELD_OUT, 1_000 - HELD_OUT)),
    "test": ("test", slice(0, 2_000)),
}


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


def deep_data(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Normalised images `[N, 3, 32, 32]` and labels `[N]`: `train` as they were trained on, `val`, or `test`."""
    name, some = PARTS[part]
    images, labels = load(folder, name)
    return normalised(images[some]), labels[some]
