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
    fewest_samples: ClassVar[int]
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

KINDS = (LinearEstimator, PerLayerEstimator, ConstantEstimator, LogLineEstimator, RidgeEstimator)
"""Every kind of estimator, SPEAR's first."""

ESTIMATORS: Mapping[str, Fit] = MappingProxyType({kind.name: kind.fit for kind in KINDS})
"""Every estimator by its name."""


def judgeable(samples: Sequence[LreSample]) -> dict[str, Fit]:
    """Those of `ESTIMATORS` that can still be fitted when one of the samples is left out."""
    return {kind.name: kind.fit for kind in KINDS if len(samples) > kind.fewest_samples}
