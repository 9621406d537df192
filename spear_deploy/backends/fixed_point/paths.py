"""A connection as one weight node between pools: the form in which it can be rounded.

Whatever a path scales (an average pool, the gain of the target) goes into the weights before
they are rounded; what is left beside them only routes.
"""

from __future__ import annotations

import nir
import numpy as np
from numpy.typing import NDArray

from spear_deploy.errors import BackendError
from spear_deploy.network import Connection, Network, synapse_matrix
from spear_deploy.network.graph import delay_steps
from spear_deploy.network.linear import pair, weighted
from spear_deploy.network.pools import Pool
from spear_deploy.network.resampling import Resample, routing
from spear_deploy.network.unflattening import Unflatten

Array = NDArray[np.float64]

MATRIX_LIMIT = 1 << 26
"""Largest number of entries of a connection that has to be written out as a dense matrix."""

_POOLS = (nir.SumPool2d, nir.AvgPool2d)
_WEIGHTS = (nir.Affine, nir.Linear, nir.Conv2d, nir.Conv1d)


def weighted_path(network: Network, connection: Connection) -> tuple[tuple[nir.NIRNode, ...], int]:
    """The nodes of a connection, with sum pools only and all factors in one weight node.

    The nodes have no bias. A path that holds more than pools before (and, after a
    convolution, behind) one weight node becomes a dense matrix.

    Returns:
        The nodes and the place of the weight node among them.

    Raises:
        BackendError: the matrix would be too large.

    """
    gain = network.neurons[connection.target].gain
    nodes = [network.nodes[name] for name in connection.path]
    nodes = [node for node in nodes if not isinstance(node, nir.Delay)]
    simple = _simple_path(nodes, network, connection)
    if simple is not None:
        path, place = simple
        scaled = _with_gain(path[place], gain)
        if scaled is not None:
            path[place] = scaled
            return tuple(path), place
    return _matrix_path(network, connection, gain)


def delay_of(network: Network, connection: Connection) -> int:
    """Time steps that a connection's Delay nodes and its feedback take."""
    dt_s = network.neurons[connection.target].dt_s
    steps = sum(
        delay_steps(node, name, dt_s) for name in connection.path if isinstance(node := network.nodes[name], nir.Delay)
    )
    first = connection.path[0] if connection.path else connection.target
    return steps + int((connection.source, first) in network.feedback)


def weight_of(node: nir.NIRNode) -> Array:
    """The weights of a node in float64."""
    return np.asarray(weighted(node).weight, dtype=np.float64)


def with_weight(node: nir.NIRNode, weight: NDArray[np.float64]) -> nir.NIRNode:
    """The node with other weights and no bias."""
    if isinstance(node, nir.Affine | nir.Linear):
        return nir.Linear(weight=weight)
    bias = np.zeros(len(weight))
    if isinstance(node, nir.Conv1d):
        return nir.Conv1d(None, weight, node.stride, node.padding, node.dilation, node.groups, bias)
    assert isinstance(node, nir.Conv2d)
    return nir.Conv2d(None, weight, node.stride, node.padding, node.dilation, node.groups, bias)


def _simple_path(
    nodes: list[nir.NIRNode], network: Network, connection: Connection
) -> tuple[list[nir.NIRNode], int] | None:
    """The path with its pools as sums and their factors in the weights, if it has that form."""
    places = [index for index, node in enumerate(nodes) if isinstance(node, _WEIGHTS)]
    if not places and len(network.shapes[connection.target]) == 3 and not any(map(_flattens, nodes)):
        channels = network.shapes[connection.target][0]
        one = np.ones((channels, 1, 1, 1))
        nodes = [*nodes, nir.Conv2d(None, one, (1, 1), (0, 0), (1, 1), channels, np.zeros(channels))]
        places = [len(nodes) - 1]
    if len(places) != 1:
        return None
    before, after = nodes[: places[0]], nodes[places[0] + 1 :]
    weight = with_weight(nodes[places[0]], weight_of(nodes[places[0]]))
    if not all(_flattens(node) or _routes(node) for node in before):
        return None
    for node in after:
        if isinstance(node, _POOLS):
            merged = _merged(weight, node)
            if merged is None:
                return None
            weight = merged
        elif not _flattens(node):
            return None
    weight = with_weight(weight, weight_of(weight) * np.prod([_factor(node) for node in before]))
    path = [*map(_as_sum, before), weight, *filter(_flattens, after)]
    return path, places[0]


def _flattens(node: nir.NIRNode) -> bool:
    return isinstance(node, nir.Flatten | Unflatten)


def _routes(node: nir.NIRNode) -> bool:
    """Whether a node leads each input to one place at most, all by the same factor."""
    if isinstance(node, Resample):
        return node.splits and node.factor is not None
    return isinstance(node, _POOLS) and _splits(node)


def _splits(pool: Pool) -> bool:
    """Whether each input of a pool belongs to one window at most."""
    return all(stride >= kernel for kernel, stride in zip(pair(pool.kernel_size), pair(pool.stride), strict=True))


def _factor(node: nir.NIRNode) -> float:
    if isinstance(node, Resample):
        return node.factor or 1.0
    return 1.0 / float(np.prod(pair(node.kernel_size))) if isinstance(node, nir.AvgPool2d) else 1.0


def _as_sum(node: nir.NIRNode) -> nir.NIRNode:
    if isinstance(node, Resample):
        return routing(node)
    if isinstance(node, nir.AvgPool2d):
        return nir.SumPool2d(node.kernel_size, node.stride, node.padding)
    return node


def _merged(conv: nir.NIRNode, pool: Pool) -> nir.Conv2d | None:
    """A convolution and the pool behind it as one convolution; None where that is none."""
    if not isinstance(conv, nir.Conv2d) or pair(conv.dilation) != (1, 1) or any(pair(pool.padding)):
        return None
    if isinstance(conv.padding, str | bytes):
        return None
    window, stride, hop = pair(pool.kernel_size), pair(conv.stride), pair(pool.stride)
    height, width = conv.weight.shape[2:]
    weight = np.zeros(
        (*conv.weight.shape[:2], height + (window[0] - 1) * stride[0], width + (window[1] - 1) * stride[1])
    )
    for row in range(window[0]):
        for column in range(window[1]):
            top, left = row * stride[0], column * stride[1]
            weight[:, :, top : top + height, left : left + width] += conv.weight
    joint = (stride[0] * hop[0], stride[1] * hop[1])
    bias = np.zeros(len(weight))
    return nir.Conv2d(None, weight * _factor(pool), joint, conv.padding, (1, 1), conv.groups, bias)


def _with_gain(node: nir.NIRNode, gain: Array) -> nir.NIRNode | None:
    """The weights times the gain of the neurons that they lead to; None where it varies in a channel."""
    weight = weight_of(node)
    per_output = gain.reshape(len(weight), -1) if gain.shape[0] == len(weight) else None
    if (gain == gain.flat[0]).all():
        factor = np.full(len(weight), gain.flat[0])
    elif per_output is not None and (per_output == per_output[:, :1]).all():
        factor = per_output[:, 0]
    else:
        return None
    return with_weight(node, weight * factor.reshape(-1, *(1,) * (weight.ndim - 1)))


def _matrix_path(network: Network, connection: Connection, gain: Array) -> tuple[tuple[nir.NIRNode, ...], int]:
    shape = network.shapes[connection.source]
    entries = int(np.prod(shape)) * gain.size
    if entries > MATRIX_LIMIT:
        raise BackendError(
            f"{connection.source} -> {connection.target}: this way through {', '.join(connection.path) or 'no node'}"
            f" would need a matrix of {entries:,} weights, at most {MATRIX_LIMIT:,} are held;"
            " put one convolution or linear node between two neuron layers, pools before it"
        )
    matrix = synapse_matrix(network, connection).toarray() * gain.reshape(-1, 1)
    linear = nir.Linear(weight=matrix)
    if len(shape) == 1:
        return (linear,), 0
    return (nir.Flatten({"input": np.array(shape)}, 0, -1), linear), 1
