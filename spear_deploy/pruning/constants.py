"""What biases of removed depthwise channels leave behind: a constant current into the layers behind them.

A silent channel still gives its depthwise bias. Where no neurons stand between, weights behind it go on receiving
that: the same at every place where they see no padding, which their own bias then holds; else a map, which
the neurons hold as the current that they leak towards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import replace
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spear_deploy.network import Connection, Network, bias_current
from spear_deploy.network.editing import with_nodes
from spear_deploy.network.linear import Weighted, has_biases, padding_of
from spear_deploy.network.neuron import node_of
from spear_deploy.network.nir_convolution import Convolution, without_groups
from spear_deploy.network.pools import MaxPool2d
from spear_deploy.network.sharing import shared_weights

Index = NDArray[np.intp]

_NOTHING = 1e-12
"""A constant that is smaller than this, of the largest, is what rounding leaves of none."""


def into_biases(network: Network, kept: Mapping[str, Index]) -> dict[str, nir.NIRNode]:
    """The weights directly behind depthwise ones, with what channels that go would give them in their bias.

    Args:
        network: the whole network.
        kept: the entries that stay, by node that carries channels.

    """
    shared = {name for names in shared_weights(network.nodes) for name in names}
    found: dict[str, nir.NIRNode] = {}
    for name in _biased(network, kept):
        gives = _bias_of(network, name)
        gives[kept[name]] = 0
        for behind in _holding(network, name, shared):
            node: Any = copy(found.get(behind, network.nodes[behind]))
            if isinstance(node, Convolution):
                node.bias = node.bias + _summed(without_groups(node.weight, int(node.groups)), len(gives)) @ gives
            else:
                node.bias = node.bias + _summed(node.weight, len(gives)) @ gives
            found[behind] = node
    return found


def into_neurons(graph: nir.NIRGraph, network: Network, kept: Mapping[str, Index]) -> nir.NIRGraph:
    """The pruned graph, whose neurons receive of removed channels what no bias holds; arguments as `into_biases`'."""
    shared = {name for names in shared_weights(network.nodes) for name in names}
    layers = {way.target for name in _biased(network, kept) for way in _beyond(network, name, shared)}
    if not layers:
        return graph
    pruned = Network(graph, network)
    nodes = dict(graph.nodes)
    for layer in layers:
        whole, neuron = bias_current(network, layer), pruned.neurons[layer]
        rest = (whole[kept[layer]] if layer in kept else whole) - bias_current(pruned, layer)
        rest[np.abs(rest) <= _NOTHING * np.abs(whole).max(initial=1)] = 0
        if rest.any():
            before = 0 if neuron.offset is None else neuron.offset
            nodes[layer] = node_of(replace(neuron, offset=before + neuron.gain * rest))
    return with_nodes(graph, nodes)


def kept_for(network: Network, name: str) -> str:
    """Why channels of a depthwise convolution all stay, where nothing can hold what its bias gives; else nothing."""
    shared = {other for names in shared_weights(network.nodes) for other in names}
    for way in _beyond(network, name, shared) if np.any(_bias_of(network, name)) else ():
        neuron = network.neurons[way.target]
        unlike_a_current = any(isinstance(network.nodes[each], nir.Delay | MaxPool2d) for each in way.path)
        late = unlike_a_current or (way.source, way.path[0]) in network.feedback
        if late or neuron.alpha is not None or bool((neuron.beta == 1).all()):
            return f"the bias of {name} gives {way.target} another current at each place, which nothing there can hold"
    return ""


def _bias_of(network: Network, name: str) -> NDArray[np.float64]:
    return np.array(getattr(network.nodes[name], "bias", 0.0), dtype=np.float64)


def _biased(network: Network, kept: Mapping[str, Index]) -> list[str]:
    """Depthwise convolutions with biases that lose channels."""
    carriers = {name: network.nodes[name] for name in kept}
    return [name for name, node in carriers.items() if isinstance(node, Convolution) and has_biases(node)]


def _holding(network: Network, name: str, shared: set[str]) -> Iterator[str]:
    """The weights directly behind a node (a flatten between) whose bias can hold a constant."""
    for behind in network.edges.successors(name):
        node = network.nodes[behind]
        if isinstance(node, nir.Flatten):
            yield from (
                each
                for each in network.edges.successors(behind)
                if isinstance(network.nodes[each], nir.Affine) and each not in shared
            )
        elif (
            isinstance(node, Convolution)
            and behind not in shared
            and not _pads(node)
            and not is_depthwise(network, behind)
        ):
            yield behind


def _beyond(network: Network, name: str, shared: set[str]) -> Iterator[Connection]:
    """The connections on which what a node's bias gives passes weights that do not hold it."""
    holding = set(_holding(network, name, shared))
    for connection in network.connections:
        if name not in connection.path:
            continue
        behind = connection.path[connection.path.index(name) + 1 :]
        weights = [each for each in behind if isinstance(network.nodes[each], Weighted)]
        if any(not is_depthwise(network, each) for each in weights) and weights[0] not in holding:
            yield connection


def is_depthwise(network: Network, name: str) -> bool:
    """Whether a node is a depthwise convolution, whose channels go with those before it."""
    node = network.nodes[name]
    return isinstance(node, Convolution) and int(node.groups) == len(node.weight) > 1 and node.weight.shape[1] == 1


def _summed(weight: NDArray[np.floating], channels: int) -> NDArray[np.float64]:
    """What each output makes of a channel that is 1 everywhere, `[outputs, channels]`."""
    each: NDArray[np.float64] = weight.reshape(len(weight), channels, -1).astype(np.float64).sum(2)
    return each


def _pads(node: Convolution) -> bool:
    padding = padding_of(node)
    return padding != "valid" if isinstance(padding, str) else any(padding)
