"""The closing step: of a network that breaks a limit the least valuable activity goes, until it keeps all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from spear_deploy.data import EncodedSplit
from spear_deploy.network import Model, Simulation
from spear_deploy.search.bounds import closing_risk
from spear_deploy.search.candidate import Candidate, CandidateFactory
from spear_deploy.search.tuning import BOUND_AIM, Tuned, Tuner, can_be_held, fills, targets_for
from spear_deploy.training import Recipe, SynopsConstraint, TaskLoss, fine_tune, quieted

CONTINUED = 2
"""Further fine-tunes under the constraint that are tried first: they cost the least accuracy."""

QUIETED = 2
"""Times in a row that weights are scaled down before channels go."""

MOST_QUIETED = 1.1
"""A network further above its limit is not helped by scaling: what it lost then would be felt."""

LOWERED = 0.005
"""Each further try aims this much lower."""

MORE_EACH_TIME = 1.5
"""A group that was narrowed in vain is narrowed further, by so many times what is missing."""

MOST_OF_A_GROUP = 0.5
"""Share of its channels that one group loses at once."""

FILLED = 0.96
"""A closed network that uses less of its limits is trained once more, up to them."""

EPOCHS = 0.25
"""Share of the second phase's epochs that each closing fine-tune takes."""


def closing(tuner: Tuner, start: Tuned, constraint: SynopsConstraint | None = None) -> Iterator[Tuned]:
    """Ever more frugal networks from one that breaks a limit, each measured where it counts.

    In the order of what they cost: the constraint goes on from its multipliers, with targets
    lowered by what was overshot, where it can be met at all; all weights are scaled down a little, so that neurons fire
    less; channels go, those first that cost the least loss for the SynOps they save, with a
    short fine-tune after it. It ends with the first network that keeps every limit, by its bound
    on validation; see `leaves_much`. One that is as narrow as can be and keeps them not is the last.
    Every step scales by what is missing or takes a channel away, so it always ends.
    """
    factory, evaluator, plan = tuner.factory, tuner.evaluator, tuner.plan
    now, step, since_narrowed, in_vain = start, 0, 0, 0
    constraint = constraint or SynopsConstraint({}, plan.ascent)
    while now.share(evaluator.budget_synops) > 1:
        step += 1
        aim = BOUND_AIM - LOWERED * step
        quiet = _quieter(factory, now, aim / now.share(evaluator.budget_synops)) if since_narrowed < QUIETED else None
        if plan.constrained and step <= CONTINUED and can_be_held(tuner, now):
            model = _continued(tuner, now, constraint, aim)
        elif quiet is not None:
            since_narrowed += 1
            model = quiet
        else:
            over, since_narrowed = now.share(evaluator.budget_synops), 0
            in_vain = 0 if over > MOST_QUIETED else in_vain + 1
            candidate = _narrower(factory, now, over, (1 - aim / over) * MORE_EACH_TIME ** max(in_vain - 1, 0))
            if candidate is None:
                return
            found = tuner.measured(candidate.model)
            constraint = SynopsConstraint({}, plan.ascent)  # the other's multipliers were wound up by another network
            model = _continued(tuner, found, constraint, aim)
        now = tuner.measured(model, closing_risk(step))
        yield now


def leaves_much(tuner: Tuner, closed: Tuned) -> bool:
    """Whether a closed network uses so little of its limits that it is worth to be `filled`."""
    return tuner.plan.constrained and closed.share(tuner.evaluator.budget_synops) < FILLED


def filled(tuner: Tuner, closed: Tuned, steps: int) -> Tuned:
    """What a last fine-tune, up to its limits, makes of a network that so many steps closed."""
    model = _continued(tuner, closed, SynopsConstraint({}, tuner.plan.ascent), BOUND_AIM)
    return tuner.measured(model, closing_risk(steps + 1))


def _continued(tuner: Tuner, now: Tuned, constraint: SynopsConstraint, aim: float) -> Model:
    """A short fine-tune, held at the limits if the plan says so and they can be met."""
    train, evaluator, plan = tuner.factory.train, tuner.evaluator, tuner.plan
    recipe = plan.final_for(len(train))
    short = Recipe(max(round(EPOCHS * recipe.epochs), 1), recipe.batch, recipe.learning_rate / 2)
    if plan.constrained and now.share(evaluator.budget_synops) > 0:
        constraint.targets, constraint.fills = targets_for(tuner, now, aim), fills(tuner, now)
    held = constraint if plan.constrained and constraint.targets and can_be_held(tuner, now) else None
    return fine_tune(
        now.model,
        train,
        short,
        seed=tuner.seed,
        constraint=held,
        quantiser=evaluator.quantiser(now.model),
        notice=tuner.notice,
        journal=tuner.journal.within("closing"),
    )


def _quieter(factory: CandidateFactory, now: Tuned, wanted: float) -> Model | None:
    """The network with weights scaled down until its SynOps are `wanted` times what they were; None if that is far."""
    if wanted < 1 / MOST_QUIETED:
        return None
    return quieted(now.model, factory.probe, wanted)


def _narrower(factory: CandidateFactory, now: Tuned, over: float, saved: float) -> Candidate | None:
    """With fewer channels; None where there is nothing to take away.

    A network far `over` its limit loses channels in all groups. Else they go from one, as many as save the share
    `saved` of its SynOps.
    """
    own = CandidateFactory(now.model, factory.train, factory.widths)
    whole = np.ones(len(own.groups))
    if over > MOST_QUIETED:
        everywhere = own.executed(np.full(len(own.groups), np.sqrt(BOUND_AIM / over)))
        if not np.array_equal(everywhere, whole):
            return own.candidate(everywhere)
    tries = [each for each in _one_group_less(own, saved) if each.features.keep_ratios.min() < 1]
    return min(tries, key=lambda one: _cost(own, now.model, one), default=None)


def _one_group_less(factory: CandidateFactory, saved: float) -> Iterator[Candidate]:
    """Candidates without about as many channels of one group as save this share of the SynOps; of each in turn.

    What a group's channels save is measured once and taken to grow with their number.
    """
    for place in range(len(factory.groups)):
        first = _without(factory, place, saved)
        taken = 1 - float(first.features.keep_ratios[place])  # whole channels
        found = 1 - first.features.recalibrated_synops / factory.dense.synops
        yield first if found <= 0 else _without(factory, place, saved * taken / found)


def _without(factory: CandidateFactory, place: int, share: float) -> Candidate:
    """Without this share of a group's channels, at least one and at most half of them."""
    least = factory.widths.multiple / factory.groups[place].size
    ratios = np.ones(len(factory.groups))
    ratios[place] = 1 - max(min(share, MOST_OF_A_GROUP), least)
    return factory.candidate(factory.executed(np.clip(ratios, 0.0, 1.0)))


def _cost(factory: CandidateFactory, before: Model, candidate: Candidate) -> float:
    """Loss on the probe that a candidate costs for each of the SynOps that it saves."""
    saved = factory.measure(before, factory.probe).synops - factory.measure(candidate.model, factory.probe).synops
    dearer = _loss(candidate.model, factory.probe) - _loss(before, factory.probe)
    return max(dearer, 0.0) / saved if saved > 0 else np.inf


@torch.no_grad()
def _loss(model: Model, data: EncodedSplit) -> float:
    output = Simulation(model.graph).to(data.device)(data.inputs).output
    return float(TaskLoss.of(model, data)(output, data.labels if data.outputs is None else data.outputs))
