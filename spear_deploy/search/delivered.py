"""What the delivered network will take: LRE's prediction, as far as the constraint lets it come true."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spear_deploy.search.candidate import Features
from spear_deploy.search.lre import Estimator, Prediction
from spear_deploy.search.tuning import BOUND_AIM

HELD_WITHIN = 0.03
"""How far from what it is held at a second phase may end: on the digits its bound ends within half a per cent of the
aim, and the bound's own margin over the mean changes while a network is trained (docs/method.md)."""


@dataclass(frozen=True)
class Held:
    """Where the second phase holds networks, in torch.

    Attributes:
        budget_synops: SynOps per inference that are allowed.
        margin: of the bound over the mean, relative; of the pruned network before any fine-tune.
        spikes: how many times those after the plain fine-tune the network may send by limits on other activity.

    """

    budget_synops: float
    margin: float
    spikes: float = math.inf

    @property
    def synops(self) -> float:
        """Mean SynOps on validation at which the bound uses what is aimed at of the budget."""
        return BOUND_AIM * self.budget_synops / (1 + self.margin)


def predict_delivered(estimator: Estimator, features: Features, held: Held | None) -> Prediction:
    """SynOps after both phases, from what is known before the first one.

        min(what LRE predicts after the plain fine-tune, what the constraint holds at)

    and likewise both ends of the interval, each `HELD_WITHIN` further out. LRE's prediction is first brought to as many
    spikes as limits on other activity leave.

    Args:
        estimator: of SynOps after the plain fine-tune.
        features: of the delivered network's structure, pruned and recalibrated.
        held: where the constraint holds a network that would take more; None without a constraint.

    """
    plain = estimator.predict(features)
    capped = plain
    if held is not None:
        fixed = min(features.fixed_synops, plain.value)
        capped = plain.scaled((fixed + (plain.value - fixed) * min(held.spikes, 1.0)) / (plain.value or 1.0))
        capped = capped.capped(held.synops)
    return Prediction(capped.value, capped.low * (1 - HELD_WITHIN), capped.high * (1 + HELD_WITHIN))
