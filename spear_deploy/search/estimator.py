"""LRE: predicting the SynOps that a pruned network will have after fine-tuning.

SPEAR (Xie et al., arXiv 2507.02945, 2025) uses one line from SynOps after pruning to SynOps
after fine-tuning. `LinearEstimator` is that line. `RidgeEstimator` is ours: it predicts the
logarithm of the ratio from the SynOps after recalibration and from the keep ratios.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from spear_deploy.errors import DataError
from spear_deploy.search.candidate import Features

CONFIDENCE = 0.95


@dataclass(frozen=True)
class LreSample:
    """A network that was really pruned and fine-tuned: features before, mean SynOps after."""

    features: Features
    synops: float
    accuracy: float


@dataclass(frozen=True)
class Prediction:
    """Predicted SynOps per inference with a 95 % prediction interval."""

    value: float
    low: float
    high: float

    def scaled(self, factor: float) -> Prediction:
        """The same prediction in another measure, say for a subset of the images."""
        return Prediction(self.value * factor, self.low * factor, self.high * factor)

    def widened(self, relative_error: float) -> Prediction:
        """With a further, independent standard error (relative), as of a finite set of images."""
        quantile = float(stats.norm.ppf(0.5 + CONFIDENCE / 2))
        extra = quantile * relative_error * self.value
        low = self.value - float(np.hypot(self.value - self.low, extra))
        return Prediction(self.value, max(low, 0.0), self.value + float(np.hypot(self.high - self.value, extra)))


class Estimator(Protocol):
    """Predicts SynOps after fine-tuning."""

    name: str
    needs_pruned_synops: bool

    def predict(self, features: Features) -> Prediction:
        """The SynOps that a network with these features will have after fine-tuning."""
        ...


@dataclass(frozen=True)
class LinearEstimator:
    """The paper's LRE: synops_after = slope * synops_after_pruning + intercept.

    The interval is that of ordinary least squares for one new observation.
    """

    slope: float
    intercept: float
    r2: float
    deviation: float
    mean_x: float
    spread_x: float
    samples: int
    name: str = "linear"
    needs_pruned_synops: bool = True

    @classmethod
    def fit(cls, samples: Sequence[LreSample]) -> LinearEstimator:
        """Least squares over the samples.

        Raises:
            DataError: fewer than three samples.

        """
        _need(samples, 3)
        x = np.array([_pruned_synops(sample.features) for sample in samples])
        y = np.array([sample.synops for sample in samples])
        line = stats.linregress(x, y)
        residual = y - (line.slope * x + line.intercept)
        deviation = float(np.sqrt((residual**2).sum() / max(len(x) - 2, 1)))
        return cls(
            slope=float(line.slope),
            intercept=float(line.intercept),
            r2=float(line.rvalue**2),
            deviation=deviation,
            mean_x=float(x.mean()),
            spread_x=float(((x - x.mean()) ** 2).sum()),
            samples=len(x),
        )

    def predict(self, features: Features) -> Prediction:
        """On the line, with the interval for one new network."""
        x = _pruned_synops(features)
        value = self.slope * x + self.intercept
        quantile = float(stats.t.ppf(0.5 + CONFIDENCE / 2, max(self.samples - 2, 1)))
        half = quantile * self.deviation * np.sqrt(1 + 1 / self.samples + (x - self.mean_x) ** 2 / self.spread_x)
        return Prediction(float(value), float(value - half), float(value + half))


@dataclass(frozen=True)
class RidgeEstimator:
    """log(after / recalibrated) as a ridge regression on what is known of a pruned network.

    Features: log of the recalibrated SynOps, log keep ratios, and the square of their sum (how
    narrow the network is as a whole, where the ratio bends).

    Features are standardised; the ridge weight is the one with the smallest leave-one-out
    error. The interval comes from the leave-one-out errors, grown by how far a network lies
    from the samples (its leverage).
    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    mean: float
    deviation: float
    covariance: NDArray[np.float64]
    samples: int
    leave_one_out: NDArray[np.float64]
    name: str = "ridge"
    needs_pruned_synops: bool = False

    WEIGHTS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)

    @classmethod
    def fit(cls, samples: Sequence[LreSample]) -> RidgeEstimator:
        """Fit on the samples.

        Raises:
            DataError: fewer than four samples.

        """
        _need(samples, 4)
        x = np.array([_log_features(sample.features) for sample in samples])
        y = np.array([np.log(sample.synops / sample.features.recalibrated_synops) for sample in samples])
        centre, scale = x.mean(0), x.std(0)
        scale[scale == 0] = 1.0
        z = (x - centre) / scale
        fits = [_ridge(z, y - y.mean(), weight) for weight in cls.WEIGHTS]
        coefficients, inverse, errors = min(fits, key=lambda fit: float((fit[2] ** 2).sum()))
        return cls(
            centre=centre,
            scale=scale,
            coefficients=coefficients,
            mean=float(y.mean()),
            deviation=float(np.sqrt((errors**2).mean())),
            covariance=inverse,
            samples=len(y),
            leave_one_out=errors,
        )

    def predict(self, features: Features) -> Prediction:
        """The ratio applied to the recalibrated SynOps."""
        z = (_log_features(features) - self.centre) / self.scale
        log_ratio = float(z @ self.coefficients) + self.mean
        value = features.recalibrated_synops * float(np.exp(log_ratio))
        leverage = float(z @ self.covariance @ z) + 1 / self.samples
        typical = len(self.coefficients) / self.samples + 1 / self.samples
        half = self._quantile * self.deviation * np.sqrt((1 + leverage) / (1 + typical))
        return Prediction(value, value * float(np.exp(-half)), value * float(np.exp(half)))

    @property
    def _quantile(self) -> float:
        freedom = max(self.samples - len(self.coefficients) - 1, 1)
        return float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom))


def _ridge(
    z: NDArray[np.float64], y: NDArray[np.float64], weight: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients, inverse of the normal matrix, and leave-one-out errors (by the hat matrix)."""
    inverse: Any = np.linalg.inv(z.T @ z + weight * np.eye(z.shape[1]))
    coefficients = inverse @ z.T @ y
    hat = np.einsum("ij,jk,ik->i", z, inverse, z) + 1 / len(y)
    return coefficients, inverse, (y - z @ coefficients) / np.maximum(1 - hat, 0.05)


def _log_features(features: Features) -> NDArray[np.float64]:
    ratios = np.log(features.keep_ratios)
    return np.concatenate([[np.log(features.recalibrated_synops)], ratios, [ratios.sum() ** 2]])


def _pruned_synops(features: Features) -> float:
    if features.pruned_synops is None:
        raise ValueError("the linear estimator needs SynOps measured right after pruning")
    return features.pruned_synops


def _need(samples: Sequence[LreSample], count: int) -> None:
    if len(samples) < count:
        raise DataError(f"an estimator needs at least {count} samples of pruned networks, found {len(samples)}")
