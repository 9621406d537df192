"""Where on a ray of keep ratios a candidate should meet the budget, before one is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spear_deploy.network import fan_out
from spear_deploy.pruning import Role, importance
from spear_deploy.search.candidate import CandidateFactory, Ratios

RIDGE = 0.1
"""How much the law is trusted against what earlier candidates showed."""

LEAST_FACTOR = 1e-4
"""Ratios scaled by it leave one channel a layer."""

BISECTIONS = 20
"""Halvings of the logarithm of a factor: a channel of ten thousand is met."""


@dataclass(frozen=True)
class _Term:
    """The SynOps of one connection.

    Attributes:
        source: the place of its source's group among those that are pruned; None where its channels all stay.
        target: that of its target's; None where its channels all stay, or a channel sends to its own alone.
        by_count: dense SynOps that spikes of the most important channels of the source cause, by their number; of a
            source that stays whole, those of all.

    """

    source: int | None
    target: int | None
    by_count: NDArray[np.float64]


class DenseRatesLaw:
    """The SynOps of pruned networks whose kept channels fire as they do in the dense network.

        SynOps = sum over connections of dense SynOps that the source's kept channels cause * the target's keep ratio

    Recalibration brings kept channels near that: over 60 random candidates each on the digits and on MNIST the law's
    log error scatters by .02 and .04 (by .11 and .09 if channels are taken to fire alike). The error on earlier
    candidates is followed by ridge regression on the log keep ratios. It chooses which candidates of a ray are made.
    """

    def __init__(self, factory: CandidateFactory) -> None:
        network, events = factory.model.network, factory.dense.events
        places = {
            member.node: (place, member.repeat)
            for place, group in enumerate(factory.groups)
            for member in group.nodes(Role.CARRIER)
        }
        mixing = {member.node for group in factory.all_groups for member in group.nodes(Role.PRODUCER)}
        self._sizes = [group.size for group in factory.groups]
        ranked = [np.argsort(-importance(network, group), kind="stable") for group in factory.groups]
        self._terms = []
        for connection in network.connections:
            if factory.train.analog and connection.source == network.input:
                continue  # values multiply: no SynOps
            caused = (events[connection.source] * fan_out(network, connection).cpu().numpy()).astype(np.float64)
            source, repeat = places.get(connection.source, (None, 1))
            target = None
            if mixing.intersection(connection.path):
                target, _ = places.get(connection.target, (None, 1))
            if source is None:
                by_count = caused.sum(keepdims=True).reshape(1)
            else:
                by_channel = caused.reshape(self._sizes[source], repeat, -1).sum((1, 2))
                by_count = np.concatenate([[0.0], by_channel[ranked[source]].cumsum()])
            self._terms.append(_Term(source, target, by_count))

    def corrected(self, shares: Mapping[tuple[float, ...], float], otherwise: float) -> Guess:
        """The law in shares of a budget, by what is known of others; a silent network tells nothing.

        Args:
            shares: by keep ratios, the share of the budget of others that are near it.
            otherwise: what a share is divided by where none is known.

        """
        spiking = {known: share for known, share in shares.items() if share > 0}
        if not spiking:
            return Guess(self, -math.log(otherwise), np.zeros(len(self._sizes)))
        x = np.log(np.array(list(spiking)))
        y = np.log(np.array(list(spiking.values()))) - self.log_synops(np.exp(x))
        centred = x - x.mean(0)
        slopes = np.linalg.solve(centred.T @ centred + RIDGE * np.eye(x.shape[1]), centred.T @ (y - y.mean()))
        return Guess(self, float(y.mean() - x.mean(0) @ slopes), slopes)

    def log_synops(self, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log of the law's SynOps, for ratios `[N, G]`; between whole channels they are a straight line."""
        total = np.full(len(ratios), np.finfo(np.float64).tiny)
        for term in self._terms:
            caused: NDArray[np.float64] | float = float(term.by_count[-1])
            if term.source is not None:
                kept = ratios[:, term.source] * self._sizes[term.source]
                caused = np.interp(kept, np.arange(len(term.by_count)), term.by_count)
            total += caused * (1.0 if term.target is None else ratios[:, term.target])
        logarithm: NDArray[np.float64] = np.log(total)
        return logarithm


@dataclass(frozen=True)
class Guess:
    """The law, corrected: log share = log SynOps + level + slopes * log keep ratios."""

    law: DenseRatesLaw
    level: float
    slopes: NDArray[np.float64]

    def log_share(self, executed: Ratios) -> float:
        """Of one candidate, `[G]`."""
        return float(self.law.log_synops(executed[None])[0] + self.level + np.log(executed) @ self.slopes)

    def widest(self, along: Callable[[float], Ratios], largest: float, limit: float) -> float:
        """The largest factor up to `largest` whose candidate `along` a ray is guessed to stay within a log share."""
        if self.log_share(along(largest)) <= limit:
            return largest
        low, high = math.log(LEAST_FACTOR), math.log(largest)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            fits = self.log_share(along(math.exp(middle))) <= limit
            low, high = (middle, high) if fits else (low, middle)
        return math.exp(low)

    def shifted_to(self, executed: Ratios, share: float) -> Guess:
        """The same, but right about one candidate: others on its ray err as it does."""
        log_share = math.log(max(share, np.finfo(np.float64).tiny))
        return replace(self, level=self.level + log_share - self.log_share(executed))
