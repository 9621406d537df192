"""What `check` and `compare` stop a pipeline at."""

from __future__ import annotations

from typing import Annotated

import typer

from spear_deploy.jobs.asked import GATES

Budgets = Annotated[
    list[str] | None,
    typer.Option(
        "--budget", help="A budget that the model is held to, such as 120k, 3uJ, 2ms, core-step=5k; repeatable."
    ),
]
FailOn = Annotated[str, typer.Option(help=f"Exit with 1 at any of these: {', '.join(GATES)}.", metavar="A,B")]
