"""`spear-deploy check MODEL --target CHIP`: does it fit, and if not, why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from spear_deploy.cli.console import TerminalProgress, err, out
from spear_deploy.cli.gates import Budgets, FailOn
from spear_deploy.cli.reading import (
    Arch,
    Data,
    Dt,
    InputEncoding,
    InputShape,
    Memory,
    OutputObjective,
    OutputReadOut,
    TimeSteps,
    reading,
)
from spear_deploy.cli.targets import Target
from spear_deploy.jobs.asked import budgets_of, gates_of, memory_of
from spear_deploy.jobs.check import SAMPLES, subjects_of
from spear_deploy.jobs.check import check as run_check
from spear_deploy.jobs.chips import chips_of
from spear_deploy.report.chip_json import held_json, row_json
from spear_deploy.report.pictures.core_picture import row_svg
from spear_deploy.report.pictures.file import write_picture
from spear_deploy.report.terminal.check import check_text

EPILOG = """
Examples:

  spear-deploy check model.pt --target loihi2

  spear-deploy check model.pt --target my_chip.toml --svg cores.svg

  spear-deploy check model.pt --target loihi1 --adapt

  spear-deploy check model.pt --target loihi2 --budget 50us --budget core-step=5k --fail-on misfit,budget,unknown

Exit code 0: it passes every gate of --fail-on on every target; 1: it does not; 2: bad input.
"""


def check(
    model: Annotated[Path, typer.Argument(help="Model file, dense or pruned.")],
    target: Target = "loihi2",
    data: Data = None,
    samples: Annotated[
        int | None,
        typer.Option(
            min=1, help="Test samples, spread over the split, whose spikes are measured.", show_default=str(SAMPLES)
        ),
    ] = None,
    arch: Arch = None,
    input_shape: InputShape = None,
    time_steps: TimeSteps = None,
    dt: Dt = None,
    encoding: InputEncoding = None,
    read_out: OutputReadOut = None,
    objective: OutputObjective = None,
    adapt: Annotated[
        bool, typer.Option("--adapt", help="Convert what a chip forbids, show what it did, and check the result.")
    ] = False,
    budget: Budgets = None,
    fail_on: FailOn = "misfit,budget",
    memory: Memory = None,
    svg: Annotated[Path | None, typer.Option(help="Write a picture of the core map.", metavar="FILE")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")] = False,
) -> None:
    """Hold MODEL against every limit and rule of a chip; say which binds, where, and how to mend it."""
    profiles, limits, at = chips_of(target), budgets_of(budget or ()), gates_of(fail_on)
    bound = memory_of(memory)
    given = reading(arch, input_shape, time_steps, dt, encoding, read_out, objective)
    tell = TerminalProgress().notice
    (subject,) = subjects_of([model], data, samples, given, tell, bound)
    found = [run_check(subject, profile, adapt=adapt, limits=limits, tell=tell) for profile in profiles]
    if as_json:
        content = [
            row_json(each.row, cores=True)
            | {"measured": each.origin, "adaptations": each.adaptations, "budgets": held_json(each.held)}
            | {"told": list(each.told)}
            for each in found
        ]
        print(json.dumps(content[0] if len(content) == 1 else content, indent=2))
    else:
        for each in found:
            out.print(check_text(each.row))
            for line in (*each.lines, *(held.text for held in each.held)):
                out.print(line)
            out.print(each.origin_text)
    if svg is not None:
        for each in found:
            profile = each.row.profile
            picture = row_svg(each.row)
            if picture is None:
                err.print(f"{profile.name}: no core map: the profile names no routers")
                continue
            path = svg if len(found) == 1 else svg.with_stem(f"{svg.stem}-{profile.name}")
            write_picture(path, picture)
            err.print(f"written to {path}")
    stopped = [line for each in found for line in each.stopped_at(at)]
    for line in stopped:
        err.print(line)
    if stopped:
        raise typer.Exit(1)
