"""Channels that can only be pruned together, read off the graph."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import networkx as nx
import nir
import numpy as np
from networkx.utils import UnionFind

from spear_deploy.network import Network
from spear_deploy.network.linear import Weighted
from spear_deploy.network.sharing import shared_weights
from spear_deploy.network.unflattening import Unflatten
from spear_deploy.pruning.constants import is_depthwise, kept_for


class Role(StrEnum):
    """How a node takes part in a group of channels."""

    PRODUCER = "producer"
    """Weights whose outputs (rows) are the channels."""
    CONSUMER = "consumer"
    """Weights whose inputs (columns) are the channels."""
    CARRIER = "carrier"
    """One entry a channel that follows along: neurons, scales, depthwise weights."""


@dataclass(frozen=True)
class Member:
    """A node in a group; `repeat` consecutive entries belong to one channel (after a flatten)."""

    node: str
    role: Role
    repeat: int = 1


@dataclass(frozen=True)
class Group:
    """Channels that live and die together.

    Attributes:
        name: the first neuron layer they pass through.
        size: number of channels.
        members: all nodes that hold something of them.
        fixed: why none may be removed; empty where they may.

    """

    name: str
    size: int
    members: tuple[Member, ...]
    fixed: str = ""

    @property
    def prunable(self) -> bool:
        """Whether channels may be removed."""
        return not self.fixed and self.size > 1

    def nodes(self, role: Role) -> tuple[Member, ...]:
        """The members with one role."""
        return tuple(member for member in self.members if member.role is role)


def channel_groups(network: Network) -> list[Group]:
    """All groups of channels, in the order in which the network runs.

    A channel is an entry of the first axis; of a flat layer that becomes maps, all entries of a map.
    Sums (residual connections), recurrent weights, per-neuron parameters, pools, depthwise convolutions,
    flattening and weights in several places tie channels together; input and output channels are never pruned.
    """
    ties = _Ties(network)
    for stage in network.stages:
        for name in stage:
            ties.visit(name)
    for first, *others in shared_weights(network.nodes):
        for other in others:
            ties.share(first, other)
    groups = []
    for scales in ties.scaled_sets():
        layers = [name for name in network.layers if name in scales]
        if layers:
            members = tuple(
                replace(member, repeat=member.repeat * scales[axis])
                for axis in sorted(scales)
                for member in ties.members[axis]
            )
            fixed = next((ties.fixed[axis] for axis in sorted(scales) if axis in ties.fixed), "")
            groups.append(Group(layers[0], network.shapes[layers[0]][0] // scales[layers[0]], members, fixed))
    return sorted(groups, key=lambda group: network.layers.index(group.name))


class _Ties:
    """Channel axes, named after the node where each begins, and which of them are one."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.union = UnionFind(_begins(network))
        self.members: dict[str, list[Member]] = defaultdict(list)
        self.fixed: dict[str, str] = {}
        self.maps: list[tuple[str, str, int]] = []
        """Axes of flat layers, the nodes that make maps of them, and entries in each map."""

    def axis(self, name: str) -> tuple[str, int]:
        """Where the channel axis of a node's output begins, and entries a channel has in it."""
        if name in self.union.parents:
            return name, 1
        source = self.network.sources(name)[0]
        begin, repeat = self.axis(source)
        node = self.network.nodes[name]
        if isinstance(node, nir.Flatten) and int(node.start_dim) == 0:
            shape = self.network.shapes[source]
            if len(self.network.shapes[name]) > 1:
                self.fixed[begin] = f"{name} mixes channels with positions"
            repeat *= int(np.prod(shape[1:]))
        return begin, repeat

    def visit(self, name: str) -> None:
        network, node = self.network, self.network.nodes[name]
        sources = [self.axis(source) for source in network.sources(name)]
        if name == network.input:
            self.fixed[name] = "the input's channels are given"
            return
        if name in network.neurons:
            self.members[name].append(Member(name, Role.CARRIER))
            sources.append((name, 1))
        self._tie(name, sources)
        begin, repeat = sources[0]
        if name == network.output:
            self.fixed[begin] = "the output's channels are the answers"
        elif isinstance(node, nir.Scale):
            if np.shape(node.scale)[:1] == network.shapes[name][:1] and np.ndim(node.scale) == len(
                network.shapes[name]
            ):
                self.members[begin].append(Member(name, Role.CARRIER, repeat))
        elif isinstance(node, Unflatten):
            self._visit_maps(name, int(np.prod(node.shape[1:])), begin, repeat)
        elif isinstance(node, Weighted):
            self._visit_weights(name, node, begin, repeat)

    def _visit_maps(self, name: str, positions: int, begin: str, repeat: int) -> None:
        self.members[name].append(Member(name, Role.CARRIER))
        if repeat == positions:  # the maps that were flattened before
            self.union.union(begin, name)
        elif repeat == 1:
            self.maps.append((begin, name, positions))
        else:
            for axis in (begin, name):
                self.fixed.setdefault(axis, f"{name} mixes channels with positions")

    def scaled_sets(self) -> list[dict[str, int]]:
        """Axes that are one, each with how many of its entries belong to a channel."""
        tied = nx.Graph()
        for axes in self.union.to_sets():
            nx.add_path(tied, sorted(axes), ratio=Fraction(1), end=None)
            tied.add_nodes_from(axes)
        for flat, maps, positions in self.maps:
            if tied.has_edge(flat, maps):
                self.fixed.setdefault(flat, f"{maps} mixes channels with positions")
            else:
                tied.add_edge(flat, maps, ratio=Fraction(positions), end=flat)
        return [self._scales(tied.subgraph(axes)) for axes in nx.connected_components(tied)]

    def _scales(self, tied: Any) -> dict[str, int]:
        found: dict[str, Fraction] = {min(tied): Fraction(1)}
        for one, other in nx.bfs_edges(tied, min(tied)):
            edge = tied.edges[one, other]
            found[other] = found[one] * (edge["ratio"] if edge["end"] == other else 1 / edge["ratio"])
        for one, other, edge in tied.edges(data=True):
            flat, maps = (one, other) if edge["end"] in (one, None) else (other, one)
            if found[flat] != found[maps] * edge["ratio"]:
                self.fixed.setdefault(flat, f"{maps} mixes channels with positions")
        least = lcm(*(scale.denominator for scale in found.values()))
        whole = {axis: int(scale * least) for axis, scale in found.items()}
        common = gcd(*whole.values())
        return {axis: scale // common for axis, scale in whole.items()}

    def share(self, one: str, other: str) -> None:
        """Weights that are one lose the same outputs and the same inputs."""
        self.union.union(one, other)
        before = [self.axis(self.network.sources(name)[0]) for name in (one, other)]
        self._tie(f"{one}, {other}: one weight", before)

    def _visit_weights(self, name: str, node: Weighted, begin: str, repeat: int) -> None:
        if is_depthwise(self.network, name):
            self.union.union(begin, name)
            self.members[name].append(Member(name, Role.CARRIER))
            if reason := kept_for(self.network, name):
                self.fixed.setdefault(name, reason)
        else:
            self.members[begin].append(Member(name, Role.CONSUMER, repeat))
            self.members[name].append(Member(name, Role.PRODUCER))

    def _tie(self, name: str, axes: list[tuple[str, int]]) -> None:
        """Axes that are summed are one, if their channels lie alike."""
        first, repeat = axes[0]
        for other, other_repeat in axes[1:]:
            if repeat == other_repeat:
                self.union.union(first, other)
            else:
                for axis in (first, other):
                    self.fixed.setdefault(axis, f"{name} sums channels that are laid out differently")


def _begins(network: Network) -> list[str]:
    """Nodes that make a new channel axis: the input, weights, neurons and maps of a flat layer."""
    return [
        name
        for name, node in network.nodes.items()
        if name == network.input or name in network.neurons or hasattr(node, "weight") or isinstance(node, Unflatten)
    ]
