"""The synapses of a connection: how many each spike reaches, and the matrix they form."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from spear_deploy.network.graph import Connection, Network, module_of
from spear_deploy.network.linear import Delay, Weighted, linear_module, present, synapse_pattern
from spear_deploy.network.node_matrix import node_matrix
from spear_deploy.network.pools import MaxPool2d
from spear_deploy.network.resampling import Resample


def fan_out(network: Network, connection: Connection) -> Tensor:
    """How many non-zero synapses a spike of each source neuron reaches, `[*source_shape]`.

    Exact at borders, with stride, padding and groups: each position has its own fan-out. Pools
    only route; an empty path joins neurons one to one, which is one synapse each. Where several ways
    lead from one neuron to another, a chip has one synapse. A pool that takes the largest current adds
    none: all currents into it are computed, whichever is the largest. It is found once for a network
    and its weights as they are.
    """
    known = _FAN_OUT.setdefault(network, {})
    weights = _sums_of_weights(network, connection)
    if connection not in known or known[connection][0] != weights:  # arrays of weights can be written into
        known[connection] = weights, _found_fan_out(network, connection)
    return known[connection][1]


_Sums = tuple[int, ...]
_FAN_OUT: WeakKeyDictionary[Network, dict[Connection, tuple[_Sums, Tensor]]] = WeakKeyDictionary()


def _sums_of_weights(network: Network, connection: Connection) -> _Sums:
    """Checksums of the weights on the way."""
    nodes = (network.nodes[name] for name in connection.path)
    return tuple(zlib.crc32(np.ascontiguousarray(node.weight).data) for node in nodes if isinstance(node, Weighted))


def _found_fan_out(network: Network, connection: Connection) -> Tensor:
    path = _counted(network, connection)
    shape = network.shapes[connection.source]
    nodes = [network.nodes[name] for name in path]
    if _ways_may_meet(nodes):
        matrix = synapse_matrix(network, replace(connection, path=path))
        counts = np.diff(matrix.tocsc().indptr)
        return torch.from_numpy(counts.astype(np.float64)).reshape(shape)
    return paths_out(nodes, shape)


def _ways_may_meet(nodes: Sequence[nir.NIRNode]) -> bool:
    """Whether several ways may lead from one neuron to another: windows that overlap, or anything behind weights."""
    weighted = False
    for node in nodes:
        if isinstance(node, Weighted):
            if weighted:
                return True
            weighted = True
        elif isinstance(node, Resample | nir.SumPool2d | nir.AvgPool2d) and (weighted or not _splits(node)):
            return True
    return False


def _splits(node: Any) -> bool:
    """Whether each position goes to one position at most."""
    if isinstance(node, Resample):
        return node.splits
    return bool((np.asarray(node.kernel_size) <= np.asarray(node.stride)).all())


def paths_out(
    nodes: Sequence[nir.NIRNode],
    shape: tuple[int, ...],
    counted: Callable[[NDArray[Any]], NDArray[np.bool_]] = present,
) -> Tensor:
    """How many ways lead from each element through linear nodes, by weights that count (not zero), `[*shape]`."""
    # Their number is the gradient of the sum over all outputs.
    with torch.enable_grad():
        x = torch.zeros((1, *shape), dtype=torch.float64, requires_grad=True)
        y: Tensor = x
        for node in nodes:
            if not isinstance(node, nir.Delay):
                y = linear_module(synapse_pattern(node, counted), "synapses", torch.float64)(y)
        (reached,) = torch.autograd.grad(y.sum(), x)
    return reached[0].round()


def of_both_signs(network: Network, source: str) -> Tensor:
    """Which neurons of a layer, or places of the input, excite some neurons and inhibit others, `[*shape]`."""
    shape = network.shapes[source]
    excites, inhibits = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.bool)
    for connection in network.connections:
        if connection.source != source:
            continue
        path = _counted(network, connection)
        nodes = [network.nodes[name] for name in path]
        if sum(isinstance(node, Weighted) for node in nodes) > 1:
            matrix = synapse_matrix(network, replace(connection, path=path))
            positive, negative = ((sign * matrix > 0).sum(0) for sign in (1, -1))
            excites |= torch.as_tensor(np.asarray(positive) > 0).reshape(shape)
            inhibits |= torch.as_tensor(np.asarray(negative) > 0).reshape(shape)
        else:
            excites |= paths_out(nodes, shape, lambda weight: weight > 0) > 0
            inhibits |= paths_out(nodes, shape, lambda weight: weight < 0) > 0
    return excites & inhibits


def _counted(network: Network, connection: Connection) -> tuple[str, ...]:
    """The nodes of a path that hold its synapses: all, or those before the first largest current of weights."""
    weighted = False
    for place, name in enumerate(connection.path):
        node = network.nodes[name]
        weighted |= isinstance(node, Weighted)
        if weighted and isinstance(node, MaxPool2d):
            return connection.path[:place]
    return connection.path


def synapse_matrix(network: Network, connection: Connection) -> Any:
    """The weights of a connection as a sparse CSR matrix `[targets, sources]`, float64, no bias.

    Raises:
        ModelError: a largest current is taken on the way, which no matrix does.

    """
    before = network.shapes[connection.source]
    matrix = sparse.identity(int(np.prod(before)), format="csr")
    for name in connection.path:
        after = network.shapes[name]
        matrix = node_matrix(network.nodes[name], name, before, after) @ matrix
        before = after
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix


def bias_current(network: Network, layer: str) -> NDArray[np.float64]:
    """The current that biases send into a layer each step, `[*shape]`, once delays have passed."""
    with torch.no_grad():
        current = _bias_into(network, layer, None)
    array: NDArray[np.float64] = current[0].numpy()
    return array


def bias_over_time(network: Network, layer: str, time_steps: int) -> Tensor:
    """The current that biases send into a layer in each step, `[T, *shape]`, float64; delays are silent at first."""
    with torch.no_grad():
        delayed = any(isinstance(node, nir.Delay) for node in network.nodes.values())
        current = _bias_into(network, layer, time_steps if delayed else None)
    return current.expand(time_steps, *current.shape[1:])


def _bias_into(network: Network, name: str, time_steps: int | None) -> Tensor:
    """In every step `[T, *shape]`, or in one of those after all delays, `[1, *shape]`."""
    total = torch.zeros((time_steps or 1, *network.shapes[network.sources(name)[0]]), dtype=torch.float64)
    for source in network.sources(name):
        if source not in network.neurons and source != network.input:
            module = module_of(network, source, torch.float64)
            before = _bias_into(network, source, time_steps)
            passes = isinstance(module, Delay) and time_steps is None
            total = total + (before if passes else module(before))
    return total
