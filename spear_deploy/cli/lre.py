"""`spear-deploy lre RUN`: how well SynOps were predicted, from a run's report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spear_deploy.cli.console import out
from spear_deploy.report.reading import read_report
from spear_deploy.report.terminal.lre import lre_text

EPILOG = """
Examples:

  spear-deploy lre runs/digits-loihi2-20260101-120000

  spear-deploy lre --json runs/digits-loihi2-20260101-120000/report.json
"""


def lre(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or its report.json.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report's part on LRE alone on stdout.")] = False,
) -> None:
    """Show how LRE predicts SynOps after fine-tuning: every estimator's errors, and each sample."""
    report = read_report(run)
    if as_json:
        print(report.lre.model_dump_json(indent=2))
    else:
        out.print(lre_text(report))
