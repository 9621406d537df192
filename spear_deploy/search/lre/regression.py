"""Weighted ridge regression with exact leave-one-out errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
        freedom: share of what the samples amount to that is left for the errors.

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
    freedom: float

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
        freedom=1 - float((w * leverages).sum() * (w**2).sum() / w.sum() ** 2),
    )
