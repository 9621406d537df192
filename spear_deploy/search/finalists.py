"""From the search's best candidates to one network that keeps the budget where it is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from spear_deploy.search.candidate import Ratios
from spear_deploy.search.problem import SearchProblem
from spear_deploy.search.tuning import BOUND_AIM, Finalist, Target, TuningPlan, penalty_for, tune_final, tune_plain
from spear_deploy.training import SynopsPenalty

MOST_REPAIRS = 3
REPAIR_AIM = 0.97
"""A repair by pruning aims at this share of the limit that was broken."""

LEAST_CORRECTION = 0.5
"""A repair lowers the penalty's target by no more than this factor at a time."""


@dataclass(frozen=True)
class Choice:
    """The finalist that won, all that were fine-tuned in their order, repairs last, and how many repairs it took."""

    winner: Finalist
    tuned: tuple[Finalist, ...]
    repairs: int


@dataclass(frozen=True)
class _Finished:
    finalist: Finalist
    penalty: SynopsPenalty | None
    corrected: bool = False

    def share(self, target: Target) -> float:
        return self.finalist.result.share(target.budget_synops)


def choose(
    problem: SearchProblem,
    plan: TuningPlan,
    seed: int,
    count: int,
    target: Target,
    on_tuned: Callable[[Finalist], None],
    stopped: Callable[[], bool] = lambda: False,
) -> Choice:
    """Fine-tune the best few candidates and the uniform one by successive halving; choose on validation.

    All go through the first phase, the more accurate half of them through the second. The winner
    is the most accurate one whose SynOps keep the budget with confidence. While none does, the
    most frugal one is repaired, at most three times: with a penalty its target is first corrected
    by what was overshot, once; where that was not enough, without a penalty, or where another
    limit is broken, it is pruned again from the dense network, narrower.

    Args:
        problem: with the candidates that the search evaluated.
        plan: of the fine-tune.
        seed: of the fine-tune.
        count: candidates beside the uniform one.
        target: where networks are measured.
        on_tuned: told after each fine-tune.
        stopped: whether to end with what there is; asked after each fine-tune.

    """
    finalists: list[Finalist] = []
    for ratios in _candidates(problem, count):
        finalists.append(tune_plain(problem, ratios, plan, seed, target))
        on_tuned(finalists[-1])
        if stopped():
            break
    ranked = sorted(finalists, key=lambda one: -one.plain.validation.accuracy)
    finished: list[_Finished] = []
    for finalist in ranked[: -(-len(ranked) // 2)]:
        penalty = penalty_for(problem, finalist.plain, plan, target)
        finished.append(_finish(problem, finalist, plan, seed, target, penalty))
        on_tuned(finished[-1].finalist)
        if stopped():
            break
    repairs = 0
    broken: _Finished | None = min(finished, key=lambda one: one.share(target))
    while broken is not None and broken.share(target) > 1 and repairs < MOST_REPAIRS:
        broken = _repaired(problem, broken, finished, plan, seed, target)
        if broken is not None:
            repairs += 1
            finished.append(broken)
            on_tuned(broken.finalist)
    keeping = [one for one in finished if one.share(target) <= 1]
    if keeping:
        best = max(keeping, key=lambda one: _merit(one.finalist))
    else:
        best = min(finished, key=lambda one: one.share(target))
    through = {id(one.finalist.plain): one.finalist for one in finished[: len(finished) - repairs]}
    tuned = [through.get(id(one.plain), one) for one in finalists]
    tuned += [one.finalist for one in finished[len(finished) - repairs :]]
    return Choice(best.finalist, tuple(tuned), repairs)


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


def _finish(
    problem: SearchProblem,
    finalist: Finalist,
    plan: TuningPlan,
    seed: int,
    target: Target,
    penalty: SynopsPenalty | None,
) -> _Finished:
    final = tune_final(problem, finalist, plan, seed, target, penalty)
    return _Finished(replace(finalist, final=final), penalty)


def _repaired(
    problem: SearchProblem,
    broken: _Finished,
    so_far: Sequence[_Finished],
    plan: TuningPlan,
    seed: int,
    target: Target,
) -> _Finished | None:
    """The finalist once more, corrected; None where it cannot be made smaller."""
    finalist, result = broken.finalist, broken.finalist.result
    share = result.synops_bound / target.budget_synops
    if plan.penalty_weight and share > 1 and share >= broken.share(target) and not broken.corrected:
        if broken.penalty is None:
            penalty = penalty_for(problem, result, plan, target)
        else:
            factor = max(BOUND_AIM / share, LEAST_CORRECTION)
            penalty = replace(broken.penalty, target_synops=broken.penalty.target_synops * factor)
        return replace(_finish(problem, finalist, plan, seed, target, penalty), corrected=True)
    narrowed = _narrower(problem, broken, {_key(one): one.share(target) for one in so_far})
    if np.array_equal(narrowed, finalist.ratios):
        return None
    again = tune_plain(problem, narrowed, plan, seed, target)
    finished = _finish(problem, again, plan, seed, target, penalty_for(problem, again.plain, plan, target))
    return replace(finished, corrected=broken.corrected)


def _key(one: _Finished) -> tuple[float, ...]:
    return tuple(map(float, one.finalist.ratios))


def _narrower(problem: SearchProblem, broken: _Finished, shares: Mapping[tuple[float, ...], float]) -> Ratios:
    """Ratios scaled by what was overshot, from the shares that finished networks were measured to use."""
    finalist = broken.finalist
    factor = min(problem.factor_for(finalist.ratios, shares, REPAIR_AIM), 1.0)
    ratios = problem.factory.executed(np.clip(finalist.ratios * factor, 0.0, 1.0))
    if not np.array_equal(ratios, finalist.ratios):
        return ratios
    widest = int(np.argmax(finalist.ratios * [group.size for group in problem.factory.groups]))
    step = np.zeros_like(ratios)
    step[widest] = problem.factory.widths.multiple / problem.factory.groups[widest].size
    return problem.factory.executed(np.clip(ratios - step, 0.0, 1.0))
