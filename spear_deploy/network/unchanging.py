"""What of a network's spikes no training changes."""

from __future__ import annotations

from collections.abc import Set

import nir

from spear_deploy.network.graph import Network
from spear_deploy.network.linear import Weighted


def unchanging(network: Network, frozen: Set[str]) -> frozenset[str]:
    """The input, and the neuron layers whose spikes no training changes: only frozen weights lead from it to them."""
    trained = {name for name, node in network.nodes.items() if isinstance(node, Weighted | nir.Scale)} - frozen
    found = {network.input}
    for layer in network.layers:
        into = [each for each in network.connections if each.target == layer]
        on_the_way = {name for each in into for name in each.path}
        if {each.source for each in into} <= {*found, layer} and not trained & on_the_way:
            found.add(layer)
    return frozenset(found)
