"""A trained deep network and its data as files that `spear-deploy` reads.

    python -m benchmarks.deep vgg10 --data ../shared/cases/cifar10 --out build/deep
    spear-deploy --target loihi2 --budget 50% build/deep/vgg10.pt

The data are the 10,000 images that the networks were trained on, 1,000 that were held out, and 2,000 for the test.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import spear_deploy
from benchmarks.cifar10 import arrays
from benchmarks.deep import TRAINED, deep_network
from examples.train_cifar10 import TIME_STEPS
from spear_deploy import load_data


def main() -> None:
    """Write OUT/NET.pt and, where it is not there yet, OUT/cifar10."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("net", choices=TRAINED)
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/cases/cifar10"), help="as train_cifar10.py reads it"
    )
    parser.add_argument("--out", type=Path, default=Path("build/deep"))
    given = parser.parse_args()
    if not given.data.is_dir():
        parser.error(f"--data {given.data}: no such folder; wanted is one of train.npz and test.npz, or torchvision's")
    given.out.mkdir(parents=True, exist_ok=True)
    data = arrays(given.data, given.out / "cifar10", train=10_000, validation=1_000, test=2_000)
    sample = load_data(data).test.x[:4]
    saved = given.out / f"{given.net}.pt"
    spear_deploy.save_model(
        deep_network(given.net),
        saved,
        input_shape=(3, 32, 32),
        time_steps=TIME_STEPS,
        encoding="direct",
        read_out="membrane",
        data=data.name,
        sample=sample.double().expand(TIME_STEPS, *sample.shape),
    )
    print(f"written to {saved}")


if __name__ == "__main__":
    main()
