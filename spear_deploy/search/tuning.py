"""From keep ratios to a trained network: fine-tuned plain, then drawn to the budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np

from spear_deploy.data import EncodedSplit, drawn
from spear_deploy.hardware import Use
from spear_deploy.measure import Measurement, Scoring
from spear_deploy.network import Model
from spear_deploy.network.fingerprint import fingerprint
from spear_deploy.search.bounds import RISK, prediction_bound
from spear_deploy.search.candidate import CandidateFactory, Features, Ratios
from spear_deploy.search.lre import Estimator, Prediction
from spear_deploy.search.plan import TuningPlan
from spear_deploy.system.journal import NOTHING, Journal
from spear_deploy.training import (
    QUANTITIES,
    SYNOPS,
    EarlyStop,
    Quantiser,
    Recipe,
    SynopsConstraint,
    Teacher,
    fine_tune,
    on_batches,
)

BOUND_AIM = 0.985
"""The second phase aims at this share of the budget, by the upper bound."""

MOST_HELD = 2.0
"""How many times what it may cause in the end a network's own activity may cause for a constraint to bring it there."""

LEFT_ALONE = 0.7
"""A network that uses less than this share of every limit after the first phase is not held in the second."""

PROBE_SAMPLES = 1024
"""Training samples on which a network's SynOps are compared with those that count."""


class Evaluator(Protocol):
    """What a network is held against: measurements on the validation split, in the arithmetic that counts."""

    @property
    def budget_synops(self) -> float:
        """SynOps per inference that are allowed, in that arithmetic."""
        ...

    @property
    def samples_ahead(self) -> int:
        """How many samples the split has that the network will be judged on."""
        ...

    @property
    def validation(self) -> EncodedSplit:
        """The split that choices are made on."""
        ...

    def measure(self, model: Model) -> Measurement:
        """A model on the validation split, in that arithmetic."""
        ...

    def quantiser(self, model: Model) -> Quantiser | None:
        """What rounds a model as that arithmetic does while it is fine-tuned; None where nothing does."""
        ...

    def uses(self, model: Model, measured: Measurement) -> tuple[Use, ...]:
        """What a model was measured to use of the limits on activity beside SynOps."""
        ...


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned network, and what was measured of it where it counts.

    Attributes:
        model: the network.
        validation: on the validation split, in the arithmetic that counts.
        synops_bound: upper bound of the mean SynOps that the split ahead will show.
        uses: of the limits on activity beside SynOps.
        whole: whether it went through all rounds that it wanted; False where the user wished to end before.

    """

    model: Model
    validation: Measurement
    synops_bound: float
    uses: tuple[Use, ...] = ()
    whole: bool = True

    def share(self, budget_synops: float) -> float:
        """The largest share of any limit that is used, SynOps by their bound."""
        return max(self.synops_bound / budget_synops, *(use.share for use in self.uses), 0.0)


@dataclass(frozen=True)
class Finalist:
    """A candidate that was fine-tuned.

    Attributes:
        ratios: its keep ratios; in a closing step fewer than those of `features`.
        features: before the fine-tune.
        prediction: of the SynOps after the first phase.
        plain: after the first phase.
        final: after the second, or a closing step; None for a finalist that did not get so far.
        instead: what it was before a fine-tune that is undone, as that surely made it worse; None where none is.

    """

    ratios: Ratios
    features: Features
    prediction: Prediction
    plain: Tuned
    final: Tuned | None = None
    instead: Tuned | None = None

    @property
    def keeps_channels(self) -> bool:
        """Whether it has the channels that it was predicted and plainly fine-tuned with; closing steps take some."""
        return np.array_equal(self.ratios, self.features.keep_ratios)

    @property
    def result(self) -> Tuned:
        """The network after the last phase that it went through and that is not undone."""
        return self.instead or self.final or self.plain

    def summary(self, scoring: Scoring) -> str:
        """For someone who watches."""
        measured = self.result.validation
        return f"{scoring.name} {scoring.text(measured.accuracy)}, {measured.synops:,.0f} SynOps"


def never() -> bool:
    """Nobody wishes to end early; by name, as another process can be given it."""
    return False


@dataclass(frozen=True)
class Tuner:
    """What fine-tunes networks that were pruned from one dense model, for one evaluator.

    Attributes:
        factory: of the dense model, with its training data.
        evaluator: measures networks in the arithmetic that counts.
        plan: of the fine-tunes.
        seed: of the fine-tunes.
        notice: told what a user should hear of them.
        journal: keeps what is finished; its scope says which evaluator and plan it is.
        stopped: whether to end with what there is; asked after each fine-tune, and between the rounds of one.

    """

    factory: CandidateFactory
    evaluator: Evaluator
    plan: TuningPlan
    seed: int
    notice: Callable[[str], None] = lambda text: None
    journal: Journal = NOTHING
    stopped: Callable[[], bool] = never

    def measured(self, model: Model, risk: float = RISK) -> Tuned:
        """See `measured_on`."""
        return measured_on(self.evaluator, model, risk, self.journal)

    def at_risk(self, tuned: Tuned, risk: float) -> Tuned:
        """A network that is measured, with the bound of another risk."""
        return replace(tuned, synops_bound=_bound(self.evaluator, tuned.validation, risk))


def tune_plain(tuner: Tuner, ratios: Ratios, estimator: Estimator) -> Finalist:
    """The first phase of a candidate, and what an estimator expects of it."""
    return foreseen(plain_phase(tuner, ratios), estimator)


def plain_phase(tuner: Tuner, ratios: Ratios) -> tuple[Features, Tuned]:
    """Prune, recalibrate and fine-tune as LRE's samples were, and measure it where it counts."""
    candidate = tuner.factory.candidate(ratios, measure_pruned=True)
    model = fine_tune(
        candidate.model,
        tuner.factory.train,
        tuner.plan.plain,
        seed=tuner.seed,
        notice=tuner.notice,
        journal=tuner.journal,
    )
    return candidate.features, tuner.measured(model)


def foreseen(phase: tuple[Features, Tuned], estimator: Estimator) -> Finalist:
    """A finalist after its first phase, with what an estimator expects of it."""
    features, plain = phase
    return Finalist(features.keep_ratios, features, estimator.predict(features), plain)


def constraint_for(tuner: Tuner, tuned: Tuned) -> SynopsConstraint | None:
    """The constraint that brings a network to its limits, or holds it there; none where none can.

    One that keeps them anyway is held from above alone, so that it does not drift over them; far below all of them it
    is left alone.
    """
    used = tuned.share(tuner.evaluator.budget_synops)
    if not tuner.plan.constrained or used < LEFT_ALONE or not can_be_held(tuner, tuned):
        return None
    targets = targets_for(tuner, tuned)
    return SynopsConstraint(targets, tuner.plan.ascent, fills=fills(tuner, tuned, BOUND_AIM)) if targets else None


def fills(tuner: Tuner, tuned: Tuned, least: float = 0.0) -> bool:
    """Whether mean SynOps, or what follows from them, use most of a limit, and no less than this share of it.

    Then they are met from below too. Below a tighter limit on a tail there is nothing that they have to fill.
    """
    used = max(tuned.synops_bound / tuner.evaluator.budget_synops, *(use.share for use in _steady(tuned)), 0.0)
    return used > least and used >= max((use.share for use in tuned.uses), default=0.0)


def can_be_held(tuner: Tuner, tuned: Tuned) -> bool:
    """Whether what no fine-tune changes of a network's use leaves enough room below each limit for the rest.

    Where it does not, a constraint would all but silence the neurons: channels have to go.
    """
    keeps = tuned.share(tuner.evaluator.budget_synops) <= 1
    return keeps or spikes_allowed(tuner, tuned, tuned.uses) >= 1 / MOST_HELD


def may_be_held(use: Use) -> bool:
    """Whether a network would have to give up no more than a constraint takes of its spikes to keep a limit."""
    return use.spikes_for(BOUND_AIM) >= 1 / MOST_HELD


def least_budget(tuner: Tuner, tuned: Tuned) -> float:
    """The smallest budget of mean SynOps that a constraint would bring a network to."""
    fixed = tuner.factory.fixed_share(tuned.model)
    return tuned.synops_bound * (fixed + (1 - fixed) / MOST_HELD) / BOUND_AIM


def spikes_allowed(tuner: Tuner, tuned: Tuned, uses: Sequence[Use], aim: float = BOUND_AIM) -> float:
    """How many times its spikes a network may send to use `aim` of the tightest of mean SynOps and these limits.

    Infinite of a silent one.
    """
    used = tuned.synops_bound / tuner.evaluator.budget_synops
    changing = used * (1 - tuner.factory.fixed_share(tuned.model))
    of_synops = max((aim - (used - changing)) / changing, 0.0) if changing else math.inf if used <= aim else 0.0
    return min(of_synops, *(use.spikes_for(aim) for use in uses), math.inf)


def targets_for(tuner: Tuner, tuned: Tuned, aim: float = BOUND_AIM) -> dict[str, float]:
    """What a constraint should hold a network at, by what it was measured to use of its limits.

    A constraint sees training samples in floating point. So the target of mean SynOps is what the network uses there,
    with as many times the spikes as bring the largest share of a limit that it uses where it counts to `aim`: the
    chip's arithmetic, the validation split, the bound and limits on energy or time are all in it. A limit on a
    tail has a target of its own beside it, in what batches show of it. Of a silent network there is nothing to hold.
    """
    factory = tuner.factory
    seen = factory.measure(tuned.model, drawn(factory.train, PROBE_SAMPLES))
    tails = {use.limit.quantity.key: use.share for use in tuned.uses if use.limit.quantity.key in QUANTITIES}
    own = {
        name: on_batches(name, seen.per_sample, seen.peak_step_synops, tuner.plan.final.batch) * aim / share
        for name, share in tails.items()
        if share
    }
    fixed = factory.fixed_share(tuned.model)
    spikes = max(spikes_allowed(tuner, tuned, _steady(tuned), aim), 1 / MOST_HELD)
    targets = {SYNOPS: seen.synops * (fixed + (1 - fixed) * spikes), **own}
    return {name: target for name, target in targets.items() if 0 < target < math.inf}


def _steady(tuned: Tuned) -> list[Use]:
    """The uses of limits that a constraint holds by mean SynOps; a tail has a target of its own."""
    return [use for use in tuned.uses if use.limit.quantity.key not in QUANTITIES]


def led_in(tuner: Tuner, plain: Tuned) -> Tuned:
    """Where the second phase starts: where the first one ended, or after a round held to no limit, see `TuningPlan`."""
    one_round = partial(_one_round, tuner, None, RISK)
    model = tuner.plan.led_in(plain.model, tuner.factory.train, one_round, tuner.notice)
    return plain if model is plain.model else tuner.measured(model)


def tune_final(tuner: Tuner, start: Tuned, constraint: SynopsConstraint | None, risk: float = RISK) -> Tuned:
    """The second phase of a network from where it starts; `risk` is that of its bound."""
    one_round = partial(_one_round, tuner, constraint, risk)
    model, whole = tuner.plan.in_rounds(start.model, tuner.factory.train, one_round, tuner.notice, tuner.stopped)
    return replace(tuner.measured(model, risk), whole=whole)


def _one_round(tuner: Tuner, constraint: SynopsConstraint | None, risk: float, model: Model, recipe: Recipe) -> Model:
    factory, evaluator, plan = tuner.factory, tuner.evaluator, tuner.plan
    return fine_tune(
        model,
        factory.train,
        recipe,
        seed=tuner.seed,
        constraint=constraint,
        steer=lambda tuned: targets_for(tuner, tuner.measured(tuned, risk)),
        teacher=Teacher(factory.dense_outputs, plan.distillation) if plan.distillation else None,
        quantiser=evaluator.quantiser(model),
        stop=None if plan.patience is None else EarlyStop(evaluator.validation, plan.patience),
        notice=tuner.notice,
        journal=tuner.journal.within(risk),
    )


def measured_on(evaluator: Evaluator, model: Model, risk: float = RISK, journal: Journal = NOTHING) -> Tuned:
    """A network with what it was measured to use; `risk` is that of its bound."""
    measured = journal.remember(
        Measurement, "measurement", "validation", fingerprint(model), make=lambda: evaluator.measure(model)
    )
    return Tuned(model, measured, _bound(evaluator, measured, risk), evaluator.uses(model, measured))


def _bound(evaluator: Evaluator, measured: Measurement, risk: float) -> float:
    return prediction_bound(measured.per_sample.numpy(), evaluator.samples_ahead, risk)
