"""Weights that stand in several places of a network and are one: pruned together, trained as one.

A chip holds them once for each place, and so does the graph; nodes whose weights are one name the same layer under
`shared` in their metadata.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import nir
import numpy as np

from spear_deploy.network.linear import Weighted

KEY = "shared"
"""Of a node's metadata: the layer whose weights it has."""


def marked(node: nir.NIRNode, layer: str) -> nir.NIRNode:
    """The node, marked as one of those that have a layer's weights."""
    node.metadata = {**node.metadata, KEY: layer}
    return node


def shared_weights(nodes: Mapping[str, nir.NIRNode]) -> list[tuple[str, ...]]:
    """The nodes whose weights are one, place by place: marked alike, and equal to the last bit."""
    found: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for name, node in nodes.items():
        if isinstance(node, Weighted) and KEY in node.metadata:
            found[_content(node)].append(name)
    return [tuple(names) for names in found.values() if len(names) > 1]


def one_with(names: frozenset[str], nodes: Mapping[str, nir.NIRNode]) -> frozenset[str]:
    """Nodes, with those whose weights are one with theirs."""
    return names.union(*(places for places in shared_weights(nodes) if not names.isdisjoint(places)))


def _content(node: Weighted) -> tuple[Any, ...]:
    mark = node.metadata[KEY]
    arrays = [np.asarray(getattr(node, key)) for key in ("weight", "bias") if hasattr(node, key)]
    text = mark.decode() if isinstance(mark, bytes) else str(mark)
    return (text, type(node), *((each.shape, each.tobytes()) for each in arrays))
