"""LRE: predicting the SynOps that a pruned network will have after fine-tuning.

SPEAR (Xie et al., arXiv 2507.02945, 2025) uses one line from SynOps after pruning to SynOps
after fine-tuning. `LinearEstimator` is that line. `RidgeEstimator` is ours: it predicts the
logarithm of the ratio from the SynOps after recalibration and from the keep ratios.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from spear_deploy.errors import DataError
from spear_deploy.hardware import Activity
from spear_deploy.search.candidate import Features, Ratios

CONFIDENCE = 0.95


@dataclass(frozen=True)
class LreSample:
    """A network that was really pruned and fine-tuned: features before, mean SynOps after.

    `before` and `after` are its activity on the probe, recalibrated and fine-tuned: from them
    follows whatever else a chip counts, such as energy.
    """

    features: Features
    synops: float
    accuracy: float
    before: Activity
    after: Activity


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

    name: ClassVar[str]
    needs_pruned_synops: ClassVar[bool]

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
    name: ClassVar[str] = "linear"
    needs_pruned_synops: ClassVar[bool] = True

    @classmethod
    def fit(cls, samples: Sequence[LreSample]) -> LinearEstimator:
        """Least squares over the samples.

        Raises:
            DataError: fewer than three samples.

        """
        _need(samples, 3)
        x = np.array([_pruned_synops(sample.features) for sample in samples])
        y = np.array([sample.synops for sample in samples])
        slope, intercept, r = 0.0, float(y.mean()), 0.0
        if np.ptp(x) > 0:  # else the samples say nothing of x, as where pruning silences every network
            line = stats.linregress(x, y)
            slope, intercept, r = float(line.slope), float(line.intercept), float(line.rvalue)
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
        x = _pruned_synops(features)
        value = self.slope * x + self.intercept
        quantile = float(stats.t.ppf(0.5 + CONFIDENCE / 2, max(self.samples - 2, 1)))
        away = (x - self.mean_x) ** 2 / self.spread_x if self.spread_x else 0.0
        half = quantile * self.deviation * np.sqrt(1 + 1 / self.samples + away)
        return Prediction(float(value), float(value - half), float(value + half))


@dataclass(frozen=True)
class RidgeEstimator:
    """log(after / recalibrated) by ridge regression, fitted anew around each network.

    Features: log of the recalibrated SynOps, log keep ratios, and the square of their sum (how
    narrow the network is as a whole, where the ratio bends). Samples count by how near their
    recalibrated SynOps are to the network's: narrow networks are harder to predict, and would
    otherwise blur the prediction, and widen the interval, of wider ones. The ridge weight has
    the smallest leave-one-out error; the interval is Student's t times that error, grown by how
    far the network lies from the samples (its leverage over theirs).
    """

    features: NDArray[np.float64]
    log_ratios: NDArray[np.float64]
    name: ClassVar[str] = "ridge"
    needs_pruned_synops: ClassVar[bool] = False

    @classmethod
    def fit(cls, samples: Sequence[LreSample]) -> RidgeEstimator:
        """Take the samples in.

        Raises:
            DataError: fewer than six samples.

        """
        _need(samples, 6)
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
        return self.predict_from(features.keep_ratios, features.recalibrated_synops)

    def predict_from(self, keep_ratios: Ratios, before: float) -> Prediction:
        """The quantity after fine-tuning, from what it is before."""
        if not before:
            return Prediction(0.0, 0.0, 0.0)
        x = _log_features(keep_ratios, before)
        distance = (self.features[:, 0] - x[0]) / KERNEL_WIDTH
        weights = np.exp(-0.5 * distance**2) + KERNEL_FLOOR
        fit = weighted_ridge(self.features, self.log_ratios, weights)
        log_ratio = fit.predict(x)
        freedom = max(fit.effective_samples - fit.effective_parameters, 2.0)
        quantile = float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom))
        half = quantile * fit.deviation * float(np.sqrt((1 + fit.leverage(x)) / (1 + fit.typical_leverage)))
        value = before * float(np.exp(log_ratio))
        return Prediction(value, value * float(np.exp(-half)), value * float(np.exp(half)))


KERNEL_WIDTH = 1.0
"""Samples whose log SynOps lie this far away count 0.6; chosen by held-out error on the digits."""

KERNEL_FLOOR = 0.02
"""The least that a sample counts."""

RIDGE_WEIGHTS = (1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0, 10.0)


@dataclass(frozen=True)
class WeightedRidge:
    """A fitted weighted ridge regression on standardised features.

    Attributes:
        leave_one_out: the error at each sample of the fit without it.
        deviation: their weighted root mean square.
        inverse: of the normal matrix.
        total_weight: sum of the weights.
        typical_leverage: weighted mean of the samples' own leverages.
        effective_samples: how many samples the weights amount to.
        effective_parameters: trace of the hat matrix.

    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    mean: float
    leave_one_out: NDArray[np.float64]
    deviation: float
    inverse: NDArray[np.float64]
    total_weight: float
    typical_leverage: float
    effective_samples: float
    effective_parameters: float

    def predict(self, x: NDArray[np.float64]) -> float:
        """The regression at x."""
        return float(((x - self.centre) / self.scale) @ self.coefficients) + self.mean

    def leverage(self, x: NDArray[np.float64]) -> float:
        """How uncertain the regression is at x, in units of the noise variance."""
        z = (x - self.centre) / self.scale
        return float(z @ self.inverse @ z) + 1 / self.total_weight


def weighted_ridge(x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]) -> WeightedRidge:
    """Fit y on x; the ridge weight is the one of `RIDGE_WEIGHTS` with the smallest leave-one-out error."""
    w = weights / weights.mean()
    centre = np.average(x, axis=0, weights=w)
    scale = np.sqrt(np.average((x - centre) ** 2, axis=0, weights=w))
    scale[scale == 0] = 1.0
    z, mean = (x - centre) / scale, float(np.average(y, weights=w))
    fits = []
    for weight in RIDGE_WEIGHTS:
        inverse = np.linalg.inv((z.T * w) @ z + weight * np.eye(z.shape[1]))
        coefficients = inverse @ (z.T * w) @ (y - mean)
        leverages = np.einsum("ij,jk,ik->i", z, inverse, z) + 1 / w.sum()
        errors = (y - mean - z @ coefficients) / np.maximum(1 - w * leverages, 0.05)
        fits.append((float(np.average(errors**2, weights=w)), coefficients, errors, inverse, leverages))
    square, coefficients, errors, inverse, leverages = min(fits, key=lambda fit: fit[0])
    return WeightedRidge(
        centre=centre,
        scale=scale,
        coefficients=coefficients,
        mean=mean,
        leave_one_out=errors,
        deviation=float(np.sqrt(square)),
        inverse=inverse,
        total_weight=float(w.sum()),
        typical_leverage=float(np.average(leverages, weights=w)),
        effective_samples=float(w.sum() ** 2 / (w**2).sum()),
        effective_parameters=float((w * leverages).sum()),
    )


def _log_features(keep_ratios: Ratios, before: float) -> NDArray[np.float64]:
    ratios = np.log(keep_ratios)
    return np.concatenate([[np.log(before)], ratios, [ratios.sum() ** 2]])


def _pruned_synops(features: Features) -> float:
    if features.pruned_synops is None:
        raise ValueError("the linear estimator needs SynOps measured right after pruning")
    return features.pruned_synops


def _need(samples: Sequence[LreSample], count: int) -> None:
    if len(samples) < count:
        raise DataError(f"an estimator needs at least {count} samples of pruned networks, found {len(samples)}")
