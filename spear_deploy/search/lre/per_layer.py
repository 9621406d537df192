"""A line for each layer, summed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spear_deploy.search.candidate import Features
from spear_deploy.search.lre.prediction import Prediction, t_quantile
from spear_deploy.search.lre.sample import LreSample, need

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PerLayerEstimator:
    """SPEAR's line, drawn for each layer of its own: SynOps after = sum of the lines.

    A prediction of layer l is h_l . y_l, with h_l the least-squares weights of the samples.
    With S the covariance of the lines' residuals, the variance of the sum for one new network
    is the sum over pairs of layers of S_lm (1 + h_l . h_m): residuals of layers go together.

    Attributes:
        layers: names, `[L]`.
        before: SynOps right after pruning, `[L, N]`.
        after: SynOps after fine-tuning, `[L, N]`.

    """

    layers: tuple[str, ...]
    before: Array
    after: Array
    name: ClassVar[str] = "per-layer"
    fewest_samples: ClassVar[int] = 3
    needs_pruned_synops: ClassVar[bool] = True

    @classmethod
    def fit(cls, samples: Sequence[LreSample]) -> PerLayerEstimator:
        """Take the samples in.

        Raises:
            DataError: fewer than three samples.

        """
        need(samples, cls.fewest_samples)
        layers = tuple(samples[0].synops_by_layer)
        before = np.array([_pruned(layers, sample.features) for sample in samples]).T
        after = np.array([[sample.synops_by_layer[layer] for layer in layers] for sample in samples]).T
        return cls(layers, before, after)

    def predict(self, features: Features) -> Prediction:
        """The sum of the lines, with the interval for one new network."""
        weights, residuals = [], []
        for line, after, x in zip(self.before, self.after, _pruned(self.layers, features), strict=True):
            design = _design(line)
            inverse = np.linalg.pinv(design)
            weights.append(np.array([1.0, x - line.mean()])[: design.shape[1]] @ inverse)
            residuals.append(after - design @ (inverse @ after))
        h, left = np.array(weights), np.array(residuals)
        freedom = max(self.before.shape[1] - 2, 1)
        covariance = left @ left.T / freedom
        variance = float((covariance * (1 + h @ h.T)).sum())
        value = float((h * self.after).sum())
        half = t_quantile(freedom) * float(np.sqrt(max(variance, 0.0)))
        return Prediction(value, value - half, value + half).capped(features.most_synops)


def _design(before: Array) -> Array:
    """Intercept and slope, `[N, 2]`; the intercept alone where the samples do not differ, `[N, 1]`."""
    columns = [np.ones_like(before)] + ([before - before.mean()] if np.ptp(before) > 0 else [])
    return np.column_stack(columns)


def _pruned(layers: Sequence[str], features: Features) -> Array:
    if not features.pruned_by_layer:
        raise ValueError("the per-layer estimator needs SynOps by layer measured right after pruning")
    return np.array([features.pruned_by_layer[layer] for layer in layers])
