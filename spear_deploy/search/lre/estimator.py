"""What an estimator is, and which there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Protocol

from spear_deploy.search.candidate import Features, Ratios
from spear_deploy.search.lre.linear import LinearEstimator
from spear_deploy.search.lre.per_layer import PerLayerEstimator
from spear_deploy.search.lre.prediction import Prediction
from spear_deploy.search.lre.ratio import ConstantEstimator, LogLineEstimator
from spear_deploy.search.lre.ridge import RidgeEstimator
from spear_deploy.search.lre.sample import LreSample


class Estimator(Protocol):
    """Predicts SynOps after fine-tuning."""

    name: ClassVar[str]
    needs_pruned_synops: ClassVar[bool]

    def predict(self, features: Features) -> Prediction:
        """The SynOps that a network with these features will have after fine-tuning."""
        ...


class RatioEstimator(Protocol):
    """Predicts a positive quantity after fine-tuning from what it is before."""

    def predict_from(self, keep_ratios: Ratios, before: float) -> Prediction:
        """The quantity after fine-tuning."""
        ...


Fit = Callable[[Sequence[LreSample]], Estimator]
"""From samples to an estimator; a DataError where they are too few."""

ESTIMATORS: Mapping[str, Fit] = MappingProxyType(
    {
        LinearEstimator.name: LinearEstimator.fit,
        PerLayerEstimator.name: PerLayerEstimator.fit,
        ConstantEstimator.name: ConstantEstimator.fit,
        LogLineEstimator.name: LogLineEstimator.fit,
        RidgeEstimator.name: RidgeEstimator.fit,
    }
)
"""Every estimator by its name, SPEAR's first."""
