"""Two deep networks on CIFAR-10, trained once by `examples/train_cifar10.py`, so that searches on them start from them.

    python examples/train_cifar10.py --net vgg10 --width 0.25 --images 10000 --epochs 30 --test-images 2000
    python examples/train_cifar10.py --net sew-resnet --width 0.25 --images 10000 --epochs 30 --test-images 2000

Each file here holds the parameters of such a training, in float32, before its normalisations were folded.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from examples.train_cifar10 import NETWORKS

FOLDER = Path(__file__).parent
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
