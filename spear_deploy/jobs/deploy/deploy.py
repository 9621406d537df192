"""The main job: from a trained network and a chip to a pruned network that keeps its budget there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from spear_deploy.errors import BudgetError, ModelError, ProfileError, SearchError
from spear_deploy.hardware import SYNOPS
from spear_deploy.jobs.deploy.prepare import Prepared, prepare
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.result import Written, write_result
from spear_deploy.jobs.deploy.resuming import Steps, is_part
from spear_deploy.jobs.deploy.searching import Searching, asked_for, check_trainable, learned
from spear_deploy.jobs.deploy.side_by_side import solve_side_by_side, solved
from spear_deploy.jobs.progress import Clock, Progress
from spear_deploy.jobs.task import Task
from spear_deploy.jobs.torch_settings import torch_settings
from spear_deploy.network.device import device_named
from spear_deploy.report import Report
from spear_deploy.system.cluster import Cluster, joined
from spear_deploy.system.files import check_writable, sweep
from spear_deploy.system.locks import locked
from spear_deploy.system.memory import reuse_memory
from spear_deploy.targets.target import Target

REFUSALS = (ModelError, ProfileError, BudgetError, SearchError)
"""Faults of what was asked for: going on would end in the same one. Samples may be out of reach for a while alone."""


def deploy(request: DeployRequest, progress: Progress) -> dict[Path, Report]:
    """Prune the model for each target, or for each budget of a front; one report by the folder that it stands in.

    See `run`.
    """
    return {place: written.report for place, written in run(request, progress).items()}


def run(request: DeployRequest, progress: Progress, task: Task | None = None) -> dict[Path, Written]:
    """Prune the model for each target, or for each budget of a front; by the folder that each result stands in.

    `task` is the model with its data, where they lie in no file.

    LRE's samples are made once and serve all. Of several targets, one that cannot run the
    network is told and left out. With a cache, what is finished is kept there until all is: the
    same request goes on from it, and ends as if it had not been interrupted.

    Raises:
        SpearDeployError: something in the request cannot be used; see its subclasses.

    """
    _check_modes(request)
    check_trainable(request)
    device_named(request.device)  # one that is not there shows before the long work
    reuse_memory()
    with locked(request.out):
        places = _places(request)
        earlier = [place for place in places if is_part(request, place)]
        for place in places:
            sweep(place)
            check_writable(place, force=request.force or place in earlier)
        if earlier:  # all others are free
            request = replace(request, force=True)
        with (
            torch_settings(request.threads),
            Steps(request) as steps,
            nullcontext() if request.ray is None else joined(request.ray) as cluster,  # told before the long work
        ):
            try:
                return _run(request, progress, task, steps, cluster)
            except REFUSALS:
                steps.forget()
                raise


def _places(request: DeployRequest) -> list[Path]:
    """All folders that results will stand in."""
    folders = [request.folder(target) for target in request.targets]
    return [folder / _front_name(budget.granted) for folder in folders for budget in request.pareto] or folders


def _front_name(budget: str) -> str:
    return budget.replace("%", "pct").replace("/", "_")


def _run(
    request: DeployRequest, progress: Progress, task: Task | None, steps: Steps, cluster: Cluster | None
) -> dict[Path, Written]:
    searching = asked_for(request)  # a file of an agent that cannot be used shows before the long work
    prepared = prepare(request, progress, task, steps, cluster)
    aimed = _aimed(request, prepared.targets)
    searching, prepared = learned(searching, list(aimed.values()), request, prepared, progress)
    prepared = solve_side_by_side(list(aimed.values()), request, prepared, searching, progress)
    found: dict[Path, Written] = {}
    for place, target in aimed.items():
        found[place] = deploy_to(target, place, request, prepared, searching, progress)
        if not searching.interrupted:  # who wished to end meant the whole run
            searching = replace(searching, interrupted=found[place].pruned.to_end)
    if not any(each.pruned.interrupted for each in found.values()):
        prepared.journal.remove()
    return found


def _aimed(request: DeployRequest, targets: Sequence[Target]) -> dict[Path, Target]:
    """Each chip that can be aimed at, at each budget, by the folder that its result will stand in."""
    found = {}
    for target in targets:
        folder = request.folder(target.chip)
        if not request.pareto:
            found[folder] = target
        for budget in request.pareto:
            found[folder / _front_name(budget.granted)] = target.with_synops_limit(budget)
    return found


def deploy_to(
    target: Target,
    folder: Path,
    request: DeployRequest,
    prepared: Prepared,
    searching: Searching,
    progress: Progress,
) -> Written:
    """Search, fine-tune, write, run and judge for one target."""
    clock = Clock(progress, prepared.seconds, prepared.notices)
    target, pruned = solved(target, request, prepared, searching, clock)
    return write_result(pruned, target, folder, request, prepared, clock)


def _check_modes(request: DeployRequest) -> None:
    """Whether budgets and a front can be held together.

    Raises:
        BudgetError: two of them set mean SynOps, or a front is over something else, or of a single budget.

    """
    on_synops = [budget.granted for budget in request.limits if budget.quantity is SYNOPS]
    if request.pareto and on_synops:
        raise BudgetError(
            f"a front over {', '.join(budget.granted for budget in request.pareto)} sets the budgets of SynOps itself,"
            f" and budget {on_synops[0]} gives another; drop one"
        )
    for budget in request.pareto:
        if budget.quantity is not SYNOPS:
            raise BudgetError(f"a front over {budget.granted}: is no budget of SynOps, such as 30% or 120k")
    if len(request.pareto) == 1:
        only = request.pareto[0].granted
        raise BudgetError(f"a front over {only} alone: give two budgets or more, such as 50%,30%, or a single budget")
