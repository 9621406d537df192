"""`spear-deploy reproduce RUN`: the run once more, held against what it found."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from spear_deploy.cli.console import TerminalProgress, err, out
from spear_deploy.jobs.reproduce import Reproduced
from spear_deploy.jobs.reproduce import reproduce as run_reproduce

EPILOG = """
Examples:

  spear-deploy reproduce runs/model-loihi2-20260101-120000

  spear-deploy reproduce runs/mine --model elsewhere/model.pt --data elsewhere/samples.npz

Exit code 0 where all weights and figures are the same, 1 where one differs, 2 where the run cannot be repeated.
"""

SHOWN = 20
"""Figures that differ and are shown; --json lists all."""


def reproduce(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    model: Annotated[
        Path | None,
        typer.Option(
            help="Where the model file lies now; of a run from Python, one of its network.", show_default="where it lay"
        ),
    ] = None,
    data: Annotated[str | None, typer.Option(help="Where the data lie now.", show_default="where they lay")] = None,
    agent: Annotated[
        Path | None, typer.Option(help="Where the agent lies now that the run carried.", show_default="where it lay")
    ] = None,
    arch: Annotated[
        str | None, typer.Option(help="The network's module:factory, whose code is run; the report's is not.")
    ] = None,
    lava_python: Annotated[
        Path | None, typer.Option(help="An interpreter that has Lava; the report's is not started.")
    ] = None,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Keep the repetition here.", show_default="it is not kept")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")] = False,
) -> None:
    """Repeat RUN from what its report records, and compare weights and figures."""
    found = run_reproduce(
        run, TerminalProgress(), model=model, data=data, agent=agent, arch=arch, lava_python=lava_python, out=out_folder
    )
    if as_json:
        print(json.dumps({**asdict(found), "run": str(found.run), "same": found.same}, indent=2))
    else:
        _show(found)
    if not found.same:
        raise typer.Exit(1)


def _show(found: Reproduced) -> None:
    for each in found.versions:
        err.print(f"{each.key} was {each.then or 'not there'}, is {each.now or 'not there'} now", style="yellow")
    for name in found.not_compared:
        err.print(f"{name}: how many samples it runs depends on the time that it has; not compared", style="yellow")
    for name, same in found.weights.items():
        out.print(f"{name:<12} {'the same bytes' if same else 'DIFFERS'}")
    for name in found.missing:
        out.print(f"{name:<12} missing in the run, not compared")
    out.print(f"{'figures':<12} {found.figures - len(found.differing):,} of {found.figures:,} are the same")
    for each in found.differing[:SHOWN]:
        out.print(f"  {each.key}: {each.then} then, {each.now} now")
    if len(found.differing) > SHOWN:
        out.print(f"  and {len(found.differing) - SHOWN:,} more")
    left = f", but for {', '.join(found.missing)}" if found.missing else ""
    out.print(f"OK: the run is reproduced{left}" if found.same else "NOT OK: the run is not reproduced")
