"""What a chip's limits say of keep ratios by structure alone, exactly and before anything is run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from spear_deploy.hardware import Use
from spear_deploy.network import Network
from spear_deploy.search.candidate import CandidateFactory, Ratios
from spear_deploy.search.known_shares import Key, key_of

StructuralLimits = Callable[[Network], tuple[Use, ...]]
"""What a chip's limits say of a network's structure, exactly: see `hardware.placement`."""

BISECTIONS = 12


class Structure:
    """The limits on structure over keep ratios; each network is looked at once.

    Args:
        factory: makes networks of keep ratios.
        limits: the chip's limits on a network's structure.

    """

    def __init__(self, factory: CandidateFactory, limits: StructuralLimits) -> None:
        self.factory = factory
        self.limits = limits
        self._uses: dict[Key, tuple[Use, ...]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Another process looks anew: what uses limits on structure is made by functions that none can be given."""
        return self.__dict__ | {"_uses": {}}

    def uses(self, executed: Ratios) -> tuple[Use, ...]:
        """What a network of these ratios uses of the limits on structure."""
        key = key_of(executed)
        if key not in self._uses:
            self._uses[key] = self.limits(self.factory.pruned_network(executed))
        return self._uses[key]

    def fits(self, executed: Ratios) -> bool:
        """Whether it keeps them all."""
        return not any(use.overshoot for use in self.uses(executed))

    def widest(self, ratios: Ratios, place: int, most: float = 1.0) -> float:
        """The largest ratio up to `most` at which a group fits: those before it as they are, all later ones narrowest.

        AMC's bound on an action (He et al., ECCV 2018, algorithm 1), for what follows from structure alone. The
        narrowest ratio where not even that one fits.
        """
        narrowest = self.factory.smallest

        def at(ratio: float) -> Ratios:
            return self.factory.executed(np.concatenate([ratios[:place], [ratio], narrowest[place + 1 :]]))

        if self.fits(at(most)):
            return most
        low, high = float(narrowest[place]), most
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.fits(at(middle)) else (low, middle)
        return float(at(low)[place])

    def bounded(self, executed: Ratios) -> Ratios:
        """The executed ratios, each no wider than `widest` has it."""
        if self.fits(executed):
            return executed
        bounded = executed.copy()
        for place in range(len(bounded)):
            bounded[place] = self.widest(bounded, place, float(bounded[place]))
        return bounded
