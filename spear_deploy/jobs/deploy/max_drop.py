"""The smallest SynOps budget that costs no more accuracy than allowed."""

from __future__ import annotations

import math
from dataclasses import replace

from spear_deploy.errors import BudgetError
from spear_deploy.hardware import Limit, parse_budget
from spear_deploy.jobs.deploy.prepare import Prepared
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.search import Pruned, Try, reference_accuracy, solve
from spear_deploy.jobs.deploy.searching import Searching
from spear_deploy.jobs.progress import Clock
from spear_deploy.measure import SCORINGS, points_lost
from spear_deploy.targets.target import Target

FIRST_SHARE = 0.3
LEAST_SHARE = 0.02
CLOSE_ENOUGH = 1.12
"""The search ends when the smallest budget that does is within this factor of the largest that does not."""

MOST_TRIES = 6


def smallest_budget(
    target: Target,
    request: DeployRequest,
    prepared: Prepared,
    searching: Searching,
    clock: Clock,
    max_drop_points: float,
) -> tuple[Target, Pruned]:
    """Search over budgets by bisection on their logarithm; LRE's samples serve all of them.

    Returns the target with the smallest budget, and the network for it.

    Raises:
        BudgetError: no budget that was tried keeps the accuracy.

    """
    reference = reference_accuracy(target, prepared)
    tries: list[Try] = []
    best: tuple[Target, Pruned] | None = None
    good, bad = 1.0, LEAST_SHARE
    share = FIRST_SHARE
    cut = to_end = ""
    while len(tries) < MOST_TRIES and good / bad > CLOSE_ENOUGH:
        if to_end:
            cut = to_end
            break
        clock.progress.notice(f"budget {share:.3g} of the dense SynOps")
        aimed = target.with_synops_limit(_limit(share))
        found = solve(aimed, request, prepared, clock, searching)
        tries.append(_tried(share, aimed, found, reference))
        if tries[-1].keeps_limits and tries[-1].drop_points <= max_drop_points:
            good, best = share, (aimed, found)
        else:
            bad = share
        cut, to_end = found.interrupted, found.to_end
        share = math.sqrt(good * bad)
    if best is None:
        scoring = SCORINGS[prepared.reference.objective.kind]
        nearest = min(tries, key=lambda one: one.drop_points)
        raise BudgetError(
            f"{target.chip.name}: no budget that was tried keeps {scoring.name} within"
            f" {max_drop_points:g} {scoring.points} of the dense network's, as it was given or after the same fine-tune"
            f" (the better one); the nearest, {nearest.share:.1%} of the dense SynOps, loses {nearest.drop_points:.2f}"
        )
    aimed, found = best
    return aimed, replace(found, tries=tuple(tries), interrupted=cut)


def _limit(share: float) -> Limit:
    """Of mean SynOps, at a share of the dense network's, to three digits of its percentage."""
    return parse_budget(f"{100 * share:.3g}%")


def _tried(share: float, target: Target, found: Pruned, reference: float) -> Try:
    result = found.choice.winner.result
    accuracy = result.validation.accuracy
    return Try(
        share=share,
        accuracy=accuracy,
        drop_points=points_lost(reference, accuracy),
        keeps_limits=result.share(target.budget_synops) <= 1,
    )
