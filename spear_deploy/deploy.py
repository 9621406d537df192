"""The main job: from a trained network and a chip to a pruned network that keeps its budget there."""

from __future__ import annotations

import torch

from spear_deploy.on_target import OnTarget
from spear_deploy.preparation import Prepared, prepare
from spear_deploy.progress import Clock, Progress
from spear_deploy.report import Report
from spear_deploy.request import DeployRequest
from spear_deploy.result import write_result
from spear_deploy.run_folder import check_writable
from spear_deploy.solution import solve


def deploy(request: DeployRequest, progress: Progress) -> dict[str, Report]:
    """Prune the model for each target and write a folder for each; one report a target, by its name.

    LRE's samples are made once and serve all targets. Of several targets, one that cannot run
    the network is told and left out.

    Raises:
        SpearDeployError: something in the request cannot be used; see its subclasses.

    """
    for target in request.targets:
        check_writable(request.folder(target), force=request.force)
    torch.set_num_threads(request.threads)
    torch.set_flush_denormal(True)
    prepared = prepare(request, progress)
    return {target.profile.name: deploy_to(target, request, prepared, progress) for target in prepared.targets}


def deploy_to(target: OnTarget, request: DeployRequest, prepared: Prepared, progress: Progress) -> Report:
    """Search, fine-tune, write, run and judge for one target."""
    clock = Clock(progress, prepared.seconds)
    solution = solve(target, request, prepared, clock)
    return write_result(solution, request, prepared, clock)
