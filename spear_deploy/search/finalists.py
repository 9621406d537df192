"""From the search's best candidates to one network that keeps the budget where it is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from spear_deploy.search.bounds import shared_risk
from spear_deploy.search.candidate import Ratios
from spear_deploy.search.closing import closing
from spear_deploy.search.problem import SearchProblem
from spear_deploy.search.tuning import Evaluator, Finalist, Tuner, constraint_for, tune_final, tune_plain
from spear_deploy.training import SynopsConstraint


@dataclass(frozen=True)
class Choice:
    """The finalist that won, all that were fine-tuned in order, closing steps last, and how many these were."""

    winner: Finalist
    tuned: tuple[Finalist, ...]
    repairs: int


def choose(
    problem: SearchProblem,
    tuner: Tuner,
    count: int,
    on_tuned: Callable[[Finalist], None],
    stopped: Callable[[], bool] = lambda: False,
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
        stopped: whether to end with what there is; asked after each fine-tune.

    """
    finalists: list[Finalist] = []
    for ratios in _candidates(problem, count):
        finalists.append(tune_plain(tuner, ratios, problem.estimator))
        on_tuned(finalists[-1])
        if stopped():
            break
    ranked = sorted(finalists, key=lambda one: -one.plain.validation.accuracy)
    through = ranked[: -(-len(ranked) // 2)]
    found = finished(tuner, through, shared_risk(len(through)), on_tuned, stopped)
    split = len(found.tuned) - found.repairs
    last = {id(one.plain): one for one in found.tuned[:split]}
    tuned_in_order = [last.get(id(one.plain), one) for one in finalists]
    return replace(found, tuned=(*tuned_in_order, *found.tuned[split:]))


def finished(
    tuner: Tuner,
    through: Sequence[Finalist],
    risk: float,
    on_tuned: Callable[[Finalist], None] = lambda finalist: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Choice:
    """The second phase of finalists, the choice among them, and the closing of the most frugal where none keeps all.

    `risk` is that of each finalist's bound.
    """
    evaluator = tuner.evaluator
    tuned: list[Finalist] = []
    constraints: list[SynopsConstraint | None] = []
    for finalist in through:
        constraints.append(constraint_for(tuner, finalist.plain))
        final = tune_final(tuner, finalist, constraints[-1], risk)
        tuned.append(replace(finalist, final=final))
        on_tuned(tuned[-1])
        if stopped():
            break
    repaired: list[Finalist] = []
    frugal = min(range(len(tuned)), key=lambda place: _share(tuned[place], evaluator))
    if _share(tuned[frugal], evaluator) > 1:
        first = tuned[frugal]
        for closed in closing(tuner, first.result, constraints[frugal]):
            ratios = tuner.factory.ratios_of(closed.model)
            repaired.append(replace(first, ratios=ratios, final=closed))
            on_tuned(repaired[-1])
    every = (*tuned, *repaired)
    keeping = [one for one in every if _share(one, evaluator) <= 1]
    best = max(keeping, key=_merit) if keeping else min(every, key=lambda one: _share(one, evaluator))
    return Choice(best, every, len(repaired))


def _share(finalist: Finalist, evaluator: Evaluator) -> float:
    return finalist.result.share(evaluator.budget_synops)


def _candidates(problem: SearchProblem, count: int) -> list[Ratios]:
    """Keep ratios of the best few, best first, and the uniform ones."""
    uniform = problem.evaluate(np.ones(problem.dimensions)).ratios
    chosen = [evaluation.ratios for evaluation in problem.best(count)]
    if not any(np.array_equal(ratios, uniform) for ratios in chosen):
        chosen.append(uniform)
    return chosen


def _merit(finalist: Finalist) -> tuple[float, float]:
    measured = finalist.result.validation
    return measured.accuracy, -measured.synops
