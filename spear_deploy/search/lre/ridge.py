"""The estimator with most features: ridge regression on a logarithmic scale, fitted around each network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spear_deploy.search.candidate import Features, Ratios
from spear_deploy.search.lre.prediction import Prediction, t_quantile
from spear_deploy.search.lre.regression import weighted_ridge
from spear_deploy.search.lre.sample import LreSample, need

KERNEL_WIDTH = 0.7
"""Samples whose log SynOps lie this far away count 0.6; by held-out error on the digits, 5 sampling seeds."""

KERNEL_FLOOR = 0.02
"""The least that a sample counts."""

NOISE_WIDTH = 0.6
"""The same for a sample's error: narrow networks err several times more than wide ones."""

LEAST_WEIGHT = 1e-9
"""Keeps weights above zero where a network lies far from every sample; all then count alike."""


MOST_HALF = 1.0
"""The interval reaches at most this far in the logarithm, 0.37 to 2.7 times the prediction."""


@dataclass(frozen=True)
class RidgeEstimator:
    """log(after / recalibrated) by ridge regression, fitted anew around each network.

    Features: log of the recalibrated SynOps, log keep ratios, and the square of their sum (how
    narrow the network is as a whole, where the ratio bends). Samples count by how near their
    recalibrated SynOps are to the network's: narrow networks are harder to predict, and would
    otherwise blur the prediction of wider ones. The ridge weight has the smallest leave-one-out
    error. The interval is Student's t times the root mean square of those errors, nearer
    samples again counting more, grown by how far the network lies from the samples (its
    leverage over theirs); its degrees of freedom are what those weights amount to, less the
    share that the fit used up. The predicted ratio stays within what was sampled, and as much
    again on either side.
    """

    features: NDArray[np.float64]
    log_ratios: NDArray[np.float64]
    name: ClassVar[str] = "ridge"
    fewest_samples: ClassVar[int] = 6
    needs_pruned_synops: ClassVar[bool] = False

    @classmethod
    def fit(cls, samples: Sequence[LreSample]) -> RidgeEstimator:
        """Take the samples in.

        Raises:
            DataError: fewer than six samples.

        """
        need(samples, cls.fewest_samples)
        before = [sample.features.recalibrated_synops for sample in samples]
        return cls.between(samples, before, [sample.synops for sample in samples])

    @classmethod
    def between(cls, samples: Sequence[LreSample], before: Sequence[float], after: Sequence[float]) -> RidgeEstimator:
        """For any positive quantity that was known of the samples before and after fine-tuning."""
        pairs = zip(samples, before, strict=True)
        x = np.array([_log_features(sample.features.keep_ratios, value) for sample, value in pairs])
        return cls(x, np.log(np.asarray(after) / np.asarray(before)))

    def predict(self, features: Features) -> Prediction:
        """The predicted ratio applied to the recalibrated SynOps; none where the network is silent."""
        found = self.predict_from(features.keep_ratios, features.recalibrated_synops)
        return found.capped(features.most_synops)

    def predict_from(self, keep_ratios: Ratios, before: float) -> Prediction:
        """The quantity after fine-tuning, from what it is before."""
        if not before:
            return Prediction(0.0, 0.0, 0.0)
        x = _log_features(keep_ratios, before)
        distance = self.features[:, 0] - x[0]
        fit = weighted_ridge(self.features, self.log_ratios, _near(distance, KERNEL_WIDTH) + KERNEL_FLOOR)
        lowest, highest = float(self.log_ratios.min()), float(self.log_ratios.max())
        reach = highest - lowest
        log_ratio = min(max(fit.predict(x), lowest - reach), highest + reach)
        near = _near(distance, NOISE_WIDTH) + LEAST_WEIGHT
        deviation = np.sqrt(np.average(fit.leave_one_out**2, weights=near))
        freedom = max(float(near.sum() ** 2 / (near**2).sum()) * fit.freedom, 2.0)
        growth = np.sqrt((1 + fit.leverage(x)) / (1 + fit.typical_leverage))
        half = min(t_quantile(freedom) * float(deviation * growth), MOST_HALF)
        value = before * float(np.exp(log_ratio))
        return Prediction(value, value * float(np.exp(-half)), value * float(np.exp(half)))


def _near(distance: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """How much samples count at these distances in log SynOps."""
    return np.exp(-0.5 * (distance / width) ** 2)


def _log_features(keep_ratios: Ratios, before: float) -> NDArray[np.float64]:
    ratios = np.log(keep_ratios)
    return np.concatenate([[np.log(before)], ratios, [ratios.sum() ** 2]])
