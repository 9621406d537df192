"""Which channels to keep: ranking, and keep ratios turned into channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spear_deploy.errors import SearchError
from spear_deploy.network import Network
from spear_deploy.network.linear import weighted
from spear_deploy.pruning.groups import Group, Role
from spear_deploy.pruning.surgery import Index, entries_of


def importance(network: Network, group: Group) -> NDArray[np.float64]:
    """Summed absolute weights that produce each channel, `[size]`.

    Source: the criterion of AMC (He et al., ECCV 2018) and SPEAR. Each producer is scaled to
    mean 1, so that layers which share their channels weigh alike.
    """
    total = np.zeros(group.size)
    for member in group.nodes(Role.PRODUCER):
        weight = np.abs(weighted(network.nodes[member.node]).weight).astype(np.float64)
        each = weight.reshape(group.size, -1).sum(1)
        total += each / max(each.mean(), np.finfo(np.float64).tiny)
    return total


@dataclass(frozen=True)
class Widths:
    """How many channels a group may keep: at least `minimum`, in multiples of `multiple`, or all.

    A group whose size is no multiple may still stay whole; one with no multiple between the
    minimum and its size always does. `ranges` are the fewest and most channels of single groups, by
    name; where no multiple lies between them, any number between them is kept.
    """

    minimum: int = 1
    multiple: int = 1
    ranges: tuple[tuple[str, int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.minimum < 1 or self.multiple < 1:
            raise SearchError(
                f"channels are kept from a minimum of at least 1, in multiples of at least 1;"
                f" found a minimum of {self.minimum} and multiples of {self.multiple}"
            )

    @property
    def narrowest_in_words(self) -> str:
        """What the smallest network is that these allow."""
        if self == ANY_WIDTH:
            return "one channel in every layer"
        return "a network of the fewest channels that are allowed (keep, freeze, min-channels, channel-multiple)"

    def kept(self, size: int, keep_ratio: float) -> int:
        """The allowed number of channels, of `size`, that is nearest to the keep ratio."""
        wanted = keep_ratio * size
        least = min(self.multiple * -(-self.minimum // self.multiple), size)
        nearest = min(max(self.multiple * round(wanted / self.multiple), least), size)
        return size if size - wanted < abs(wanted - nearest) else nearest

    def kept_of(self, group: Group, keep_ratio: float) -> int:
        """The allowed number of a group's channels that is nearest to the keep ratio."""
        range_ = next((each for each in self.ranges if each[0] == group.name), None)
        if range_ is None:
            return self.kept(group.size, keep_ratio)
        least, most = (min(count, group.size) for count in range_[1:])
        between = range(least, most + 1)
        allowed = [count for count in between if self.kept(group.size, count / group.size) == count] or list(between)
        return min(allowed, key=lambda count: abs(count - keep_ratio * group.size))

    def check(self, groups: Iterable[Group]) -> None:
        """Hold the minimum against the groups that may be pruned.

        Raises:
            SearchError: groups have fewer channels than the minimum.

        """
        small = [f"{group.name} has {group.size}" for group in groups if group.prunable and group.size < self.minimum]
        if small:
            raise SearchError(f"at least {self.minimum} channels a layer cannot be kept: {', '.join(small)}")


ANY_WIDTH = Widths()


def channels_kept(group: Group, keep_ratio: float, widths: Widths = ANY_WIDTH) -> int:
    """How many channels a keep ratio leaves: the nearest allowed number, at least one, at most all."""
    return widths.kept_of(group, keep_ratio)


def choose_channels(
    network: Network, groups: list[Group], keep_ratios: Mapping[str, float], widths: Widths = ANY_WIDTH
) -> dict[str, Index]:
    """The channels to keep: the most important ones of each group, in their old order."""
    keep = {}
    for group in groups:
        if group.prunable and group.name in keep_ratios:
            count = channels_kept(group, keep_ratios[group.name], widths)
            ranked = np.argsort(-importance(network, group), kind="stable")
            keep[group.name] = np.sort(ranked[:count])
    return keep


def kept_by_layer(network: Network, groups: list[Group], keep: Mapping[str, Index]) -> dict[str, Index]:
    """What a choice of channels by group leaves of every neuron layer that it touches."""
    return {
        member.node: entries_of(keep[group.name], member.repeat)
        for group in groups
        if group.name in keep
        for member in group.nodes(Role.CARRIER)
        if member.node in network.neurons
    }
