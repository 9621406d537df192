"""Weights that a user wants left as they are: `conv1,fc*`."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import nir

from spear_deploy.errors import SearchError
from spear_deploy.network import Network
from spear_deploy.network.linear import Weighted
from spear_deploy.network.sharing import one_with


def parse_freeze(text: str) -> tuple[str, ...]:
    """What is typed, separated by commas: patterns of names of neuron layers or of weights, as a shell has them."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def frozen_nodes(patterns: Sequence[str], network: Network) -> frozenset[str]:
    """The nodes whose weights stay as they are: those of a name, and those that lead into neuron layers of a name.

    Weights that stand in several places stay in all of them.

    Raises:
        SearchError: a pattern that names nothing; patterns that leave nothing to train.

    """
    weights = {name: _leads_into(network, name) for name, node in network.nodes.items() if isinstance(node, Weighted)}
    factors = {name: _leads_into(network, name) for name, node in network.nodes.items() if isinstance(node, nir.Scale)}
    found: set[str] = set()
    for pattern in patterns:
        named = {
            name
            for name, layers in (weights | factors).items()
            if any(fnmatchcase(each, pattern) for each in (name, *layers))
        }
        if not named:
            raise SearchError(f"freeze {pattern}: names no layer with weights; there are {', '.join(sorted(weights))}")
        found |= named
    if weights and found >= set(weights):
        raise SearchError(f"freeze {', '.join(patterns)}: names every layer, and leaves none to prune or to train")
    return one_with(frozenset(found), network.nodes)


def _leads_into(network: Network, name: str) -> set[str]:
    return {connection.target for connection in network.connections if name in connection.path}
