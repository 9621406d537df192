"""Channels that can only be pruned together, read off the graph."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum

import nir
import numpy as np
from networkx.utils import UnionFind

from spear_deploy.network import Network
from spear_deploy.network.linear import Weighted
from spear_deploy.network.sharing import shared_weights
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

    A channel is an entry of the first axis. Sums (residual connections), recurrent weights,
    per-neuron parameters, pools, depthwise convolutions, flattening and weights in several places
    tie channels together; input and output channels are never pruned.
    """
    ties = _Ties(network)
    for stage in network.stages:
        for name in stage:
            ties.visit(name)
    for first, *others in shared_weights(network.nodes):
        for other in others:
            ties.share(first, other)
    groups = []
    for axes in ties.union.to_sets():
        layers = [name for name in network.layers if name in axes]
        if layers:
            members = tuple(member for axis in sorted(axes) for member in ties.members[axis])
            fixed = next((ties.fixed[axis] for axis in sorted(axes) if axis in ties.fixed), "")
            groups.append(Group(layers[0], network.shapes[layers[0]][0], members, fixed))
    return sorted(groups, key=lambda group: network.layers.index(group.name))


class _Ties:
    """Channel axes, named after the node where each begins, and which of them are one."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.union = UnionFind(_begins(network))
        self.members: dict[str, list[Member]] = defaultdict(list)
        self.fixed: dict[str, str] = {}

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
        elif isinstance(node, Weighted):
            self._visit_weights(name, node, begin, repeat)

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
    """Nodes that make a new channel axis: the input, weights and neurons."""
    return [
        name
        for name, node in network.nodes.items()
        if name == network.input or name in network.neurons or hasattr(node, "weight")
    ]
