"""A trained deep network and its data as files that `spear-deploy` reads.

    python -m benchmarks.deep vgg10 --data ../shared/cases/cifar10 --out build/deep
    spear-deploy --target loihi2 --budget 50% build/deep/vgg10.pt

    python -m benchmarks.deep vgg10 --samples    # make LRE's samples anew, as they are kept here

The data are the 10,000 images that the networks were trained on, 1,000 that were held out, and 2,000 for the test.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.deep import BUILD, CIFAR10_FOLDER, TRAINED, deep
from benchmarks.deep.samples import keep_samples
from benchmarks.evidence.searched import made_samples
from spear_deploy.data import encode, load_data
from spear_deploy.network import load_any
from spear_deploy.search import CandidateFactory


def main() -> None:
    """Write OUT/NET.pt and, where it is not there yet, OUT/cifar10."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("net", choices=TRAINED)
    parser.add_argument("--data", type=Path, default=CIFAR10_FOLDER, help="as train_cifar10.py reads it")
    parser.add_argument("--out", type=Path, default=BUILD)
    parser.add_argument("--samples", action="store_true", help="make LRE's samples, about half an hour on one core")
    given = parser.parse_args()
    if not given.data.is_dir():
        parser.error(f"--data {given.data}: no such folder; wanted is one of train.npz and test.npz, or torchvision's")
    setting = deep(given.net, given.data, given.out)
    print(f"written to {setting.path}")
    if given.samples:
        model, data = load_any(setting.path), load_data(setting.data)
        factory = CandidateFactory(model, encode(data.train, model.encoding, model.time_steps))
        print(f"written to {keep_samples(given.net, made_samples(factory, 'spear+', data.sha256, given.out / 'lre'))}")


if __name__ == "__main__":
    main()
