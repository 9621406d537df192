"""Which estimator a run uses, and whether it is sure enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from spear_deploy.search.candidate import CandidateFactory, Features
from spear_deploy.search.lre.diagnostics import leave_one_out, uniform_near
from spear_deploy.search.lre.estimator import ESTIMATORS, RatioEstimator
from spear_deploy.search.lre.ratio import ConstantEstimator, LogLineEstimator
from spear_deploy.search.lre.ridge import RidgeEstimator
from spear_deploy.search.lre.sample import LreSample

CANDIDATES = (ConstantEstimator, LogLineEstimator, RidgeEstimator)
"""What is chosen among, the simplest first: each predicts from SynOps after recalibration."""

BETTER = 0.9
"""A less simple estimator is chosen where its error is below this share of the simpler one's."""

SURE = 0.35
"""Half the interval over the prediction at the budget, up to which a search may trust it."""


@dataclass(frozen=True)
class Chosen:
    """The estimator of a run, and why."""

    name: str
    reason: str


def chosen_estimator(samples: Sequence[LreSample]) -> Chosen:
    """The simplest estimator that no other beats clearly on samples left out of its fit."""
    errors = {
        each.name: leave_one_out(each.fit, samples).mean_error
        for each in CANDIDATES
        if len(samples) > each.fewest_samples
    }
    if not errors:
        return Chosen(ConstantEstimator.name, f"{len(samples)} samples allow no other")
    best = _simplest(errors)
    told = ", ".join(f"{name} {error:.1%}" for name, error in errors.items())
    return Chosen(best, f"mean error at samples left out of the fit: {told}")


def ratio_estimator(samples: Sequence[LreSample], before: Sequence[float], after: Sequence[float]) -> RatioEstimator:
    """The same choice for any positive quantity that was known before and after fine-tuning."""
    errors: dict[str, float] = {}
    fits: Mapping[str, Callable[..., RatioEstimator]] = MappingProxyType(
        {each.name: each.between for each in CANDIDATES if len(samples) > each.fewest_samples}
    )
    for name, between in fits.items():
        found = []
        for place, sample in enumerate(samples):
            rest = [number for number in range(len(samples)) if number != place]
            fit = between(
                [samples[number] for number in rest],
                [before[number] for number in rest],
                [after[number] for number in rest],
            )
            predicted = fit.predict_from(sample.features.keep_ratios, before[place]).value
            found.append(abs(predicted / after[place] - 1))
        errors[name] = float(np.mean(found))
    best = _simplest(errors) if errors else ConstantEstimator.name
    return fits.get(best, ConstantEstimator.between)(samples, before, after)


def _simplest(errors: Mapping[str, float]) -> str:
    """The first that no later one beats clearly."""
    best = next(iter(errors))
    for name, error in errors.items():
        if error < BETTER * errors[best]:
            best = name
    return best


def sure_enough(
    factory: CandidateFactory, budgets_synops: Sequence[float], error: float = SURE
) -> Callable[[Sequence[LreSample]], bool]:
    """Tells when samples predict uniformly pruned networks near each budget within `error`.

    `error` is half the width of the 95 % interval over the prediction. Which networks those are
    follows from the dense model alone: so the answer depends on nothing but the samples.
    """
    probes: list[Features] = []

    def enough(samples: Sequence[LreSample]) -> bool:
        if len(samples) <= ConstantEstimator.fewest_samples:
            return False
        if not probes:
            probes.extend(uniform_near(factory, budget) for budget in budgets_synops)
        estimator = ESTIMATORS[chosen_estimator(samples).name](samples)
        return all(estimator.predict(features).half_width <= error for features in probes)

    return enough
