"""What a candidate is predicted to use of limits, and what of a prediction is held against one."""

from __future__ import annotations

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

    """

    limit: Limit
    value: Callable[[Network, Activity], float]
    estimator: RatioEstimator

    def predict(self, candidate: Candidate) -> Prediction:
        """What a candidate will use after the plain fine-tune."""
        before = self.value(candidate.model.network, candidate.activity)
        return self.estimator.predict_from(candidate.features.keep_ratios, before)

    def use(self, candidate: Candidate) -> Use:
        """What a candidate is predicted to use, by the end of the interval that lies nearer to the limit."""
        predicted = self.predict(candidate)
        return Use(self.limit, predicted.low if self.limit.quantity.least else predicted.high)


@dataclass(frozen=True)
class Predicted:
    """What a candidate is predicted to use after fine-tuning.

    Attributes:
        synops: per inference.
        fixed_synops: of these, what no fine-tune changes (`Features`).
        used: of the limits on activity beside mean SynOps, in their order.

    """

    synops: Prediction
    fixed_synops: float
    used: tuple[float, ...]

    def claimed(self, claim: Claim, multiple: float) -> float:
        """What of the SynOps is held against a limit that is so many times what is allowed in the end.

        The last fine-tune takes the rest away, but nothing of what it cannot change: that counts as many times.
        """
        return claim(self.synops) + (multiple - 1) * self.fixed_synops
