"""Going on with a run that was not finished: `--resume RUN`, and the command that says so."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from spear_deploy.cli.cache import cache_folder
from spear_deploy.cli.options import typed
from spear_deploy.cli.spelling import named
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.resuming import unfinished, unfinished_request

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

WITH_RESUME = ("resume", "cache", "ray", "as_json")
"""Options that may be given beside `--resume`; all others are the run's."""


def resumed(options: DataclassInstance, run: Path, cache: Path | None, ray: str | None) -> DeployRequest:
    """The request of an unfinished run.

    Args:
        options: all that was typed.
        run: the folder that the run's result goes to.
        cache: where its steps are kept.
        ray: machines that go on with it.

    Raises:
        BadParameter: another option was typed as well.
        RunError: there is no such run.

    """
    others = [name for name in typed(options) if name not in WITH_RESUME]
    if others:
        found = ", ".join("MODEL" if name == "model" else named(name) for name in others)
        raise typer.BadParameter(f"--resume takes all options from the run; leave out {found}")
    return replace(unfinished_request(cache or cache_folder(), run), cache=cache, ray=ray)


def command_that_goes_on(request: DeployRequest) -> str:
    """How to go on with a run that was not finished; empty where nothing of it is kept."""
    found = None if request.cache is None else unfinished(request.cache, request.out)
    if found is None or not found.steps:
        return ""
    cache = "" if request.cache == cache_folder() else f" --cache {shlex.quote(str(request.cache))}"
    out = shlex.quote(str(request.out))
    return f"{found.steps} finished steps are kept; go on with: spear-deploy --resume {out}{cache}"
