"""Units that a fine-tune does not depend on: those of a regression's labels, and of analog inputs.

An optimiser's steps are numbers. Weights and biases that lead straight to a value that is told are in its unit, those
that hear an input are in one over the input's; they are learned as multiples of it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from functools import reduce

import nir
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrize import register_parametrization

from spear_deploy.data import EncodedSplit
from spear_deploy.data.drawing import drawn
from spear_deploy.network import Network, Simulation
from spear_deploy.network.constants import constants
from spear_deploy.network.graph import Connection
from spear_deploy.network.linear import Delay, Weighted
from spear_deploy.training.losses import TaskLoss

SAMPLES = 64
"""Drawn of the training samples, to see how large inputs are: no more than a training batch has."""

ROWS = 256
"""Of weights, that are looked at together."""

Path = tuple[str, ...]


@torch.no_grad()
def learn_in_units(simulation: Simulation, loss: TaskLoss, data: EncodedSplit) -> None:
    """Make the optimiser see parameters as multiples of their units, where these are not 1.

    A row of weights before a read-out that does not spike, and its bias, have that of the values that it moves: the
    deviation of their labels in training, over the factors between them. Weights that hear analog inputs have one over
    the power of two that is nearest to the inputs' root mean square, where that is above 1: inputs within [0, 1], or
    standardised, change nothing. Weights that stand in several places, and parameters that are not trained, stay as
    they are.
    """
    rows, columns = _of_values(simulation, loss), _of_inputs(simulation, data)
    shared = {name for places in simulation.shared for name in places}
    for name in sorted({*rows, *columns} - shared):
        module = simulation.module(name)
        row, column = rows.get(name, torch.ones(1, dtype=torch.float64)), columns.get(name, 1.0)
        for key, unit in (("weight", row * column), ("bias", row)):
            values = getattr(module, key, None)
            if values is not None and values.requires_grad and bool((unit != 1).any()):
                shaped = unit.to(values).reshape(-1, *(1 for _ in values.shape[1:]))
                register_parametrization(module, key, _Multiples(shaped))


class _Multiples(nn.Module):
    """A parameter that is held in multiples of a unit."""

    unit: Tensor

    def __init__(self, unit: Tensor) -> None:
        super().__init__()
        self.register_buffer("unit", unit)

    def forward(self, multiples: Tensor) -> Tensor:
        return multiples * self.unit

    def right_inverse(self, values: Tensor) -> Tensor:
        return values / self.unit


def _of_values(simulation: Simulation, loss: TaskLoss) -> dict[str, Tensor]:
    """By node with weights, the unit of each of its rows `[R]`, where it leads to values that are told."""
    network = simulation.network
    if loss.spread is None or network.read_out not in network.membranes:
        return {}
    unit = (loss.spread.double() / loss.objective.scale).repeat_interleave(loss.population).cpu()
    tails: dict[str, set[Path]] = defaultdict(set)
    for path, places in _weighted(network, network.into(network.read_out)):
        tails[path[places[-1]]].add(path[places[-1] + 1 :])
    return {name: _of_rows(simulation, name, found, unit) for name, found in tails.items()}


def _of_rows(simulation: Simulation, name: str, tails: Iterable[Path], unit: Tensor) -> Tensor:
    """What each row is to send for the values that it moves to change by their `unit` `[K]`, where all rows do so."""
    like, shape = next(simulation.module(name).parameters()), simulation.network.shapes[name]
    axis = len(shape) - 1 if isinstance(simulation.network.nodes[name], nir.Affine | nir.Linear) else 0
    parts = torch.arange(shape[axis], device=like.device).chunk(math.ceil(shape[axis] / ROWS))

    def moved(rows: Tensor) -> Tensor:
        one_each = F.one_hot(rows, shape[axis]).to(like.dtype)
        one_each = one_each.reshape(len(rows), *(-1 if place == axis else 1 for place in range(len(shape))))
        return _through(simulation, tails, one_each.expand(-1, *shape)).flatten(1).abs().double().cpu()

    together = torch.stack([moved(part).sum(0) for part in parts]).sum(0) / unit
    moves = torch.cat([_mean_where(moved(part) > 0, together.square()) for part in parts])
    return moves.rsqrt().nan_to_num(1.0)


def _mean_where(there: Tensor, values: Tensor) -> Tensor:
    """The mean of the values `[K]` at each row's places `[R, K]`; no number where there is none."""
    return (there * values).sum(1) / there.sum(1)


def _of_inputs(simulation: Simulation, data: EncodedSplit) -> dict[str, float]:
    """By node whose weights hear the input, one over how large it is there."""
    if not data.analog:
        return {}
    inputs = drawn(data, SAMPLES).inputs
    inputs = (inputs[0] if inputs.stride(0) == 0 else inputs.flatten(0, 1)).to(simulation.dtype)
    if _size(inputs) == 1:
        return {}
    network = simulation.network
    heads: dict[str, set[Path]] = defaultdict(set)
    for path, places in _weighted(network, (each for each in network.connections if each.source == network.input)):
        heads[path[places[0]]].add(path[: places[0]])
    return {name: 1 / _size(_through(simulation, found, inputs)) for name, found in heads.items()}


def _weighted(network: Network, connections: Iterable[Connection]) -> Iterable[tuple[Path, list[int]]]:
    """The paths of connections that hold weights to learn, with the places of these."""
    learned = {name for name, node in network.nodes.items() if isinstance(node, Weighted)} - constants(network.nodes)
    for path in (each.path for each in connections):
        if places := [place for place, name in enumerate(path) if name in learned]:
            yield path, places


def _through(simulation: Simulation, paths: Iterable[Path], x: Tensor) -> Tensor:
    """What comes of x `[N, *shape]` through nodes that learn nothing, path beside path; when is no matter."""
    sums = []
    for path in sorted(paths):
        modules = [each for each in map(simulation.module, path) if not isinstance(each, Delay)]
        sums.append(reduce(lambda sent, module: module(sent), modules, x))
    return sum(sums[1:], sums[0])


def _size(x: Tensor) -> float:
    """The power of two that is nearest to the root mean square, and at least 1: products with it are exact."""
    size = float(torch.linalg.vector_norm(x, dtype=torch.float64)) / math.sqrt(x.numel())
    return 2.0 ** round(math.log2(max(size, 1.0)))
