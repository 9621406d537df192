"""What a candidate is predicted to use of limits, and what of a prediction is held against one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from spear_deploy.hardware import Activity, Limit, Use
from spear_deploy.network import Network
from spear_deploy.search.candidate import Candidate
from spear_deploy.search.lre import Prediction, RatioEstimator

Claim = Callable[[Prediction], float]
"""What of a prediction is held against a budget."""


def upper_end(prediction: Prediction) -> float:
    """The upper end of the interval: what can be promised."""
    return prediction.high


def expected(prediction: Prediction) -> float:
    """The predicted value itself, as SPEAR's search takes it."""
    return prediction.value


@dataclass(frozen=True)
class PredictedLimit:
    """A limit on something that follows from what a network does, such as its energy on a chip.

    Attributes:
        limit: as networks are judged by it.
        value: the quantity as it is judged, from a network and its activity on training samples.
        estimator: predicts it after fine-tuning from what it is before, fitted on LRE's samples.
        silent: the quantity where neurons send no spike that training can take away.
        least: what the narrowest network has of it where it is silent: no pruning and no fine-tune saves that.

    """

    limit: Limit
    value: Callable[[Network, Activity], float]
    estimator: RatioEstimator
    silent: Callable[[Network, Activity], float]
    least: float

    def predict(self, candidate: Candidate) -> Prediction:
        """What a candidate will use after the plain fine-tune."""
        before = self.value(candidate.model.network, candidate.activity)
        return self.estimator.predict_from(candidate.features.keep_ratios, before)

    def share(self, candidate: Candidate, claim: Claim, multiple: float) -> float:
        """The share that a candidate is predicted to use of what pruning and fine-tunes can change below the limit.

        The last fine-tune takes so many times less of what the neurons' spikes cause. Where not even the narrowest
        silent network is below the limit, it is the share of the whole.
        """
        prediction = self.predict(candidate)
        dearer = _inverse if self.limit.quantity.least else float  # of throughput less is worse
        used = claim(prediction.inverted if self.limit.quantity.least else prediction)
        silent = used
        if self.limit.quantity.falls_with_spikes:
            silent = min(dearer(self.silent(candidate.model.network, candidate.activity)), used)
        least, allowed = dearer(self.least), dearer(self.limit.allowed)
        if least >= allowed:
            least = 0.0
        return max(silent + (used - silent) / multiple - least, 0.0) / (allowed - least)

    def spikes_for(self, candidate: Candidate, share: float) -> float:
        """How many times its spikes after the plain fine-tune a candidate may send to use this share of the limit."""
        if not self.limit.quantity.falls_with_spikes:
            return math.inf
        silent = self.silent(candidate.model.network, candidate.activity)
        return Use(self.limit, self.predict(candidate).value, silent).spikes_for(share)


@dataclass(frozen=True)
class Predicted:
    """What a candidate is predicted to use after fine-tuning.

    Attributes:
        synops: per inference.
        fixed_synops: of these, what no fine-tune changes (`Features`).
        shares: of the limits on activity beside mean SynOps, in their order.

    """

    synops: Prediction
    fixed_synops: float
    shares: tuple[float, ...]

    def claimed(self, claim: Claim, multiple: float) -> float:
        """What of the SynOps is held against a limit that is so many times what is allowed in the end.

        The last fine-tune takes the rest away, but nothing of what it cannot change: that counts as many times.
        """
        return claim(self.synops) + (multiple - 1) * self.fixed_synops


def _inverse(value: float) -> float:
    return 1 / value if value else math.inf
