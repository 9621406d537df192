"""From the search's best candidates to one network that keeps the budget where it is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from spear_deploy.measure import Measurement
from spear_deploy.network import Model
from spear_deploy.search.candidate import Features, Ratios
from spear_deploy.search.lre import Prediction
from spear_deploy.search.problem import SearchProblem
from spear_deploy.search.reward import LimitUse
from spear_deploy.training import Recipe, fine_tune

REPAIR_CONFIDENCE = 0.99
"""The budget is held against this one-sided upper bound of the mean on the validation split."""

MOST_REPAIRS = 3
REPAIR_AIM = 0.97
"""A repair aims at this share of the budget."""


MeasureOnTarget = Callable[[Model], Measurement]
"""Measures a model on the validation split, in the arithmetic of the target."""

UsesOnTarget = Callable[[Model, Measurement], tuple[LimitUse, ...]]
"""What a model was measured to use of the limits on activity beside SynOps."""


@dataclass(frozen=True)
class Finalist:
    """A candidate after its fine-tune, measured on the validation split in the target's arithmetic."""

    ratios: Ratios
    model: Model
    features: Features
    prediction: Prediction
    validation: Measurement
    uses: tuple[LimitUse, ...] = ()

    @property
    def synops_bound(self) -> float:
        """Upper 99 % confidence bound of the mean SynOps per inference."""
        return upper_bound(self.validation)

    def share(self, budget_synops: float) -> float:
        """The largest share of any limit that is used, SynOps by their bound."""
        return max(self.synops_bound / budget_synops, *(use.share for use in self.uses), 0.0)


def upper_bound(measurement: Measurement) -> float:
    """Upper confidence bound of the mean SynOps, from the spread between samples."""
    each = measurement.per_sample.numpy()
    error = float(each.std(ddof=1)) / np.sqrt(len(each)) if len(each) > 1 else 0.0
    return measurement.synops + float(stats.norm.ppf(REPAIR_CONFIDENCE)) * error


def tune(
    problem: SearchProblem, ratios: Ratios, recipe: Recipe, seed: int, measure: MeasureOnTarget, uses: UsesOnTarget
) -> Finalist:
    """Prune, recalibrate and fine-tune as LRE's samples were, and measure on validation."""
    factory = problem.factory
    candidate = factory.candidate(ratios, measure_pruned=True)
    prediction = problem.estimator.predict(candidate.features)
    model = fine_tune(candidate.model, factory.train, recipe, seed=seed)
    measured = measure(model)
    return Finalist(
        candidate.features.keep_ratios, model, candidate.features, prediction, measured, uses(model, measured)
    )


def choose(
    problem: SearchProblem,
    recipe: Recipe,
    seed: int,
    count: int,
    measure: MeasureOnTarget,
    uses: UsesOnTarget,
    budget_synops: float,
    on_tuned: Callable[[Finalist], None],
) -> tuple[Finalist, int]:
    """Fine-tune the best few candidates and the uniform one; choose on validation, repair if need be.

    `measure` measures a model on the validation split in the target's arithmetic, in which
    `budget_synops` are given; `uses` tells what it uses of limits on energy and the like.

    Returns:
        The most accurate finalist whose SynOps keep the budget with confidence, and the number
        of repairs: while none does, the most frugal one is narrowed by what it overshot, at
        most three times.

    """
    uniform = problem.evaluate(np.ones(problem.dimensions))
    chosen = [evaluation.ratios for evaluation in problem.best(count)]
    if not any(np.array_equal(ratios, uniform.ratios) for ratios in chosen):
        chosen.append(uniform.ratios)
    finalists = []
    for ratios in chosen:
        finalists.append(tune(problem, ratios, recipe, seed, measure, uses))
        on_tuned(finalists[-1])
    repairs = 0
    while not (keeping := [one for one in finalists if one.share(budget_synops) <= 1]):
        frugal = min(finalists, key=lambda one: one.share(budget_synops))
        narrowed = _narrower(problem, frugal, budget_synops)
        if repairs == MOST_REPAIRS or np.array_equal(narrowed, frugal.ratios):
            return frugal, repairs
        repairs += 1
        finalists.append(tune(problem, narrowed, recipe, seed, measure, uses))
        on_tuned(finalists[-1])
    best = max(keeping, key=lambda one: (one.validation.accuracy, -one.validation.synops))
    return best, repairs


def _narrower(problem: SearchProblem, finalist: Finalist, budget_synops: float) -> Ratios:
    """Ratios scaled by what was overshot: SynOps grow about with their square."""
    factor = float(np.sqrt(REPAIR_AIM / finalist.share(budget_synops)))
    ratios = problem.factory.executed(np.clip(finalist.ratios * factor, 0.0, 1.0))
    if not np.array_equal(ratios, finalist.ratios):
        return ratios
    widest = int(np.argmax(finalist.ratios * [group.size for group in problem.factory.groups]))
    step = np.zeros_like(ratios)
    step[widest] = 1 / problem.factory.groups[widest].size
    return problem.factory.executed(np.clip(ratios - step, 0.0, 1.0))
