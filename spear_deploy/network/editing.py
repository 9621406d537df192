"""Graphs and nodes with something changed; those that they are made of stay as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import nir

Edge = tuple[str, str]


def graph_of(
    nodes: Mapping[str, nir.NIRNode], edges: Iterable[Edge], metadata: Mapping[str, Any] | None = None
) -> nir.NIRGraph:
    """A graph of nodes, in order of execution, and edges between their names.

    Nothing is checked here: nir's own check knows neither pools nor delays that close a cycle, and
    `Network` says of every fault where it is.
    """
    return nir.NIRGraph(dict(nodes), list(edges), metadata=dict(metadata or {}), type_check=False)


def with_nodes(
    graph: nir.NIRGraph, nodes: Mapping[str, nir.NIRNode], edges: Iterable[Edge] | None = None
) -> nir.NIRGraph:
    """A graph of other nodes, with the metadata of this one, and its edges unless others are given."""
    return graph_of(nodes, graph.edges if edges is None else edges, graph.metadata)


def with_arrays(node: nir.NIRNode, changes: Mapping[str, Any]) -> nir.NIRNode:
    """A copy of a node with some of its arrays replaced."""
    kept = {key: value for key, value in vars(node).items() if not key.endswith("_type")}
    return type(node)(**{**kept, **changes})
