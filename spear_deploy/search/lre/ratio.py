"""Estimators with one or two numbers: what fine-tuning does to SynOps, as a ratio or a line in the logarithm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spear_deploy.search.candidate import Features, Ratios
from spear_deploy.search.lre.prediction import Prediction, t_quantile
from spear_deploy.search.lre.sample import LreSample, need

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ConstantEstimator:
    """after = c * recalibrated, with log c the mean of log(after / recalibrated) over the samples.

    The interval is that of the normal distribution for one new observation of the logarithm.
    """

    log_ratios: Array
    name: ClassVar[str] = "constant"
    fewest_samples: ClassVar[int] = 3
    needs_pruned_synops: ClassVar[bool] = False

    @classmethod
    def fit(cls, samples: Sequence[LreSample]) -> ConstantEstimator:
        """Take the samples in.

        Raises:
            DataError: fewer than three samples.

        """
        return cls.between(samples, _recalibrated(samples), [sample.synops for sample in samples])

    @classmethod
    def between(
        cls, samples: Sequence[LreSample], before: Sequence[float], after: Sequence[float]
    ) -> ConstantEstimator:
        """For any positive quantity that was known of the samples before and after fine-tuning."""
        need(samples, cls.fewest_samples)
        return cls(np.log(np.asarray(after) / np.asarray(before)))

    def predict(self, features: Features) -> Prediction:
        """The ratio applied to the recalibrated SynOps; none where the network is silent."""
        found = self.predict_from(features.keep_ratios, features.recalibrated_synops)
        return found.capped(features.most_synops)

    def predict_from(self, keep_ratios: Ratios, before: float) -> Prediction:
        """The quantity after fine-tuning, from what it is before."""
        count = len(self.log_ratios)
        half = t_quantile(count - 1) * float(self.log_ratios.std(ddof=1)) * np.sqrt(1 + 1 / count)
        return _around(before * float(np.exp(self.log_ratios.mean())), float(half))


@dataclass(frozen=True)
class LogLineEstimator:
    """log after = a + b * log recalibrated, least squares over the samples.

    The slope is never below 0, so that a network with fewer SynOps is never predicted to end with
    more. The interval is that of least squares for one new observation of the logarithm.
    """

    log_before: Array
    log_after: Array
    name: ClassVar[str] = "log-line"
    fewest_samples: ClassVar[int] = 4
    needs_pruned_synops: ClassVar[bool] = False

    @classmethod
    def fit(cls, samples: Sequence[LreSample]) -> LogLineEstimator:
        """Take the samples in.

        Raises:
            DataError: fewer than four samples.

        """
        return cls.between(samples, _recalibrated(samples), [sample.synops for sample in samples])

    @classmethod
    def between(cls, samples: Sequence[LreSample], before: Sequence[float], after: Sequence[float]) -> LogLineEstimator:
        """For any positive quantity that was known of the samples before and after fine-tuning."""
        need(samples, cls.fewest_samples)
        return cls(np.log(np.asarray(before)), np.log(np.asarray(after)))

    def predict(self, features: Features) -> Prediction:
        """On the line; none where the network is silent."""
        found = self.predict_from(features.keep_ratios, features.recalibrated_synops)
        return found.capped(features.most_synops)

    def predict_from(self, keep_ratios: Ratios, before: float) -> Prediction:
        """The quantity after fine-tuning, from what it is before."""
        if not before:
            return Prediction(0.0, 0.0, 0.0)
        count, centre = len(self.log_before), self.log_before.mean()
        away, spread = self.log_before - centre, float(((self.log_before - centre) ** 2).sum())
        slope = max(float(away @ self.log_after) / spread, 0.0) if spread else 0.0
        left = self.log_after - self.log_after.mean() - slope * away
        deviation = float(np.sqrt((left**2).sum() / (count - 2)))
        x = float(np.log(before) - centre)
        half = t_quantile(count - 2) * deviation * np.sqrt(1 + 1 / count + (x**2 / spread if spread else 0.0))
        return _around(float(np.exp(self.log_after.mean() + slope * x)), float(half))


def _around(value: float, half: float) -> Prediction:
    return Prediction(value, value * float(np.exp(-half)), value * float(np.exp(half)))


def _recalibrated(samples: Sequence[LreSample]) -> list[float]:
    return [sample.features.recalibrated_synops for sample in samples]
