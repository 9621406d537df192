"""What a linear node does to the neurons before it, as a sparse matrix: written by index, not by running the node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from spear_deploy.errors import ModelError
from spear_deploy.network.linear import padding_of, pair
from spear_deploy.network.resampling import Resample
from spear_deploy.network.unflattening import Unflatten

Shape = tuple[int, ...]
Weights = NDArray[np.float64]


def node_matrix(node: nir.NIRNode, name: str, before: Shape, after: Shape) -> Any:
    """A node's weights as a sparse CSR matrix `[after, before]` of flattened shapes, float64, no bias, no zeros.

    Args:
        node: weights, a pool that sums or averages, a reshape, a factor or a delay.
        name: of the node.
        before: shape of what it receives, without batch.
        after: shape of what it gives.

    Raises:
        ModelError: the node takes the largest of several currents, which no matrix does.

    """
    try:
        write = _MATRICES[type(node)]
    except KeyError:
        raise ModelError(f"{name}: the largest of several currents is no weighted sum of them") from None
    matrix = write(node, before, after)
    matrix.eliminate_zeros()
    return matrix


def _same(node: nir.NIRNode, before: Shape, after: Shape) -> Any:
    return sparse.identity(int(np.prod(before)), format="csr")


def _scale(node: nir.Scale, before: Shape, after: Shape) -> Any:
    factors = np.broadcast_to(np.asarray(node.scale, dtype=np.float64), before)
    return sparse.diags(factors.ravel(), format="csr")


def _dense(node: nir.Affine | nir.Linear, before: Shape, after: Shape) -> Any:
    weight = sparse.csr_matrix(np.asarray(node.weight, dtype=np.float64))
    rows = int(np.prod(before[:-1]))  # all axes but the last are left as they are
    return weight if rows == 1 else sparse.kron(sparse.identity(rows), weight, format="csr")


def _conv1d(node: nir.Conv1d, before: Shape, after: Shape) -> Any:
    weight = np.asarray(node.weight, dtype=np.float64)[:, :, None]
    stride, dilation = (int(np.atleast_1d(value)[0]) for value in (node.stride, node.dilation))
    padding = padding_of(node)
    along = padding if isinstance(padding, str) else (0, *padding)
    return _windows(weight, (before[0], 1, before[1]), after, (1, stride), (1, dilation), along, int(node.groups))


def _conv2d(node: nir.Conv2d, before: Shape, after: Shape) -> Any:
    weight = np.asarray(node.weight, dtype=np.float64)
    stride, dilation = pair(node.stride), pair(node.dilation)
    return _windows(weight, before, after, stride, dilation, padding_of(node), int(node.groups))


def _sum_pool(node: nir.SumPool2d | nir.AvgPool2d, before: Shape, after: Shape) -> Any:
    size = pair(node.kernel_size)
    weight = np.full((before[0], 1, *size), 1.0 / np.prod(size) if isinstance(node, nir.AvgPool2d) else 1.0)
    return _windows(weight, before, after, pair(node.stride), (1, 1), pair(node.padding), before[0])


def _resample(node: Resample, before: Shape, after: Shape) -> Any:
    parts = [sparse.identity(before[0]), *([node.rows] if len(before) == 3 else []), node.columns]
    matrix = sparse.csr_matrix(parts[0])
    for part in parts[1:]:
        matrix = sparse.kron(matrix, sparse.csr_matrix(part), format="csr")
    return matrix


def _windows(
    weight: Weights,
    before: Shape,
    after: Shape,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: str | tuple[int, ...],
    groups: int,
) -> Any:
    """A convolution: each target's row names the sources in its window, in the order of the weights."""
    _, height, width = before
    outputs, inputs, *kernel = weight.shape
    where = []
    for axis, (size, count) in enumerate(
        zip((height, width), after[-2:] if len(after) == 3 else (1, after[-1]), strict=True)
    ):
        left = _left(padding, kernel[axis], dilation[axis], axis)
        at = np.arange(count)[:, None] * stride[axis] + np.arange(kernel[axis]) * dilation[axis] - left
        where.append((at, (at >= 0) & (at < size)))
    (rows, row_inside), (columns, column_inside) = where
    place = rows[:, None, :, None] * width + columns[None, :, None, :]  # [y, x, i, j]
    inside = row_inside[:, None, :, None] & column_inside[None, :, None, :]
    targets = place.shape[0] * place.shape[1]
    place, inside = place.reshape(targets, 1, -1), inside.reshape(targets, 1, -1)
    indices, data, counts = [], [], []
    for output in range(outputs):
        first = output // (outputs // groups) * inputs
        sources = (np.arange(first, first + inputs) * (height * width))[:, None] + place
        held = weight[output].reshape(1, inputs, -1)
        taken = inside & (held != 0)
        indices.append(sources[taken])
        data.append(np.broadcast_to(held, taken.shape)[taken])
        counts.append(taken.sum((1, 2)))
    starts = np.concatenate([[0], np.concatenate(counts).cumsum()])
    shape = (outputs * targets, int(np.prod(before)))
    return sparse.csr_matrix((np.concatenate(data), np.concatenate(indices), starts), shape=shape)


def _left(padding: str | tuple[int, ...], kernel: int, dilation: int, axis: int) -> int:
    """Zeros before the first source of an axis."""
    if padding == "same":
        return dilation * (kernel - 1) // 2
    return 0 if isinstance(padding, str) else padding[axis]


_MATRICES: dict[type, Callable[[Any, Shape, Shape], Any]] = {
    nir.Affine: _dense,
    nir.Linear: _dense,
    nir.Conv1d: _conv1d,
    nir.Conv2d: _conv2d,
    nir.SumPool2d: _sum_pool,
    nir.AvgPool2d: _sum_pool,
    Resample: _resample,
    nir.Flatten: _same,
    Unflatten: _same,
    nir.Delay: _same,
    nir.Scale: _scale,
}
