"""The oracle of pruning: the whole network, in which the channels that pruning removes never fire."""

import nir
import numpy as np
import torch

from spear_deploy.network import Simulation
from spear_deploy.pruning import channel_groups

NEVER = 1e200
"""A threshold that no membrane reaches."""


def run(graph, x):
    with torch.no_grad():
        return Simulation(graph, torch.float64)(x).outputs


def kept_by_layer(network, keep):
    """The channels that remain in each neuron layer."""
    kept = {layer: np.arange(network.shapes[layer][0]) for layer in network.layers}
    for group in channel_groups(network):
        for member in group.members:
            if group.name in keep and member.node in kept:
                each = [
                    np.arange(channel * member.repeat, (channel + 1) * member.repeat) for channel in keep[group.name]
                ]
                kept[member.node] = np.concatenate(each)
    return kept


def silence(network, kept):
    """The whole network with neurons outside of `kept` that never fire."""
    nodes = dict(network.nodes)
    for layer, channels in kept.items():
        node = nodes[layer]
        threshold = np.full(node.v_threshold.shape, NEVER)
        threshold[channels] = node.v_threshold[channels]
        settings = {key: value for key, value in vars(node).items() if not key.endswith("_type")}
        nodes[layer] = type(node)(**settings | {"v_threshold": threshold})
    return nir.NIRGraph(nodes, list(network.graph.edges), type_check=False)
