"""`spear-deploy groups MODEL`: which channels hang together, and why some may not be removed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from spear_deploy.cli.console import out
from spear_deploy.cli.reading import (
    Arch,
    Dt,
    InputEncoding,
    InputShape,
    OutputObjective,
    OutputReadOut,
    TimeSteps,
    reading,
)
from spear_deploy.jobs.groups import groups as find_groups
from spear_deploy.report.terminal.table import Table

EPILOG = """
Examples:

  spear-deploy groups model.pt

  spear-deploy groups net.nir --time-steps 20 --json
"""


def groups(
    model: Annotated[Path, typer.Argument(help="Model file, dense or pruned.")],
    arch: Arch = None,
    input_shape: InputShape = None,
    time_steps: TimeSteps = None,
    dt: Dt = None,
    encoding: InputEncoding = None,
    read_out: OutputReadOut = None,
    objective: OutputObjective = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")] = False,
) -> None:
    """Show which channels of MODEL can only be pruned together, and why a group is fixed."""
    rows = find_groups(model, reading(arch, input_shape, time_steps, dt, encoding, read_out, objective))
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table("group", "channels", "layers", "made by", "read by", "may be pruned", title_justify="left")
    for row in rows:
        fixed = f"no: {row['fixed']}" if row["fixed"] else "yes" if row["prunable"] else "no: it has one channel"
        named = (", ".join(row[key]) or "-" for key in ("layers", "made_by", "read_by"))
        table.add_row(str(row["group"]), str(row["channels"]), *named, fixed)
    out.print(table)
