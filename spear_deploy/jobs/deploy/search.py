"""Search and fine-tune for one target: all that needs no test split."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from spear_deploy.backends.fixed_point.quantized import QuantizedNetwork
from spear_deploy.hardware import Follows
from spear_deploy.jobs.deploy.interruption import first_interrupt_finishes
from spear_deploy.jobs.deploy.prepare import Prepared
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.searching import (
    STAGE,
    AskedStrategy,
    Searching,
    asked_for,
    nothing_to_search,
    pose,
    search,
)
from spear_deploy.jobs.memory import processes_within
from spear_deploy.jobs.progress import Clock
from spear_deploy.measure import SCORINGS, points_lost
from spear_deploy.network import Model
from spear_deploy.search import STRATEGIES, Choice, SearchProblem, Tuner
from spear_deploy.search.crew import crew
from spear_deploy.search.pipelines import pipeline_named
from spear_deploy.search.scouts import scouting
from spear_deploy.system.executors import HERE, Executor, Processes
from spear_deploy.targets.target import Target

TUNING = "fine-tune"


@dataclass(frozen=True)
class Try:
    """What some SynOps cost in accuracy; on the validation split, in the target's arithmetic.

    Attributes:
        share: of the dense SynOps, as a budget or as the network was measured to use.
        accuracy: of the network that was found for it.
        drop_points: from the accuracy of the dense network, as it was given or after the same fine-tune, whichever
            is better.
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
        asked: what looked for candidates.
        interrupted: in which stage the user cut the work short; empty where nobody did, or where nothing was left out.
        tries: the budgets that were tried to find the smallest one; where accuracy is limited beside a budget, the
            front of all networks that were fine-tuned on the way.
        constrained: whether the second phase was held at the limits.
        to_end: in which stage the user wished that all ends; empty where nobody did.

    """

    model: Model
    plain: Model
    choice: Choice
    problem: SearchProblem
    asked: AskedStrategy
    interrupted: str = ""
    integers: QuantizedNetwork | None = None
    tries: tuple[Try, ...] = ()
    constrained: bool = True
    to_end: str = ""


def solve(
    target: Target, request: DeployRequest, prepared: Prepared, clock: Clock, searching: Searching | None = None
) -> Pruned:
    """Search and fine-tune: all that needs no test split.

    `searching` is what is known of the run's search before; without, the target is searched for alone.
    """
    searching = searching or asked_for(request)
    pipeline, plan = pipeline_named(request.pipeline), prepared.plan
    journal = prepared.journal.within(target.key)
    tuner = Tuner(prepared.factory, target, plan, request.seed, clock.progress.notice, journal)
    problem = searching.problems.get(target.key) or pose(target, request, prepared, clock)
    asked, evaluations = searching.asked, request.evaluations
    if nothing_to_search(request, prepared):
        (group,) = prepared.factory.groups
        clock.progress.notice(
            f"only the channels of {group.name} can be pruned: there is nothing to search, as many are kept as the"
            " limits grant"
        )
        asked, evaluations = AskedStrategy(STRATEGIES["uniform"]), 1
    with first_interrupt_finishes(clock.progress.hint, STAGE, searching.interrupted) as interruption:
        tuner = replace(tuner, stopped=interruption.wanted)
        if not searching.interrupted:
            with (
                clock.stage(STAGE, evaluations - len(problem.history)) as advance,
                scouting(problem, _scouts(request, prepared), clock.progress.hint),
            ):
                search(problem, asked.strategy, evaluations, request.seed, advance, interruption, clock.progress.hint)
        elif not problem.history:  # the agent's training, or another target, was cut short before its turn came
            STRATEGIES["uniform"].run(problem, 1, request.seed)
        count = 1 if interruption.wanted() else request.finalists
        left_out = len(problem.history) < evaluations or pipeline.fine_tunes(count) != pipeline.fine_tunes(
            request.finalists
        )
        interruption.running = TUNING
        fewest = sum(pipeline.fine_tunes(count - 1))  # one of the finalists may be the uniform one: a bar grows
        scoring = SCORINGS[prepared.factory.model.objective.kind]
        with (
            clock.stage(TUNING, fewest) as advance,
            crew(tuner, fine_tuners(request, prepared)) as fine_tuning,
        ):
            choice = pipeline.ending(
                problem,
                tuner,
                count,
                lambda finalist: advance(detail=finalist.summary(scoring)),
                fine_tuning,
            )
    winner, to_end = choice.winner, interruption.stage
    cut = choice.left_out or (left_out and (to_end == STAGE or bool(searching.interrupted)))
    both_asked = request.searched_drop is None and target.limits_on(Follows.ANSWERS)
    return Pruned(
        winner.result.model,
        winner.plain.model,
        choice,
        problem,
        asked,
        to_end if cut else "",
        tries=_front(choice, target, reference_accuracy(target, prepared)) if both_asked else (),
        constrained=plan.constrained,
        to_end=to_end,
    )


def fine_tuners(request: DeployRequest, prepared: Prepared) -> Executor:
    """Who fine-tunes side by side: the cluster, or as many processes as are asked for, and as memory holds."""
    if prepared.cluster is not None:
        return prepared.cluster
    model, plan = prepared.factory.model, prepared.plan
    batch, whole = (plan.final.batch, True) if plan.constrained else (plan.plain.batch, False)
    wanted, asked = request.workers, request.memory_bytes
    return Processes(processes_within(model.network, model.time_steps, batch, wanted, asked, whole=whole))


def _scouts(request: DeployRequest, prepared: Prepared) -> Executor:
    """Who evaluates ahead of the search: whoever fine-tunes, unless that takes from the search what it runs on.

    Half of what is evaluated ahead may never be asked for, which pays on processors that are idle alone.
    """
    executor = fine_tuners(request, prepared)
    idle = prepared.factory.train.device.type == "cpu" and executor.slots * request.threads <= _processors()
    return executor if executor.elsewhere or idle else HERE


def _processors() -> int:
    """Those that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def reference_accuracy(target: Target, prepared: Prepared) -> float:
    """Of the network that accuracy is lost against, on validation in the target's arithmetic."""
    return max(target.measure(prepared.reference).accuracy, target.dense.accuracy)


def _front(choice: Choice, target: Target, reference: float) -> tuple[Try, ...]:
    """Of all networks that were fine-tuned, after either phase, those that no other beats, the most frugal first."""
    phases = [phase for one in choice.tuned for phase in (one.instead, one.plain, one.final) if phase is not None]
    found: list[Try] = []
    for tuned in sorted(phases, key=lambda one: (one.validation.synops, -one.validation.accuracy)):
        measured = tuned.validation
        if not found or measured.accuracy > found[-1].accuracy:
            share, lost = measured.synops / target.dense.synops, points_lost(reference, measured.accuracy)
            found.append(Try(share, measured.accuracy, lost, tuned.share(target.budget_synops) <= 1))
    return tuple(found)
