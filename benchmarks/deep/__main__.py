"""A trained deep network and its data as files that `spear-deploy` reads.

python -m benchmarks.deep vgg10 --data ../shared/cases/cifar10 --out build/deep
spear-deploy --target loihi2 --budget 50% build/deep/vgg10.pt
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

import spear_deploy
from benchmarks.deep import PARTS, TRAINED, deep_data, deep_network
from examples.train_cifar10 import TIME_STEPS


def main() -> None:
    """Write OUT/NET.pt and, where it is not there yet, OUT/cifar10.npz."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("net", choices=TRAINED)
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/cases/cifar10"), help="as train_cifar10.py reads it"
    )
    parser.add_argument("--out", type=Path, default=Path("build/deep"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    npz = given.out / "cifar10.npz"
    if not npz.is_file():
        arrays = {}
        for part in PARTS:
            images, labels = deep_data(given.data, part)
            arrays |= {f"x_{part}": images.numpy(), f"y_{part}": labels.numpy()}
        np.savez_compressed(npz, **arrays)
    with np.load(npz) as file:
        sample = torch.from_numpy(file["x_test"][:4]).double()
    spear_deploy.save_model(
        deep_network(given.net),
        given.out / f"{given.net}.pt",
        input_shape=(3, 32, 32),
        time_steps=TIME_STEPS,
        encoding="direct",
        read_out="membrane",
        data=npz.name,
        sample=sample.expand(TIME_STEPS, *sample.shape),
    )
    print(given.out / f"{given.net}.pt")


if __name__ == "__main__":
    main()
