"""From the search's best candidates to one network that keeps the budget where it is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from spear_deploy.measure import SCORINGS
from spear_deploy.search.bounds import closing_risk, shared_risk
from spear_deploy.search.candidate import Features, Ratios
from spear_deploy.search.closing import closing, filled, leaves_much
from spear_deploy.search.crew import Alone, Crew
from spear_deploy.search.problem import SearchProblem
from spear_deploy.search.tuning import (
    Evaluator,
    Finalist,
    Tuned,
    Tuner,
    constraint_for,
    foreseen,
    led_in,
    plain_phase,
    tune_final,
)
from spear_deploy.training import SynopsConstraint

Work = TypeVar("Work")


@dataclass(frozen=True)
class PlainPhase:
    """The first phase of a candidate, as a piece of work."""

    ratios: Ratios

    def __call__(self, tuner: Tuner) -> tuple[Features, Tuned]:
        """What is known of it before, and what came of it."""
        return plain_phase(tuner, self.ratios)


@dataclass(frozen=True)
class FinalPhase:
    """The second phase of a finalist, as a piece of work; `risk` is that of its bound."""

    finalist: Finalist
    risk: float

    def __call__(self, tuner: Tuner) -> tuple[Tuned, SynopsConstraint | None]:
        """What came of it, and the constraint that held it, wound up as it was in the end."""
        start = led_in(tuner, self.finalist.plain)
        constraint = constraint_for(tuner, start)
        return tune_final(tuner, start, constraint, self.risk), constraint


@dataclass(frozen=True)
class Choice:
    """The finalist that won, all that were fine-tuned in order, closing steps last, and how many these were.

    `left_out` is how many fine-tunes were not begun, or not all of their rounds, as the user wished to end.
    """

    winner: Finalist
    tuned: tuple[Finalist, ...]
    repairs: int
    left_out: int = 0

    @property
    def closes(self) -> tuple[int | None, ...]:
        """Of each of `tuned`, the place of the finalist that it closes; None of those that close none."""
        first = {id(one.plain): place for place, one in reversed(list(enumerate(self.tuned)))}
        steps = len(self.tuned) - self.repairs
        return tuple(first[id(one.plain)] if place >= steps else None for place, one in enumerate(self.tuned))


def choose(
    problem: SearchProblem,
    tuner: Tuner,
    count: int,
    on_tuned: Callable[[Finalist], None],
    crew: Crew | None = None,
) -> Choice:
    """Fine-tune the best few candidates and the uniform one by successive halving; choose on validation.

    All go through the first phase, the more accurate half of them through the second. The winner
    is the most accurate one that keeps every limit, SynOps by their bound. If none does, the
    most frugal one is closed: the least valuable activity goes until every limit is kept
    (`closing`).

    Args:
        problem: with the candidates that the search evaluated.
        tuner: of the fine-tunes.
        count: candidates beside the uniform one.
        on_tuned: told after each fine-tune.
        crew: does the fine-tunes; the result does not depend on it. By default this process.

    """
    crew = crew or Alone(tuner)
    plains: dict[int, Finalist] = {}
    candidates = _candidates(problem, count)
    for place, phase in crew.run(_begun(tuner, [PlainPhase(ratios) for ratios in candidates])):
        plains[place] = foreseen(phase, problem.estimator)
        on_tuned(plains[place])
        if tuner.stopped():
            break
    finalists = [plains[place] for place in sorted(plains)]
    ranked = sorted(finalists, key=lambda one: -one.plain.validation.accuracy)
    through = ranked[: -(-len(ranked) // 2)]
    found = finished(tuner, through, shared_risk(len(through)), on_tuned, crew)
    split = len(found.tuned) - found.repairs
    last = {id(one.plain): one for one in found.tuned[:split]}
    tuned_in_order = [last.get(id(one.plain), one) for one in finalists]
    left_out = len(candidates) - len(finalists) + found.left_out
    return replace(found, tuned=(*tuned_in_order, *found.tuned[split:]), left_out=left_out)


def finished(
    tuner: Tuner,
    through: Sequence[Finalist],
    risk: float,
    on_tuned: Callable[[Finalist], None] = lambda finalist: None,
    crew: Crew | None = None,
) -> Choice:
    """The second phase of finalists, the choice among them, and the closing of the most frugal where none keeps all.

    `risk` is that of each finalist's bound. Who wishes to end gets the first that is through, closed until it keeps
    every limit. A fine-tune that surely made the chosen one worse is undone, see `undone`.
    """
    evaluator = tuner.evaluator
    crew = crew or Alone(tuner)
    finals: dict[int, Finalist] = {}
    constraints: dict[int, SynopsConstraint | None] = {}
    jobs = _begun(tuner, [FinalPhase(finalist, risk) for finalist in through])
    for place, (final, constraints[place]) in crew.run(jobs):
        finals[place] = replace(through[place], final=final)
        on_tuned(finals[place])
        if tuner.stopped():
            break
    tuned = [finals[place] for place in sorted(finals)]
    left_out = len(through) - sum(one.result.whole for one in tuned)
    repaired: list[Finalist] = []
    frugal = min(sorted(finals), key=lambda place: _share(finals[place], evaluator))
    if _share(finals[frugal], evaluator) > 1:
        first = finals[frugal]
        for closed in closing(tuner, first.result, constraints[frugal]):
            ratios = tuner.factory.ratios_of(closed.model)
            repaired.append(replace(first, ratios=ratios, final=closed))
            on_tuned(repaired[-1])
        if repaired and leaves_much(tuner, repaired[-1].result):
            if tuner.stopped():
                left_out += 1
            else:
                last = repaired[-1]
                repaired.append(replace(last, final=filled(tuner, last.result, len(repaired))))
                on_tuned(repaired[-1])
    every = (*tuned, *repaired)
    keeping = [one for one in every if _share(one, evaluator) <= 1]
    best = max(keeping, key=_merit) if keeping else min(every, key=lambda one: _share(one, evaluator))
    through_both = next(one for one in tuned if one.plain is best.plain)
    winner = undone(tuner, through_both, best.result, len(repaired))
    if winner is None:
        return Choice(best, every, len(repaired), left_out)
    return Choice(winner, tuple(winner if one is through_both else one for one in every), len(repaired), left_out)


def undone(tuner: Tuner, finalist: Finalist, final: Tuned, steps: int) -> Finalist | None:
    """A finalist as it was before a fine-tune that surely made it worse than that; None where none did.

    It is what it was before any fine-tune, or after the first phase, whichever is more accurate on validation, if it
    keeps every limit and `final`, what so many closing steps and all phases made of it, surely lost accuracy against
    it, by the lower end of the paired interval. A difference that may be chance undoes nothing. LRE's prediction stays
    that of the first phase. The risks of the bounds follow those of the closing steps.
    """
    budget = tuner.evaluator.budget_synops
    pruned = tuner.factory.candidate(finalist.features.keep_ratios).model
    before = [
        tuner.at_risk(finalist.plain, closing_risk(steps + 1)),
        tuner.measured(pruned, closing_risk(steps + 2)),
    ]
    better = [one for one in before if one.share(budget) <= 1 and _surely_lost(tuner, final, one)]
    if not better:
        return None
    return replace(finalist, final=final, instead=max(better, key=lambda one: one.validation.accuracy))


def _surely_lost(tuner: Tuner, after: Tuned, before: Tuned) -> bool:
    """Whether a network surely lost accuracy on validation against what it was before."""
    model, train, validation = tuner.factory.model, tuner.factory.train, tuner.evaluator.validation
    given, reference = (one.validation.predictions for one in (after, before))
    between = SCORINGS[model.objective.kind].between
    answers = between(given, reference, validation.labels, train.labels, model.classes, "network before its fine-tune")
    return answers.drop_interval_points[0] > 0


def _begun(tuner: Tuner, jobs: Sequence[Work]) -> Sequence[Work]:
    """All of several fine-tunes, or the one that is needed where the user wished to end before they began."""
    return jobs[:1] if tuner.stopped() else jobs


def _share(finalist: Finalist, evaluator: Evaluator) -> float:
    return finalist.result.share(evaluator.budget_synops)


def _candidates(problem: SearchProblem, count: int) -> list[Ratios]:
    """Keep ratios of the best few, best first, and the uniform ones.

    Where nothing is projected, these are those of the whole network: it would go first by its accuracy, and be silenced
    down to its budget. They are left out, unless they keep every limit.
    """
    uniform, _ = problem.evaluate_anew(np.ones(problem.dimensions))
    chosen = [evaluation.ratios for evaluation in problem.best(count, uniform)]
    kept = problem.projects or uniform.reward.keeps_limits
    if kept and not any(np.array_equal(ratios, uniform.ratios) for ratios in chosen):
        chosen.append(uniform.ratios)
    return chosen


def _merit(finalist: Finalist) -> tuple[float, float]:
    measured = finalist.result.validation
    return measured.accuracy, -measured.synops
