"""What a search knows of how much candidates use: all that projections go by beside the candidates themselves."""

from __future__ import annotations

import numpy as np

from spear_deploy.search.candidate import Ratios

Key = tuple[float, ...]


def key_of(executed: Ratios) -> Key:
    """Executed ratios as a key."""
    return tuple(map(float, executed))


class KnownShares:
    """The share of the limits that candidates are predicted to use, in the order in which they became known."""

    def __init__(self, groups: int) -> None:
        self._shares: dict[Key, float] = {}
        self._ratios = np.empty((0, groups))
        self._values = np.empty(0)

    def __contains__(self, executed: Ratios) -> bool:
        return key_of(executed) in self._shares

    def add(self, executed: Ratios, share: float) -> None:
        """What one candidate is predicted to use."""
        self._shares[key_of(executed)] = share
        self._ratios = np.vstack([self._ratios, executed])
        self._values = np.append(self._values, share)

    def least(self, executed: Ratios) -> float:
        """The smallest share of those that are at least as wide in each group."""
        wider = (self._ratios >= executed).all(1)
        return float(self._values[wider].min())

    def between(self, low: float, high: float) -> dict[Key, float]:
        """Those whose share lies between two, by their ratios."""
        return {key: share for key, share in self._shares.items() if low <= share <= high}
