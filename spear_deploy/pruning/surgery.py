"""Removing channels for good, as a pure function from graph to graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from copy import copy
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spear_deploy.network import Network
from spear_deploy.network.editing import with_nodes
from spear_deploy.network.linear import weighted
from spear_deploy.network.neuron import NEURON_TYPES
from spear_deploy.network.nir_convolution import Convolution, with_groups, without_groups
from spear_deploy.network.unflattening import Unflatten
from spear_deploy.pruning.constants import into_biases, into_neurons
from spear_deploy.pruning.groups import Group, Role

Index = NDArray[np.intp]


def prune(network: Network, groups: list[Group], keep: Mapping[str, Index]) -> nir.NIRGraph:
    """The graph with only the kept channels of each group.

    Rows of what produces them, columns of what consumes them and the parameters of the neurons
    they pass through are removed together; everything else stays as it is. A convolution in groups keeps
    them where its groups stay alike; else it becomes the equal one of a single group, with zeros between them.
    What the biases of removed depthwise channels gave to layers behind them goes into biases there, or into the
    current that neurons leak towards.

    Args:
        network: the network to prune; it is not changed.
        groups: its channel groups.
        keep: by group name, the channels to keep, ascending. Groups that are not named stay whole.

    """
    kept = {
        member.node: entries_of(keep[group.name], member.repeat)
        for group in groups
        if group.name in keep
        for member in group.nodes(Role.CARRIER)
    }
    nodes = dict(network.nodes) | into_biases(network, kept)
    axes: dict[str, dict[Role, Index]] = defaultdict(dict)
    for group in groups:
        if group.name not in keep:
            continue
        index = np.asarray(keep[group.name], dtype=np.intp)
        for member in group.members:
            if member.role is not Role.CARRIER and int(getattr(nodes[member.node], "groups", 1)) > 1:
                axes[member.node][member.role] = entries_of(index, member.repeat)
                continue
            nodes[member.node] = _cut(nodes[member.node], member.role, index, member.repeat)
    for name, roles in axes.items():
        nodes[name] = _cut_groups(nodes[name], name, roles)
    pruned = with_nodes(network.graph, nodes)
    return into_neurons(_with_input_shapes(pruned, network), network, kept)


def entries_of(index: Index, repeat: int) -> Index:
    """The entries of channels in a node in which `repeat` that follow each other belong to one."""
    return (index[:, None] * repeat + np.arange(repeat)).ravel()


def _cut(node: nir.NIRNode, role: Role, index: Index, repeat: int) -> nir.NIRNode:
    entries = entries_of(index, repeat)
    if isinstance(node, NEURON_TYPES):
        return _cut_neuron(node, entries)
    cut = copy(node)
    if isinstance(cut, Unflatten):
        cut.shape = np.array([len(entries), *cut.shape[1:]])
    elif isinstance(cut, nir.Scale):
        cut.scale = cut.scale[entries]
    elif role is Role.CONSUMER:
        cut = weighted(cut)
        cut.weight = cut.weight[:, entries]
    else:
        cut = weighted(cut)
        cut.weight = cut.weight[entries]
        if not isinstance(cut, nir.Linear):
            cut.bias = cut.bias[entries]
        if role is Role.CARRIER and isinstance(cut, Convolution):
            cut.groups = len(entries)
    cut.__post_init__()
    return cut


def _cut_groups(node: nir.NIRNode, name: str, kept: Mapping[Role, Index]) -> nir.NIRNode:
    """A convolution in groups with some of its outputs (producer) and inputs (consumer)."""
    assert isinstance(node, Convolution)
    groups = int(node.groups)
    whole = without_groups(node.weight, groups)
    rows, columns = (
        kept.get(role, np.arange(size)) for role, size in zip((Role.PRODUCER, Role.CONSUMER), whole.shape, strict=False)
    )
    each = [
        np.bincount(index * groups // size, minlength=groups)
        for index, size in zip((rows, columns), whole.shape, strict=False)
    ]
    left = each[0] + each[1] > 0
    alike = all((counts[left] == counts[left][0]).all() and counts[left][0] for counts in each)
    cut = copy(node)
    cut.weight = whole[rows][:, columns]
    cut.bias = node.bias[rows]
    cut.groups = int(left.sum()) if alike else 1
    if cut.groups > 1:
        cut.weight = with_groups(cut.weight, cut.groups, name)
    cut.__post_init__()
    return cut


def _cut_neuron(node: nir.NIRNode, index: Index) -> nir.NIRNode:
    """Every parameter of the layer's shape, in the node and in its metadata, loses the same channels."""
    shape = tuple(int(n) for n in node.input_type["input"])

    def cut(value: Any) -> Any:
        return value[index] if isinstance(value, np.ndarray) and value.shape == shape else value

    kept = {key: cut(value) for key, value in vars(node).items() if not key.endswith("_type")}
    kept["metadata"] = {key: cut(value) for key, value in node.metadata.items()}
    return type(node)(**kept)


def _with_input_shapes(graph: nir.NIRGraph, whole: Network) -> nir.NIRGraph:
    """Shapes that nodes carry along are made to follow the channels again."""
    network_shapes = Network(graph, whole).shapes
    sources = {target: source for source, target in graph.edges}
    nodes: dict[str, Any] = dict(graph.nodes)
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Flatten):
            shape = np.array(network_shapes[sources[name]])
            nodes[name] = nir.Flatten(shape, int(node.start_dim), int(node.end_dim), metadata=node.metadata)
    return with_nodes(graph, nodes)
