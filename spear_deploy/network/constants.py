"""Weights that are no parameters: pools in one dimension, votes, and factors that stand in a network's `forward`.

NIR has no other node for them; training leaves them as they are, and nobody counts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import nir

KEY = "constant"
"""Of a node's metadata: 1 where its weights are none."""

Node = TypeVar("Node", bound=nir.NIRNode)


def constant(node: Node) -> Node:
    """The node, marked as one whose weights are no parameters."""
    node.metadata = {**node.metadata, KEY: 1}
    return node


def constants(nodes: Mapping[str, nir.NIRNode]) -> frozenset[str]:
    """The nodes that are marked so."""
    return frozenset(name for name, node in nodes.items() if node.metadata.get(KEY))
