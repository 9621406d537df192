"""Where on a ray of keep ratios a candidate should meet the budget, before one is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spear_deploy.pruning import Role
from spear_deploy.search.candidate import CandidateFactory, Ratios

RIDGE = 0.1
"""How much the law of the widths is trusted against what earlier candidates showed."""

BISECTIONS = 20


class WidthLaw:
    """Shares of the budget by the widths on both sides of each connection, corrected by earlier candidates.

        share = c * sum over connections of dense SynOps * keep ratio of the source * of the target

    Its log error on earlier candidates is followed by ridge regression on the log keep ratios.
    It chooses which candidate of a ray is made first, and how narrow a repair is.
    """

    def __init__(self, factory: CandidateFactory) -> None:
        network, layers = factory.model.network, factory.dense.layers
        groups = {
            member.node: place for place, group in enumerate(factory.groups) for member in group.nodes(Role.CARRIER)
        }
        whole = len(factory.groups)  # the input's and the read-out's ratio stays 1
        ends = [
            (
                groups.get(connection.source, whole),
                groups.get(connection.target, whole),
                layers[connection.target].synops,
            )
            for connection in network.connections
        ]
        self._sources, self._targets = (np.array(side, dtype=np.intp) for side in list(zip(*ends, strict=True))[:2])
        self._synops = np.array([synops for *_, synops in ends])

    def factor(self, ratios: Ratios, shares: Mapping[tuple[float, ...], float], aim: float, floor: float) -> float:
        """The factor on `ratios` that should give the share `aim`; 1 where nothing is known.

        Args:
            ratios: the ray, `[G]`.
            shares: by keep ratios, the share of the budget of others that are near it; silent ones tell nothing.
            aim: the share to meet.
            floor: ratios are not scaled below it.

        """
        spiking = {known: share for known, share in shares.items() if share > 0}
        if not spiking:
            return 1.0
        x = np.log(np.array(list(spiking)))
        y = np.log(np.array(list(spiking.values()))) - self._log_synops(np.exp(x))
        centred = x - x.mean(0)
        slopes = np.linalg.solve(centred.T @ centred + RIDGE * np.eye(x.shape[1]), centred.T @ (y - y.mean()))
        low, high = -10.0, float(-np.log(ratios.min()))
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            scaled = np.clip(ratios * np.exp(middle), max(floor, 1e-4), 1.0)
            log_share = self._log_synops(scaled[None])[0] + y.mean() + (np.log(scaled) - x.mean(0)) @ slopes
            low, high = (middle, high) if log_share <= np.log(aim) else (low, middle)
        return float(np.exp(low))

    def _log_synops(self, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log of the sum over connections, for ratios `[N, G]`."""
        padded = np.concatenate([ratios, np.ones((len(ratios), 1))], axis=1)
        summed = (padded[:, self._sources] * padded[:, self._targets]) @ self._synops
        logarithm: NDArray[np.float64] = np.log(np.maximum(summed, np.finfo(np.float64).tiny))
        return logarithm


def next_guess(tried: Sequence[tuple[float, float]], aim: float) -> float:
    """The log factor at which the log share should reach `aim`, from those that were tried.

    SynOps grow about with the square of the factor (the widths on both sides of a connection);
    once a share on each side is known, the point lies between the two nearest.
    """
    below = [point for point in tried if point[1] <= aim]
    above = [point for point in tried if point[1] > aim]
    if below and above:
        (x0, y0), (x1, y1) = max(below), min(above)
        return float(x0 + (x1 - x0) * np.clip((aim - y0) / (y1 - y0), 0.1, 0.9))
    x, y = tried[-1]
    return float(x + (aim - y) / 2)
