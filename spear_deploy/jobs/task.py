"""The data that a model is run on: found by name, and answered by the dense network where it holds no labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from spear_deploy.data import Dataset, Labels, Split, encode
from spear_deploy.errors import DataError
from spear_deploy.measure import batches, classify
from spear_deploy.network import Model, Simulation
from spear_deploy.progress import Progress
from spear_deploy.training import read_outputs

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
    """The data as it is; where it holds no labels, which is told, with the classes and outputs of `model`.

    Pruned networks then learn those outputs, and are right where they give those classes.

    `model` is the network as the user gave it: what pruning and any conversion before it change
    then both count against the accuracy. The samples must suit it (`check_fits`).
    """
    if data.labels is not Labels.NONE:
        return data
    progress.notice(f"{data.name} {NOTICE}")
    train, validation, test = (labelled_by(model, split, seed=seed) for split in data.splits)
    return replace(data, train=train, validation=validation, test=test, labels=Labels.DENSE_NETWORK)


def labelled_by(model: Model, split: Split, *, seed: int) -> Split:
    """A split with the classes and the mean (or last) outputs that a network gives its samples, in torch float64.

    `seed` is the encoding's: the network judges the very spikes that it is later run on.
    """
    encoded = encode(split, model.encoding, model.time_steps, seed=seed)
    simulation = Simulation(model.graph, torch.float64)
    with torch.no_grad():
        runs = [simulation(encoded.take(part).as_float64()).output for part in batches(len(encoded))]
    classes = torch.cat([classify(output, model.read_out, model.population) for output in runs])
    outputs = torch.cat([read_outputs(output, model.read_out).float() for output in runs])
    return replace(split, y=classes, outputs=outputs)
