"""The job of `groups`: which channels of a network hang together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spear_deploy.network import Reading
from spear_deploy.pruning import Group, Role, channel_groups


def groups(path: Path, reading: Reading) -> list[dict[str, Any]]:
    """Each group of channels of a model file that can only be pruned together, as plain values.

    Raises:
        ModelError: the file cannot be loaded.

    """
    network = reading.load(path).network
    return [_row(group, network.layers) for group in channel_groups(network)]


def _row(group: Group, layers: list[str]) -> dict[str, Any]:
    names = {member.node for member in group.members}
    return {
        "group": group.name,
        "channels": group.size,
        "layers": [layer for layer in layers if layer in names],
        "made_by": sorted({member.node for member in group.nodes(Role.PRODUCER)}),
        "read_by": sorted({member.node for member in group.nodes(Role.CONSUMER)}),
        "prunable": group.prunable,
        "fixed": group.fixed,
    }
