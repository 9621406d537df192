"""What the plain fine-tune makes of digits and MNIST as measurements: of another size, and away from zero.

    python -m benchmarks.input_units [--mnist ../shared/cases/mnist] [--seeds 2]

A dense network is trained on pixels from 0 to 1. What it computes stays the same while pixels become size x (pixel +
offset) and its first weights and biases take that back; then it goes through the first phase of a fine-tune, with and
without units of inputs (`spear_deploy/training/input_units.py`). A row of the table that is printed is one such data
set: accuracy on test in %, the mean over seeds, before and after.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import nir
import numpy as np
import snntorch
import torch
from torch import nn

from benchmarks.evidence.settings import MNIST_FOLDER, Setting, digits, mnist
from spear_deploy import Model, save_model
from spear_deploy.data import EncodedSplit, drawn, encode, load_data
from spear_deploy.measure import accuracy_on
from spear_deploy.network.editing import with_arrays, with_nodes
from spear_deploy.search import TuningPlan
from spear_deploy.training import Recipe, fine_tune, units

TIME_STEPS = 4
TRAINED_ON = 3000
DENSE = Recipe(30, 64, 5e-3)
WIDTHS = (48, 32, 10)
CASES = [
    *((offset, 1.0) for offset in (0, 0.5, 1, 2, 4, 16)),
    *((0, 2.0**power) for power in (-10, -8, -4, 2, 4, 5, 6, 10)),
    *((offset, size) for offset, size in ((1, 1 / 16), (1, 4.0), (4, 64.0))),
]
"""Offset and size; sizes are powers of two, so that nothing is rounded where there is no offset."""


def dense(setting: Setting, seed: int) -> tuple[Model, EncodedSplit, EncodedSplit]:
    """A trained network, and what it was trained and is judged on."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = [nn.Flatten()]
    features = int(np.prod(setting.shape))
    for width in WIDTHS:
        neuron = snntorch.Leaky(beta=0.5, init_hidden=True, reset_mechanism="zero", reset_delay=False)
        layers += [nn.Linear(features, width), neuron]
        features = width
    with TemporaryDirectory() as folder:
        net = nn.Sequential(*layers)
        model = save_model(net, Path(folder) / "net.pt", input_shape=setting.shape, time_steps=TIME_STEPS)
    data = load_data(setting.data)
    train, test = (encode(split, model.encoding, TIME_STEPS) for split in (data.train, data.test))
    train = drawn(train, TRAINED_ON)
    return fine_tune(model, train, DENSE, seed=seed), train, test


def measured(model: Model, data: EncodedSplit, offset: float, size: float) -> EncodedSplit:
    """The same samples as measurements."""
    return replace(data, stored=(data.as_stored() + offset) * size)


def hearing(model: Model, offset: float, size: float) -> Model:
    """The same function of these measurements."""
    name, node = next((name, node) for name, node in model.graph.nodes.items() if isinstance(node, nir.Affine))
    changes = {"weight": node.weight / size, "bias": node.bias - offset * node.weight.sum(1)}
    return model.with_graph(with_nodes(model.graph, model.graph.nodes | {name: with_arrays(node, changes)}))


@contextmanager
def absolute_steps() -> Iterator[None]:
    """As if all inputs were usual."""
    with mock.patch.object(units, "columns_of", return_value=None):
        yield


def row(given: tuple[Model, EncodedSplit, EncodedSplit], offset: float, size: float, seed: int) -> list[float]:
    """Accuracy before, after absolute steps, and after steps in units."""
    model, train, test = given
    model, train, test = hearing(model, offset, size), *(measured(model, each, offset, size) for each in (train, test))
    recipe = TuningPlan().plain
    with absolute_steps():
        absolute = fine_tune(model, train, recipe, seed=seed)
    return [accuracy_on(each, test) for each in (model, absolute, fine_tune(model, train, recipe, seed=seed))]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, default=MNIST_FOLDER, help="folder of idx files, or an npz")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = (digits(), mnist(options.mnist))
    networks = [[dense(setting, seed) for seed in range(options.seeds)] for setting in settings]
    print("| offset | size |" + "".join(f" {each.name}: before | absolute steps | in units |" for each in settings))
    print("|" + " --- |" * (2 + 3 * len(settings)))
    for offset, size in CASES:
        cells = [
            f"{100 * value:.1f}"
            for given in networks
            for value in np.mean([row(each, offset, size, seed) for seed, each in enumerate(given)], axis=0)
        ]
        print(f"| {offset:g} | {f'{size:g}' if size >= 1 else f'1/{1 / size:g}'} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
