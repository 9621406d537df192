"""`spear-deploy calibrate PROFILE ROWS`: prices of a chip from what was measured on it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from spear_deploy.cli.console import err, out
from spear_deploy.jobs.calibrate import calibrate as run_calibration
from spear_deploy.report.terminal.calibration import calibration_text

EPILOG = """
Rows are CSV with a header; what is not known stays empty. A row is one measured inference: network (its name), chips,
synops, updates, spikes, messages, input_events, steps, core_synops and core_updates (in each step, of the core that
does most of it, summed over steps), mj_total, mj_dynamic, ms.
The counts of a network are in: spear-deploy check --json. A time is steps, the longer of core_synops and core_updates,
and input_events, each times its price: what check calls typical, with I/O where there are input_events.

Examples:

  spear-deploy calibrate loihi2 rows.csv --instrument "INA228 on the board's supply" --out mine.toml
"""


def calibrate(
    profile: Annotated[str, typer.Argument(help="Chip that the new profile inherits from: a name or a TOML file.")],
    rows: Annotated[Path, typer.Argument(help="CSV of measured inferences.", metavar="ROWS")],
    instrument: Annotated[str, typer.Option(help="What the measurements were made with.")],
    date: Annotated[str, typer.Option(help="Day on which they were made, such as 2026-05-01; today if not said.")] = "",
    out_file: Annotated[Path | None, typer.Option("--out", "-o", help="Write the profile.", metavar="FILE")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a profile that was written like this.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")] = False,
) -> None:
    """Fit energies and times of a chip to measurements, each with its interval, as a profile that inherits."""
    found = run_calibration(profile, rows, out_file, instrument=instrument, date=date, force=force)
    if as_json:
        print(json.dumps(asdict(found), indent=2))
    else:
        out.print(calibration_text(found))
    if out_file is not None:
        err.print(f"written to {out_file}")
