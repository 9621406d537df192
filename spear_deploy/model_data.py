"""The data that a model is run on: found by name, and labelled by the dense network where it holds no labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from spear_deploy.data import Dataset, Labels, Split, encode
from spear_deploy.errors import DataError
from spear_deploy.measure import measure
from spear_deploy.network import Model
from spear_deploy.progress import Progress

NOTICE = "holds no labels: the network's own classes serve, and accuracy means agreement with it"


def data_source(path: Path, model: Model, asked: str | None) -> str | None:
    """The data to use: as asked, or as the model says, whose paths count from where the model file lies."""
    if asked is not None or model.data is None:
        return asked
    beside = path.parent / model.data
    return str(beside) if beside.is_file() else model.data


def needed_source(path: Path, model: Model, asked: str | None) -> str:
    """The same where it cannot be done without.

    Raises:
        DataError: neither the user nor the model names any.

    """
    source = data_source(path, model, asked)
    if source is None:
        raise DataError(f"{path}: the model does not name its data; give it with --data digits or --data file.npz")
    return source


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
