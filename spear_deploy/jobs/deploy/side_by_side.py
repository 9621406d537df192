"""Targets that are searched and fine-tuned at once, each in a process of its own.

A process leaves what it does in the run's journal. The run then goes through its targets one by one, as ever, and finds
nearly all of it done: so its results, and what it tells, are those of a run in one process.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace

from spear_deploy.errors import ClusterError, SpearDeployError, WorkerError
from spear_deploy.jobs.deploy.interruption import finishing
from spear_deploy.jobs.deploy.max_drop import smallest_budget
from spear_deploy.jobs.deploy.prepare import Prepared
from spear_deploy.jobs.deploy.reference import REFERENCE
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.search import Pruned, fine_tuners, solve
from spear_deploy.jobs.deploy.searching import Searching, asked_for
from spear_deploy.jobs.progress import Clock, Progress, Silent
from spear_deploy.jobs.torch_settings import torch_settings
from spear_deploy.search.crew import WORTH_S
from spear_deploy.search.pipelines import pipeline_named
from spear_deploy.system.journal import Journal, Recalled
from spear_deploy.system.lent_journal import LentJournal, Returned
from spear_deploy.system.memory import reuse_memory
from spear_deploy.targets.target import Target
from spear_deploy.training.fine_tune import FINE_TUNE

STAGE = "targets side by side"


def solved(
    target: Target, request: DeployRequest, prepared: Prepared, searching: Searching, clock: Clock
) -> tuple[Target, Pruned]:
    """The network for a target, and the target with the budget that the network is for.

    That the user wished to end is kept of one that was cut short by it alone.
    """
    drop = request.searched_drop
    if drop is None:
        found = target, solve(target, request, prepared, clock, searching)
    else:
        found = smallest_budget(target, request, prepared, searching, clock, drop.allowed)
    _, pruned = found
    if pruned.interrupted:
        clock.progress.keep(finishing(pruned.interrupted))
    return found


def solve_side_by_side(
    targets: Sequence[Target], request: DeployRequest, prepared: Prepared, searching: Searching, progress: Progress
) -> Prepared:
    """Let processes search and fine-tune for the targets, where that ends sooner than one after the other.

    What cannot be done there, such as for want of memory, is done later, one after the other; a target that has no
    answer says so then. An agent that was trained in this run has evaluated candidates of all targets, and stays here.
    """
    executor = fine_tuners(request, prepared)
    sooner = pipeline_named(request.pipeline).targets_side_by_side(len(targets), request.finalists, executor.slots)
    pays = sooner and (executor.elsewhere or _tuning_s(prepared) > WORTH_S)
    if not pays or searching.problems or not prepared.journal.keeps:
        return prepared
    clock = Clock(progress, prepared.seconds, prepared.notices)
    alone = replace(request, workers=1, ray=None)
    there = replace(prepared, journal=Journal(), cluster=None)
    lent = LentJournal.of(prepared.journal, elsewhere=executor.elsewhere)
    with ExitStack() as pools:
        try:
            pool = pools.enter_context(executor.pool(_begin, list(targets), alone, there, lent))
        except (pickle.PicklingError, AttributeError, TypeError) as error:  # such as a backend of another's
            clock.progress.hint(
                f"targets are searched for one after the other: processes cannot be given them ({error})"
            )
            return prepared
        try:
            with clock.stage(STAGE, len(targets)) as advance:
                for _, returned in pool.run(range(len(targets))):
                    prepared.journal.keep_copies(returned.copies)
                    returned.count_in(prepared.journal)
                    advance()
        except (WorkerError, ClusterError) as error:
            clock.progress.notice(f"{error}: targets are searched for one after the other")
    return replace(prepared, seconds=clock.seconds, notices=clock.notices)


def _tuning_s(prepared: Prepared) -> float:
    """What the dense network's fine-tune took, now or in the run that is gone on with."""
    before = prepared.journal.recalled.get(FINE_TUNE, Recalled())
    return prepared.seconds[REFERENCE] + before.seconds


def _begin(
    targets: Sequence[Target], request: DeployRequest, prepared: Prepared, lent: LentJournal
) -> Callable[[int], Returned]:
    """Hold in a worker process what its targets need."""
    reuse_memory()
    searching = asked_for(request)

    def work(place: int) -> Returned:
        with torch_settings(request.threads), lent.opened() as (journal, returned):
            with suppress(SpearDeployError):  # met again, and told, when its turn comes
                solved(targets[place], request, replace(prepared, journal=journal), searching, Clock(Silent()))
            return returned()

    return work
