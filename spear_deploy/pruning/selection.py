"""Which channels to keep: ranking, and keep ratios turned into channels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spear_deploy.network import Network
from spear_deploy.pruning.groups import Group, Role
from spear_deploy.pruning.surgery import Index


def importance(network: Network, group: Group) -> NDArray[np.float64]:
    """Summed absolute weights that produce each channel, `[size]`.

    Source: the criterion of AMC (He et al., ECCV 2018) and SPEAR. Each producer is scaled to
    mean 1, so that layers which share their channels weigh alike.
    """
    total = np.zeros(group.size)
    for member in group.nodes(Role.PRODUCER):
        weight = np.abs(network.nodes[member.node].weight).astype(np.float64)
        each = weight.reshape(group.size, -1).sum(1)
        total += each / max(each.mean(), np.finfo(np.float64).tiny)
    return total


def channels_kept(group: Group, keep_ratio: float) -> int:
    """How many channels a keep ratio leaves: rounded, at least one, at most all."""
    return int(np.clip(round(keep_ratio * group.size), 1, group.size))


def choose_channels(network: Network, groups: list[Group], keep_ratios: Mapping[str, float]) -> dict[str, Index]:
    """The channels to keep: the most important ones of each group, in their old order."""
    keep = {}
    for group in groups:
        if group.prunable and group.name in keep_ratios:
            count = channels_kept(group, keep_ratios[group.name])
            ranked = np.argsort(-importance(network, group), kind="stable")
            keep[group.name] = np.sort(ranked[:count])
    return keep


def kept_by_layer(network: Network, groups: list[Group], keep: Mapping[str, Index]) -> dict[str, Index]:
    """What a choice of channels by group leaves of every neuron layer that it touches."""
    return {
        member.node: keep[group.name]
        for group in groups
        if group.name in keep
        for member in group.nodes(Role.CARRIER)
        if member.node in network.neurons
    }
