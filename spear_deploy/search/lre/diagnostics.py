"""How far an estimator can be trusted: its errors at samples it did not see, and where it never saw any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spear_deploy.search.candidate import CandidateFactory, Features
from spear_deploy.search.lre.estimator import Fit
from spear_deploy.search.lre.prediction import Prediction
from spear_deploy.search.lre.sample import LreSample

MARGIN = 1.1
"""A network may lie by this factor outside of what was sampled before it counts as extrapolated."""

BISECTIONS = 7
LEAST_RATIO = 0.02


@dataclass(frozen=True)
class LeaveOneOut:
    """Each sample as it is predicted by a fit on all others.

    Attributes:
        predictions: in the order of the samples.
        mean_error: mean absolute relative error.
        worst_error: the largest.
        coverage: share of samples that their intervals hold.
        r2: share of the variance of SynOps that the predictions explain; None where they do not vary.

    """

    predictions: tuple[Prediction, ...]
    mean_error: float
    worst_error: float
    coverage: float
    r2: float | None


def leave_one_out(fit: Fit, samples: Sequence[LreSample]) -> LeaveOneOut:
    """Judge an estimator by fitting it anew without each sample.

    Raises:
        DataError: the others are too few for the estimator.

    """
    predictions = []
    for left_out, sample in enumerate(samples):
        others = [*samples[:left_out], *samples[left_out + 1 :]]
        predictions.append(fit(others).predict(sample.features))
    measured = np.array([sample.synops for sample in samples])
    errors = np.array([prediction.value for prediction in predictions]) - measured
    inside = [each.low <= synops <= each.high for each, synops in zip(predictions, measured, strict=True)]
    variance = float(((measured - measured.mean()) ** 2).sum())
    return LeaveOneOut(
        predictions=tuple(predictions),
        mean_error=float(np.abs(errors / measured).mean()),
        worst_error=float(np.abs(errors / measured).max()),
        coverage=float(np.mean(inside)),
        r2=1 - float((errors**2).sum()) / variance if variance else None,
    )


def extrapolates(samples: Sequence[LreSample], features: Features, groups: Sequence[str] = ()) -> str:
    """Says in what a network lies outside of what was sampled; empty where it does not.

    `groups` names the keep ratios, in order.
    """
    names = list(groups) or [f"group {number}" for number in range(1, len(features.keep_ratios) + 1)]
    ratios = np.array([sample.features.keep_ratios for sample in samples])
    known = [sample.features.recalibrated_synops for sample in samples]
    faults = [
        f"{name} keeps {ratio:.0%} of its channels, sampled were {low:.0%} to {high:.0%}"
        for name, ratio, low, high in zip(names, features.keep_ratios, ratios.min(0), ratios.max(0), strict=True)
        if not low / MARGIN <= ratio <= high * MARGIN
    ]
    found = features.recalibrated_synops
    if not min(known) / MARGIN <= found <= max(known) * MARGIN:
        faults.append(f"{found:,.0f} SynOps after recalibration, sampled were {min(known):,.0f} to {max(known):,.0f}")
    return "; ".join(faults)


def uniform_near(factory: CandidateFactory, synops: float) -> Features:
    """The uniformly pruned network with about that many SynOps after recalibration."""
    low, high = LEAST_RATIO, 1.0
    for _ in range(BISECTIONS):
        ratio = (low + high) / 2
        features = factory.features(np.full(len(factory.groups), ratio))
        low, high = (ratio, high) if features.recalibrated_synops < synops else (low, ratio)
    return features
