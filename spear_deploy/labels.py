"""Data without labels: the classes that the dense network gives serve in their place."""

from __future__ import annotations

from dataclasses import replace

import torch

from spear_deploy.data import Dataset, Labels, Split, encode
from spear_deploy.measure import measure
from spear_deploy.network import Model
from spear_deploy.progress import Progress

NOTICE = "holds no labels: the network's own classes serve, and accuracy means agreement with it"


def with_labels(data: Dataset, model: Model, *, seed: int, progress: Progress) -> Dataset:
    """The data as it is, or labelled by `model` in all splits where it holds no labels, which is told.

    `model` is the network as the user gave it: what pruning and any conversion before it change
    then both count against the accuracy. The samples must suit it (`check_fits`).
    """
    if data.labels is not Labels.NONE:
        return data
    progress.notice(f"{data.name} {NOTICE}")
    train, validation, test = (labelled_by(model, split, seed=seed) for split in data.splits)
    return replace(data, train=train, validation=validation, test=test, labels=Labels.DENSE_NETWORK)


def labelled_by(model: Model, split: Split, *, seed: int) -> Split:
    """A split with the classes that a network gives its samples, in torch float64.

    `seed` is the encoding's: the network judges the very spikes that it is later run on.
    """
    encoded = encode(split, model.encoding, model.time_steps, seed=seed)
    found = measure(model, encoded.inputs, encoded.labels, analog_input=encoded.analog, dtype=torch.float64)
    return replace(split, y=found.predictions)
