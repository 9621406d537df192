"""From keep ratios to a trained network: fine-tuned plain, then drawn to the budget."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from scipy import stats

from spear_deploy.hardware import Use
from spear_deploy.measure import Measurement
from spear_deploy.network import Model
from spear_deploy.search.candidate import Features, Ratios
from spear_deploy.search.lre import Prediction
from spear_deploy.search.problem import SearchProblem
from spear_deploy.training import EarlyStop, Quantiser, Recipe, SynopsPenalty, fine_tune

REPAIR_CONFIDENCE = 0.99
"""The budget is held against this one-sided upper bound of the mean on the validation split."""

BOUND_AIM = 0.985
"""The second phase aims at this share of the budget, by the upper bound."""

PROBE_SAMPLES = 1024
"""Training samples on which a network's SynOps are compared with those on its target."""


@dataclass(frozen=True)
class TuningPlan:
    """How a candidate is fine-tuned.

    Attributes:
        plain: the first phase, exactly as LRE's samples are fine-tuned.
        final: the second phase.
        fewest_steps: of the optimiser in the second phase; small data gets more epochs for them.
        patience: epochs without a lower loss on validation after which the second phase ends;
            None: it goes through all.
        penalty_weight: of the SynOps penalty in the second phase; 0 leaves it plain.
        prune_multiple: the search's SynOps limit, as a multiple of the budget, while there is
            a penalty: what pruning leaves above the budget, the penalty takes away.

    """

    plain: Recipe = field(default=Recipe(epochs=4, batch=64, learning_rate=5e-3))
    final: Recipe = field(default=Recipe(epochs=20, batch=64, learning_rate=5e-3))
    fewest_steps: int = 0
    patience: int | None = None
    penalty_weight: float = SynopsPenalty.weight
    prune_multiple: float = 1.4

    def final_for(self, samples: int) -> Recipe:
        """The second phase on so many training samples."""
        steps_per_epoch = -(-samples // self.final.batch)
        return replace(self.final, epochs=max(self.final.epochs, -(-self.fewest_steps // steps_per_epoch)))

    @property
    def search_multiple(self) -> float:
        """What the search may use, as a multiple of the budget."""
        return self.prune_multiple if self.penalty_weight else 1.0


class Target(Protocol):
    """What a network is held against: measurements on the validation split, on one chip."""

    @property
    def budget_synops(self) -> float:
        """SynOps per inference that are allowed, in the chip's arithmetic."""
        ...

    def measure(self, model: Model) -> Measurement:
        """A model on the validation split, in the chip's arithmetic."""
        ...

    def quantiser(self, model: Model) -> Quantiser | None:
        """What rounds a model as the chip does while it is fine-tuned; None where nothing does."""
        ...

    def uses(self, model: Model, measured: Measurement) -> tuple[Use, ...]:
        """What a model was measured to use of the limits on activity beside SynOps."""
        ...


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned network, and what was measured of it on its target."""

    model: Model
    validation: Measurement
    uses: tuple[Use, ...] = ()

    @property
    def synops_bound(self) -> float:
        """Upper 99 % confidence bound of the mean SynOps per inference."""
        return upper_bound(self.validation)

    def share(self, budget_synops: float) -> float:
        """The largest share of any limit that is used, SynOps by their bound."""
        return max(self.synops_bound / budget_synops, *(use.share for use in self.uses), 0.0)


@dataclass(frozen=True)
class Finalist:
    """A candidate that was fine-tuned.

    Attributes:
        ratios: its keep ratios.
        features: before the fine-tune.
        prediction: of the SynOps after the first phase.
        plain: after the first phase.
        final: after the second; None for a finalist that did not get so far.

    """

    ratios: Ratios
    features: Features
    prediction: Prediction
    plain: Tuned
    final: Tuned | None = None

    @property
    def result(self) -> Tuned:
        """The network after the last phase that it went through."""
        return self.final or self.plain

    @property
    def summary(self) -> str:
        """For someone who watches."""
        measured = self.result.validation
        return f"{measured.accuracy:.1%}, {measured.synops:,.0f} SynOps"


def upper_bound(measurement: Measurement) -> float:
    """Upper confidence bound of the mean SynOps, from the spread between samples."""
    each = measurement.per_sample.numpy()
    error = float(each.std(ddof=1)) / np.sqrt(len(each)) if len(each) > 1 else 0.0
    return measurement.synops + float(stats.norm.ppf(REPAIR_CONFIDENCE)) * error


def tune_plain(problem: SearchProblem, ratios: Ratios, plan: TuningPlan, seed: int, target: Target) -> Finalist:
    """Prune, recalibrate and fine-tune as LRE's samples were, and measure on the target."""
    candidate = problem.factory.candidate(ratios, measure_pruned=True)
    prediction = problem.estimator.predict(candidate.features)
    model = fine_tune(candidate.model, problem.factory.train, plan.plain, seed=seed)
    return Finalist(candidate.features.keep_ratios, candidate.features, prediction, _measured(model, target))


def penalty_for(problem: SearchProblem, tuned: Tuned, plan: TuningPlan, target: Target) -> SynopsPenalty | None:
    """The penalty that brings a network to its budget; none where it already keeps the budget.

    The penalty sees SynOps of training samples in floating point. Its target is the budget times
    what those were over the upper bound on the target, for this network before the phase.
    """
    if not plan.penalty_weight or tuned.synops_bound <= BOUND_AIM * target.budget_synops:
        return None
    factory = problem.factory
    seen = factory.measure(tuned.model, factory.train.take(slice(0, PROBE_SAMPLES))).synops
    return SynopsPenalty(BOUND_AIM * target.budget_synops * seen / tuned.synops_bound, plan.penalty_weight)


def tune_final(
    problem: SearchProblem,
    finalist: Finalist,
    plan: TuningPlan,
    seed: int,
    target: Target,
    penalty: SynopsPenalty | None,
) -> Tuned:
    """The second phase of a finalist, from where the first one ended."""
    plain, train = finalist.plain.model, problem.factory.train
    model = fine_tune(
        plain,
        train,
        plan.final_for(len(train)),
        seed=seed,
        penalty=penalty,
        quantiser=target.quantiser(plain),
        stop=None if plan.patience is None else EarlyStop(problem.validation, plan.patience),
    )
    return _measured(model, target)


def _measured(model: Model, target: Target) -> Tuned:
    measured = target.measure(model)
    return Tuned(model, measured, target.uses(model, measured))
