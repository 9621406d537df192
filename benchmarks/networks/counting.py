"""Synaptic operations counted once more, by loops over every position, in numpy alone.

Each node between two neuron layers becomes a dense matrix, which is filled in element by element; a path is
their product, and its non-zero entries are the synapses. Small networks only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spear_deploy.network import Model

Matrix = NDArray[np.float64]
Shape = tuple[int, ...]


def synops_by_walking(model: Model, inputs: NDArray[Any], outputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Operations that spikes cause, `[B]`: inputs `[T, B, *shape]`, and what each neuron layer gave.

    Values that are put in are no spikes, and are not counted; membranes are counted like values that are not zero.
    """
    total = np.zeros(inputs.shape[1])
    for source, path in paths(model):
        if source == model.network.input and model.encoding.analog:
            continue
        given = inputs if source == model.network.input else outputs[source]
        events = (np.asarray(given) != 0).sum(0).reshape(inputs.shape[1], -1)
        total += events @ synapses(model, source, path)
    return total


def paths(model: Model) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every way from the input or a neuron layer to a neuron layer: its source and the nodes on it."""
    graph, neurons = model.graph, set(model.network.layers)
    sources = neurons | {model.network.input}

    def before(name: str, path: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
        for source, target in graph.edges:
            if target == name:
                yield from [(source, path)] if source in sources else before(source, (source, *path))

    for layer in sorted(neurons):
        yield from before(layer, ())


def synapses(model: Model, source: str, path: tuple[str, ...]) -> Matrix:
    """How many neurons each element of a source reaches, flat."""
    shape = model.network.shapes[source]
    whole = np.eye(int(np.prod(shape)))
    weighted = False
    for name in path:
        node = model.graph.nodes[name]
        if type(node).__name__ == "MaxPool2d" and weighted:
            break  # all currents into it are computed
        weighted |= hasattr(node, "weight")
        after = model.network.shapes[name]
        whole = matrix(node, shape, after) @ whole
        shape = after
    return np.asarray((np.abs(whole) > 1e-12).sum(0), dtype=np.float64)


def matrix(node: Any, before: Shape, after: Shape) -> Matrix:
    """What a node does to one element at a time, without bias, `[outputs, inputs]`."""
    size = int(np.prod(before))
    if isinstance(node, nir.Affine | nir.Linear):
        return np.kron(np.eye(size // node.weight.shape[1]), np.asarray(node.weight, dtype=np.float64))
    if isinstance(node, nir.Flatten | nir.Delay) or type(node).__name__ == "Unflatten":
        return np.eye(size)
    if isinstance(node, nir.Scale):
        return np.diag(np.broadcast_to(node.scale, before).ravel().astype(np.float64))
    found = np.zeros((int(np.prod(after)), size))
    places = np.arange(size).reshape(_map(before))
    targets = np.arange(len(found)).reshape(_map(after))
    for target, source, weight in _entries(node, _map(before), _map(after)):
        found[targets[target], places[source]] += weight
    return found


def _map(shape: Shape) -> tuple[int, int, int]:
    """A shape as channels, rows and columns."""
    return shape if len(shape) == 3 else (shape[0], 1, shape[1])  # type: ignore[return-value]


Entry = tuple[tuple[int, int, int], tuple[int, int, int], float]


def _entries(node: Any, before: tuple[int, int, int], after: tuple[int, int, int]) -> Iterator[Entry]:
    kind = type(node).__name__
    if kind == "Resample":
        for c, y, x in np.ndindex(after):
            for i, j in product(np.flatnonzero(node.rows[y]), np.flatnonzero(node.columns[x])):
                yield (c, y, x), (c, int(i), int(j)), float(node.rows[y, i] * node.columns[x, j])
    elif kind in ("SumPool2d", "AvgPool2d", "MaxPool2d"):
        (kh, kw), step, edge = (_two(value) for value in (node.kernel_size, node.stride, node.padding))
        for c, y, x in np.ndindex(after):
            for i, j in product(range(kh), range(kw)):
                row, column = y * step[0] - edge[0] + i, x * step[1] - edge[1] + j
                if 0 <= row < before[1] and 0 <= column < before[2]:
                    yield (c, y, x), (c, row, column), 1.0
    else:
        yield from _of_convolution(node, before, after)


def _of_convolution(node: Any, before: tuple[int, int, int], after: tuple[int, int, int]) -> Iterator[Entry]:
    weight = np.asarray(node.weight)
    weight = weight[:, :, None] if weight.ndim == 3 else weight
    step, hole = _two(node.stride, weight), _two(node.dilation, weight)
    given = node.padding.decode() if isinstance(node.padding, bytes) else node.padding
    edge = _two(given, weight) if not isinstance(given, str) else (0, 0)
    if isinstance(node, nir.Conv1d):
        step, hole, edge = (1, step[1]), (1, hole[1]), (0, edge[1])
    if given == "same":
        edge = tuple(h * (k - 1) // 2 for h, k in zip(hole, weight.shape[2:], strict=True))  # type: ignore[assignment]
    per_group = after[0] // int(node.groups)
    for out, y, x in np.ndindex(after):
        for c, i, j in np.ndindex(weight.shape[1:]):
            channel = out // per_group * weight.shape[1] + c
            row, column = y * step[0] - edge[0] + i * hole[0], x * step[1] - edge[1] + j * hole[1]
            if 0 <= row < before[1] and 0 <= column < before[2]:
                yield (out, y, x), (channel, row, column), float(weight[out, c, i, j])


def _two(value: Any, _: Any = None) -> tuple[int, int]:
    flat = np.atleast_1d(np.asarray(value)).ravel()
    return int(flat[0]), int(flat[-1])
