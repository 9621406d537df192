"""Search and fine-tune for one target: all that needs no test split."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from spear_deploy.jobs.deploy.interruption import Interruption, first_interrupt_finishes
from spear_deploy.jobs.deploy.prepare import Prepared
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.progress import Advance, Clock
from spear_deploy.search import ESTIMATORS, STRATEGIES, Choice, Evaluation, SearchProblem, choose
from spear_deploy.search.pipelines import arm_named
from spear_deploy.targets.target import Target


@dataclass(frozen=True)
class Solution:
    """What search and fine-tune gave for one target, and in which stage the user cut them short (else "")."""

    target: Target
    problem: SearchProblem
    choice: Choice
    interrupted: str = ""


def solve(target: Target, request: DeployRequest, prepared: Prepared, clock: Clock) -> Solution:
    """Search and fine-tune: all that needs no test split."""
    arm = arm_named(request.strategy)
    plan = request.plan if arm.constrained else replace(request.plan, constrained=False)
    problem = SearchProblem(
        prepared.factory,
        ESTIMATORS[arm.estimator](prepared.samples),
        target.to_torch(plan.search_multiple * target.budget_synops),
        target.structural,
        target.validation,
        activity_limits=target.predicted_limits(prepared.factory, prepared.samples),
        claim=arm.claim,
    )
    with first_interrupt_finishes(clock.progress, "search") as interruption:
        with clock.stage("search", request.evaluations) as advance:
            _search(problem, request, advance, interruption)
        count = 1 if interruption.wanted else request.finalists
        with clock.stage("fine-tune", _tunings(count)) as advance:
            choice = choose(
                problem,
                plan,
                request.seed,
                count,
                target,
                lambda finalist: advance(detail=finalist.summary),
                lambda: interruption.wanted,
            )
    return Solution(target, problem, choice, interruption.stage)


def _search(problem: SearchProblem, request: DeployRequest, advance: Advance, interruption: Interruption) -> None:
    """Run the strategy; an interrupted one leaves what it evaluated in the problem's history."""

    def tell(evaluation: Evaluation) -> None:
        advance(detail=f"best {problem.best(1)[0].summary}")
        if interruption.wanted:
            raise _SearchStoppedError

    with suppress(_SearchStoppedError):
        STRATEGIES[arm_named(request.strategy).strategy].run(problem, request.evaluations, request.seed, tell)


class _SearchStoppedError(Exception):
    """Leaves a search that was interrupted."""


def _tunings(count: int) -> int:
    """Fine-tunes of so many candidates and the uniform one: all in the first phase, half in the second."""
    return count + 1 + -(-(count + 1) // 2)
