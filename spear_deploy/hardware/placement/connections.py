"""The geometry of each connection of a network, read from its nodes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import nir
import numpy as np
from numpy.typing import NDArray

from spear_deploy.hardware.placement.geometry import Dense, OneToOne, Reach, Written
from spear_deploy.hardware.placement.packing import Integers
from spear_deploy.hardware.placement.tiles import Volume
from spear_deploy.hardware.placement.windowed import Mask, Windowed, compose
from spear_deploy.network import Connection, Network, synapse_matrix
from spear_deploy.network.graph import Shape, delay_steps
from spear_deploy.network.linear import Weighted, has_biases, padding_of, pair
from spear_deploy.network.pools import MaxPool2d, with_sums
from spear_deploy.network.resampling import Resample
from spear_deploy.network.unflattening import Unflatten

_FLAT = (nir.Flatten, Unflatten)

POOLS = (nir.SumPool2d, nir.AvgPool2d, MaxPool2d)
CONVOLUTIONS = (nir.Conv1d, nir.Conv2d)


def volume_of(shape: Shape) -> Volume:
    """A layer as channels, rows and columns: `[N]` has one row and column, `[C, L]` one row."""
    if len(shape) == 2:
        return shape[0], 1, shape[1]
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    return prod(shape), 1, 1


def is_biased(network: Network, layer: str) -> bool:
    """Whether a constant current enters a layer: through a bias of what leads into it, or its own (v_leak)."""
    return network.neurons[layer].offset is not None or any(
        has_biases(network.nodes[name]) for connection in network.into(layer) for name in connection.path
    )


def reach_of(network: Network, connection: Connection) -> Reach:
    """The geometry of a connection; exact, and compact for convolutions, pools and dense layers."""
    delay_bits = _delay_bits(network, connection)
    path = [name for name in connection.path if not isinstance(network.nodes[name], nir.Delay)]
    source, target = volume_of(network.shapes[connection.source]), volume_of(network.shapes[connection.target])
    kinds = [network.nodes[name] for name in path]
    weights = [node for node in kinds if isinstance(node, Weighted)]
    if any(isinstance(node, nir.Scale) and not _is_one_factor(node) for node in kinds):
        weights = []
    elif not any(isinstance(node, (*POOLS, Resample, Weighted)) for node in kinds):
        return OneToOne(source, target, delay_bits)
    elif not weights and not any(isinstance(node, _FLAT) for node in kinds):
        return _windowed(network, path, source, target, delay_bits)
    if len(weights) == 1:
        node = weights[0]
        last = [other for other in kinds if not isinstance(other, nir.Scale)][-1]
        if isinstance(node, nir.Affine | nir.Linear) and last is node and target == (node.weight.shape[0], 1, 1):
            dense = _dense(network, path, node, source, target, delay_bits)
            if dense is not None:
                return dense
        elif isinstance(node, CONVOLUTIONS) and not any(isinstance(other, _FLAT) for other in kinds):
            windowed = _windowed(network, path, source, target, delay_bits)
            one_tap = (windowed.rows.sum(2) <= 1).all() and (windowed.columns.sum(2) <= 1).all()
            if windowed.mask is None or one_tap:
                return windowed
    if any(isinstance(node, MaxPool2d) for node in kinds):
        network = Network(with_sums(network.graph))  # the same synapses, from the same places
    return Written(source, target, synapse_matrix(network, connection), delay_bits)


def _delay_bits(network: Network, connection: Connection) -> int:
    steps = [
        delay_steps(node, name, network.neurons[connection.target].dt_s)
        for name in connection.path
        if isinstance(node := network.nodes[name], nir.Delay)
    ]
    return sum(steps).bit_length()


def _is_one_factor(node: nir.Scale) -> bool:
    scale = np.asarray(node.scale)
    return bool((scale == scale.flat[0]).all() and scale.flat[0] != 0)


def _windowed(network: Network, path: Sequence[str], source: Volume, target: Volume, delay_bits: int) -> Windowed:
    """A path of pools and at most one convolution, axis by axis."""
    conv = next((node for name in path if isinstance(node := network.nodes[name], CONVOLUTIONS)), None)
    mask = None
    channels_in = channels_out = 1
    if conv is not None:
        groups = int(conv.groups)
        present = np.asarray(conv.weight) != 0
        present = present[:, :, None, :] if isinstance(conv, nir.Conv1d) else present
        mask = None if present.all() else present.astype(np.int64)
        channels_in, channels_out = present.shape[1], present.shape[0] // groups
    rows, columns = (_axis(network, path, axis) for axis in (0, 1))
    return Windowed(source, target, rows, columns, channels_in, channels_out, mask, delay_bits)


def _axis(network: Network, path: Sequence[str], axis: int) -> Mask:
    """The relation `[O, I, K]` along rows (0) or columns (1)."""
    before: list[Mask] = []
    after: list[Mask] = []
    taps: NDArray[np.bool_] | None = None
    for name in path:
        node = network.nodes[name]
        if isinstance(node, nir.Scale):
            continue
        size_in = volume_of(network.shapes[network.sources(name)[0]])[1 + axis]
        size_out = volume_of(network.shapes[name])[1 + axis]
        if isinstance(node, POOLS):
            kernel, stride, padding = (pair(value)[axis] for value in (node.kernel_size, node.stride, node.padding))
            relation = np.asarray(_window(size_out, size_in, kernel, stride, padding, 1).any(2))
            (before if taps is None else after).append(relation)
        elif isinstance(node, Resample):
            (before if taps is None else after).append((node.rows, node.columns)[axis] != 0)
        elif isinstance(node, CONVOLUTIONS):
            taps = _taps(node, size_out, size_in, axis)
    if taps is None:
        return compose(before)[:, :, None]
    if before:
        taps = np.einsum("opk,pi->oik", taps.astype(np.int64), compose(before).astype(np.int64)) > 0
    if after:
        taps = np.einsum("qo,oik->qik", compose(after).astype(np.int64), taps.astype(np.int64)) > 0
    return taps


def _taps(node: nir.Conv1d | nir.Conv2d, size_out: int, size_in: int, axis: int) -> Mask:
    if isinstance(node, nir.Conv1d):
        if axis == 0:
            return np.ones((1, 1, 1), dtype=np.bool_)
        kernel = int(node.weight.shape[2])
        stride, dilation = (int(np.atleast_1d(value)[0]) for value in (node.stride, node.dilation))
    else:
        kernel = int(node.weight.shape[2 + axis])
        stride, dilation = pair(node.stride)[axis], pair(node.dilation)[axis]
    padding = padding_of(node)
    if padding == "same":
        # torch puts the odd one behind, so the smaller half stands before.
        left = dilation * (kernel - 1) // 2
    elif isinstance(padding, str):
        left = 0
    else:
        left = padding[axis] if len(padding) > 1 else padding[0]
    return _window(size_out, size_in, kernel, stride, left, dilation)


def _window(size_out: int, size_in: int, kernel: int, stride: int, padding: int, dilation: int) -> Mask:
    """Whether kernel element k of output o lies on input i, `[O, I, K]`."""
    relation = np.zeros((size_out, size_in, kernel), dtype=np.bool_)
    out, tap = np.meshgrid(np.arange(size_out), np.arange(kernel), indexing="ij")
    at = out * stride + tap * dilation - padding
    inside = (at >= 0) & (at < size_in)
    relation[out[inside], at[inside], tap[inside]] = True
    return relation


def _dense(
    network: Network,
    path: Sequence[str],
    node: nir.Affine | nir.Linear,
    source: Volume,
    target: Volume,
    delay_bits: int,
) -> Dense | None:
    """A dense layer, after pools whose windows do not overlap; None where it is not of that form."""
    present = np.asarray(node.weight) != 0
    mask = None if present.all() else present
    pools = [name for name in path if isinstance(network.nodes[name], POOLS)]
    features = present.shape[1]
    if pools:
        rows, columns = (_axis(network, pools, axis)[:, :, 0] for axis in (0, 1))
        if (rows.sum(0) > 1).any() or (columns.sum(0) > 1).any():
            return None
        feature = _pooled_feature(source[0], rows, columns)
        pooled = source[0] * rows.shape[0] * columns.shape[0]
    else:
        feature = np.arange(prod(source))
        pooled = prod(source)
    if features != pooled:
        return None
    used = feature[feature >= 0]
    counts: Integers = np.bincount(used, minlength=features).astype(np.int64)
    return Dense(source, target, counts, feature, mask, delay_bits)


def _pooled_feature(channels: int, rows: Mask, columns: Mask) -> Integers:
    """The flat place after pooling of each source neuron, -1 where no window covers it."""
    row = np.where(rows.any(0), rows.argmax(0), -1)
    column = np.where(columns.any(0), columns.argmax(0), -1)
    height, width = rows.shape[0], columns.shape[0]
    place = (np.arange(channels)[:, None, None] * height + row[None, :, None]) * width + column[None, None, :]
    covered = (row[:, None] >= 0) & (column[None, :] >= 0)
    flat: Integers = np.where(covered[None], place, -1).ravel()
    return flat
