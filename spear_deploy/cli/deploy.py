"""`spear-deploy [deploy] MODEL --target CHIP`: the main job."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace

import typer

from spear_deploy.cli.console import TerminalProgress, err, out
from spear_deploy.cli.deploy_options import PANELS, DeployOptions
from spear_deploy.cli.options import filled_from
from spear_deploy.cli.resuming import command_that_goes_on
from spear_deploy.cli.summary import front, summary
from spear_deploy.jobs.deploy.deploy import run as run_deploy
from spear_deploy.system.locks import own_name

EPILOG = """
Examples:

  spear-deploy --target loihi2 model.pt

  spear-deploy --target loihi1,loihi2 --budget 30% --seed 1 model.pt

  spear-deploy --quick --budget 30% model.pt    (a first look, in a fraction of the time)

  spear-deploy --max-drop 1.0 model.pt

  spear-deploy --budget 30% --max-drop 1.0 --min-accuracy 90 model.pt

  spear-deploy --pareto 70%,50%,30%,15% model.pt

  spear-deploy --target my_chip.toml --budget 120k --budget cores=4 --json model.pt > report.json

  spear-deploy --resume runs/model-loihi2-20260101-120000    (after Ctrl-C, a crash or kill -9)
"""


@filled_from(DeployOptions, PANELS)
def deploy(asked: DeployOptions) -> None:
    """Prune MODEL until it fits a chip and its budget, and measure what it does there."""
    request = asked.request()
    with own_name(request.out) if asked.names_no_folder else nullcontext(request.out) as folder:
        request = replace(request, out=folder)
        try:
            results = run_deploy(request, TerminalProgress())
        except BaseException as error:
            way_on = command_that_goes_on(request)
            if way_on:
                error.add_note(way_on)
            raise
    reports = {place: each.report for place, each in results.written.items()}
    unfinished = results.left_out or any(report.interrupted for report in reports.values())
    if unfinished and (way_on := command_that_goes_on(request)):
        err.print(way_on)
    if asked.as_json:
        content = [report.model_dump(mode="json") for report in reports.values()]
        print(json.dumps(content[0] if len(request.targets) == 1 and not request.pareto else content, indent=2))
    else:
        for folder, report in reports.items():
            out.print(summary(report, folder))
        if request.pareto:
            out.print(front(reports))
    if results.left_out:
        names = (str(place.relative_to(request.out)) for place in results.left_out)
        err.print(f"NOT OK: left out, as told above: {', '.join(sorted(names))}")
    if results.left_out or not all(report.verdict.ok for report in reports.values()):
        raise typer.Exit(1)
