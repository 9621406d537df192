"""Search and fine-tune for one target: all that needs no test split."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from spear_deploy.backends.fixed_point.quantized import QuantizedNetwork
from spear_deploy.hardware import Follows
from spear_deploy.jobs.deploy.interruption import Interruption, first_interrupt_finishes
from spear_deploy.jobs.deploy.prepare import Prepared
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.progress import Advance, Clock, Progress
from spear_deploy.measure import SCORINGS
from spear_deploy.network import Model
from spear_deploy.search import (
    ESTIMATORS,
    STRATEGIES,
    Choice,
    Claim,
    ConstantEstimator,
    Estimator,
    Evaluation,
    SearchProblem,
    Strategy,
    Tuner,
    anchored,
    chosen_estimator,
    expected,
    sure_enough,
)
from spear_deploy.search.pipelines import Pipeline, pipeline_named
from spear_deploy.system.journal import Journal
from spear_deploy.targets.target import Target


@dataclass(frozen=True)
class Try:
    """What some SynOps cost in accuracy; on the validation split, in the target's arithmetic.

    Attributes:
        share: of the dense SynOps, as a budget or as the network was measured to use.
        accuracy: of the network that was found for it.
        drop_points: from the accuracy of the dense network after the same fine-tune.
        keeps_limits: whether the network keeps every limit.

    """

    share: float
    accuracy: float
    drop_points: float
    keeps_limits: bool


@dataclass(frozen=True)
class Pruned:
    """What search and fine-tunes gave for one target.

    Attributes:
        model: the network after its last phase.
        plain: the same one after the plain fine-tune, which LRE predicts.
        integers: what the target computes in, once the network was prepared for it; None in floating point.
        choice: the finalists, and which of them it was.
        problem: with all that the search evaluated.
        interrupted: in which stage the user cut the work short; empty where nobody did.
        tries: the budgets that were tried to find the smallest one; where accuracy is limited beside a budget, the
            front of all networks that were fine-tuned on the way.
        constrained: whether the second phase was held at the limits.

    """

    model: Model
    plain: Model
    choice: Choice
    problem: SearchProblem
    interrupted: str = ""
    integers: QuantizedNetwork | None = None
    tries: tuple[Try, ...] = ()
    constrained: bool = True


def solve(target: Target, request: DeployRequest, prepared: Prepared, clock: Clock) -> Pruned:
    """Search and fine-tune: all that needs no test split."""
    pipeline, plan = pipeline_named(request.pipeline), request.plan
    journal = prepared.journal.within(target.key)
    tuner = Tuner(prepared.factory, target, plan, request.seed, clock.progress.notice, journal)
    limit = target.to_torch(plan.search_multiple * target.budget_synops)
    trusted = _trusted(pipeline, limit, request, prepared, clock.progress, journal)
    problem = SearchProblem(
        prepared.factory,
        trusted.estimator,
        limit,
        target.structural,
        target.validation,
        activity_limits=target.predicted_limits(prepared.factory, prepared.samples),
        claim=trusted.claim,
        multiple=plan.search_multiple,
        projects=request.projects,
        strict=pipeline.strict,
        journal=journal,
    )
    strategy, evaluations = STRATEGIES[request.strategy], request.evaluations
    if problem.projects and problem.dimensions == 1:
        (group,) = prepared.factory.groups
        clock.progress.notice(
            f"only the channels of {group.name} can be pruned: there is nothing to search, as many are kept as the"
            " limits grant"
        )
        strategy, evaluations = STRATEGIES["uniform"], 1
    with first_interrupt_finishes(clock.progress, "search") as interruption:
        with clock.stage("search", evaluations) as advance:
            _search(problem, strategy, evaluations, request.seed, advance, interruption)
        count = 1 if interruption.wanted else request.finalists
        scoring = SCORINGS[prepared.factory.model.objective.kind]
        with clock.stage("fine-tune", sum(pipeline.fine_tunes(count))) as advance:
            choice = pipeline.ending(
                problem,
                tuner,
                count,
                lambda finalist: advance(detail=finalist.summary(scoring)),
                lambda: interruption.wanted,
            )
    winner = choice.winner
    both_asked = request.searched_drop is None and target.limits_on(Follows.ANSWERS)
    return Pruned(
        winner.result.model,
        winner.plain.model,
        choice,
        problem,
        interruption.stage,
        tries=_front(choice, target, reference_accuracy(target, prepared)) if both_asked else (),
        constrained=plan.constrained,
    )


def reference_accuracy(target: Target, prepared: Prepared) -> float:
    """Of the network that accuracy is lost against, on validation in the target's arithmetic."""
    return max(target.measure(prepared.reference).accuracy, target.dense.accuracy)


def _front(choice: Choice, target: Target, reference: float) -> tuple[Try, ...]:
    """Of all networks that were fine-tuned, after either phase, those that no other beats, the most frugal first."""
    phases = [phase for one in choice.tuned for phase in (one.plain, one.final) if phase is not None]
    found: list[Try] = []
    for tuned in sorted(phases, key=lambda one: (one.validation.synops, -one.validation.accuracy)):
        measured = tuned.validation
        if not found or measured.accuracy > found[-1].accuracy:
            share, lost = measured.synops / target.dense.synops, 100 * (reference - measured.accuracy)
            found.append(Try(share, measured.accuracy, lost, tuned.share(target.budget_synops) <= 1))
    return tuple(found)


@dataclass(frozen=True)
class _Trusted:
    """An estimator, and what of its predictions a search takes."""

    estimator: Estimator
    claim: Claim


def _trusted(
    pipeline: Pipeline, limit: float, request: DeployRequest, prepared: Prepared, progress: Progress, journal: Journal
) -> _Trusted:
    """What the search goes by; where no estimator is sure enough, three networks that are fine-tuned at its limit."""
    if pipeline.estimator is not None:
        return _Trusted(ESTIMATORS[pipeline.estimator](prepared.samples), pipeline.claim)
    factory, chosen = prepared.factory, chosen_estimator(prepared.samples)
    if sure_enough(factory, [limit])(prepared.samples):
        progress.notice(f"LRE: {chosen.name} ({chosen.reason})")
        return _Trusted(ESTIMATORS[chosen.name](prepared.samples), pipeline.claim)
    anchors = anchored(factory, limit, request.plan.plain, request.seed, progress.notice, journal)
    samples = anchors if len(anchors) >= ConstantEstimator.fewest_samples else prepared.samples
    progress.notice(
        f"LRE is not sure enough to search with ({chosen.name}, {len(prepared.samples)} samples):"
        f" {len(anchors)} uniform networks were fine-tuned near the limit, and the search goes by their ratio;"
        " more samples make it sure"
    )
    return _Trusted(ConstantEstimator.fit(samples), expected)


def _search(
    problem: SearchProblem,
    strategy: Strategy,
    evaluations: int,
    seed: int,
    advance: Advance,
    interruption: Interruption,
) -> None:
    """Run the strategy; an interrupted one leaves what it evaluated in the problem's history."""
    scoring = SCORINGS[problem.factory.model.objective.kind]

    def tell(evaluation: Evaluation) -> None:
        advance(detail=f"best {problem.best(1)[0].summary(scoring)}")
        if interruption.wanted:
            raise _SearchStoppedError

    with suppress(_SearchStoppedError):
        strategy.run(problem, evaluations, seed, tell)


class _SearchStoppedError(Exception):
    """Leaves a search that was interrupted."""
