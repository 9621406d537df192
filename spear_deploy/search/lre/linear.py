"""SPEAR's estimator: one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spear_deploy.search.candidate import Features
from spear_deploy.search.lre.prediction import Prediction, t_quantile
from spear_deploy.search.lre.sample import LreSample, need


@dataclass(frozen=True)
class LinearEstimator:
    """SPEAR's LRE: synops_after = slope * synops_after_pruning + intercept.

    The interval is that of ordinary least squares for one new observation.
    """

    slope: float
    intercept: float
    r2: float
    deviation: float
    mean_x: float
    spread_x: float
    samples: int
    name: ClassVar[str] = "linear"
    fewest_samples: ClassVar[int] = 3
    needs_pruned_synops: ClassVar[bool] = True

    @classmethod
    def fit(cls, samples: Sequence[LreSample]) -> LinearEstimator:
        """Least squares over the samples.

        Raises:
            DataError: fewer than three samples.

        """
        need(samples, cls.fewest_samples)
        x = np.array([pruned_synops(sample.features) for sample in samples])
        y = np.array([sample.synops for sample in samples])
        slope, intercept, r = 0.0, float(y.mean()), 0.0
        if np.ptp(x) > 0:  # else the samples say nothing of x, as where pruning silences every network
            of_x, together, _, of_y = np.cov(x, y, bias=True).flat
            slope, intercept = float(together / of_x), float(y.mean() - together / of_x * x.mean())
            r = float(np.clip(together / np.sqrt(of_x * of_y), -1.0, 1.0)) if of_y else 0.0
        residual = y - (slope * x + intercept)
        return cls(
            slope=slope,
            intercept=intercept,
            r2=r**2,
            deviation=float(np.sqrt((residual**2).sum() / max(len(x) - 2, 1))),
            mean_x=float(x.mean()),
            spread_x=float(((x - x.mean()) ** 2).sum()),
            samples=len(x),
        )

    def predict(self, features: Features) -> Prediction:
        """On the line, with the interval for one new network."""
        x = pruned_synops(features)
        value = self.slope * x + self.intercept
        quantile = t_quantile(max(self.samples - 2, 1))
        away = (x - self.mean_x) ** 2 / self.spread_x if self.spread_x else 0.0
        half = quantile * self.deviation * np.sqrt(1 + 1 / self.samples + away)
        return Prediction(float(value), float(value - half), float(value + half)).capped(features.most_synops)


def pruned_synops(features: Features) -> float:
    """SynOps right after pruning; measured only where asked for."""
    if features.pruned_synops is None:
        raise ValueError("the linear estimator needs SynOps measured right after pruning")
    return features.pruned_synops
