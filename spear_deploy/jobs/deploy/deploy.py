"""The main job: from a trained network and a chip to a pruned network that keeps its budget there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from spear_deploy.errors import (
    BackendError,
    BudgetError,
    ExportError,
    ModelError,
    ProfileError,
    SearchError,
    SpearDeployError,
    in_full,
)
from spear_deploy.hardware import SYNOPS, Profile
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

OF_ONE = (*REFUSALS, BackendError, ExportError)
"""Faults that one chip or budget has and others need not: what is full, broken or missing beside them ends all."""


@dataclass(frozen=True)
class Results:
    """What came of a run.

    Attributes:
        written: each result, by the folder that it stands in.
        left_out: why a result that was asked for is not among them, by the folder that it would stand in.

    """

    written: Mapping[Path, Written]
    left_out: Mapping[Path, str] = field(default_factory=dict)


def deploy(request: DeployRequest, progress: Progress) -> dict[Path, Report]:
    """Prune the model for each target, or for each budget of a front; one report by the folder that it stands in.

    See `run`.
    """
    return {place: written.report for place, written in run(request, progress).written.items()}


def run(request: DeployRequest, progress: Progress, task: Task | None = None) -> Results:
    """Prune the model for each target, or for each budget of a front.

    `task` is the model with its data, where they lie in no file.

    LRE's samples are made once and serve all. Of several targets or budgets, one that the network
    cannot be brought to is told and left out. With a cache, what is finished is kept there until all is: the
    same request goes on from it, and ends as if it had not been interrupted.

    Raises:
        SpearDeployError: something in the request cannot be used, or no result came of it; see its subclasses.

    """
    _check_modes(request)
    check_trainable(request)
    device_named(request.device)  # one that is not there shows before the long work
    reuse_memory()
    with locked(request.out):
        places = _all_places(request)
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


def _all_places(request: DeployRequest) -> list[Path]:
    """All folders that results will stand in."""
    return [place for chip in request.targets for place in _places(request, chip)]


def _places(request: DeployRequest, chip: Profile) -> list[Path]:
    """The folders that the results for one chip will stand in."""
    folder = request.folder(chip)
    return [folder / _front_name(budget.granted) for budget in request.pareto] or [folder]


def _front_name(budget: str) -> str:
    return budget.replace("%", "pct").replace("/", "_")


def _run(
    request: DeployRequest, progress: Progress, task: Task | None, steps: Steps, cluster: Cluster | None
) -> Results:
    searching = asked_for(request)  # a file of an agent that cannot be used shows before the long work
    prepared = prepare(request, progress, task, steps, cluster)
    aimed = _aimed(request, prepared.targets)
    searching, prepared = learned(searching, list(aimed.values()), request, prepared, progress)
    prepared = solve_side_by_side(list(aimed.values()), request, prepared, searching, progress)
    found: dict[Path, Written] = {}
    faults: dict[Path, SpearDeployError] = {}
    for place, target in aimed.items():
        try:
            found[place] = deploy_to(target, place, request, prepared, searching, progress)
        except OF_ONE as error:
            faults[place] = error
            if len(faults) == len(aimed):
                raise
            progress.notice(f"{place.relative_to(request.out)} is left out: {in_full(error)}")
        else:
            if not searching.interrupted:  # who wished to end meant the whole run
                searching = replace(searching, interrupted=found[place].pruned.to_end)
    cut = any(each.pruned.interrupted for each in found.values())
    if not cut and all(isinstance(error, REFUSALS) for error in faults.values()):
        prepared.journal.remove()
    for chip in request.targets:
        if chip.name in prepared.left_out:
            faults |= dict.fromkeys(_places(request, chip), prepared.left_out[chip.name])
    return Results(found, {place: in_full(error) for place, error in faults.items()})


def _aimed(request: DeployRequest, targets: Sequence[Target]) -> dict[Path, Target]:
    """Each chip that can be aimed at, at each budget, by the folder that its result will stand in."""
    found: dict[Path, Target] = {}
    for target in targets:
        at_budgets = [target.with_synops_limit(budget) for budget in request.pareto] or [target]
        found.update(zip(_places(request, target.chip), at_budgets, strict=True))
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
