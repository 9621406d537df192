"""The option that names another interpreter for Lava; the same for every verb that runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LavaPython = Annotated[
    Path | None,
    typer.Option("--lava-python", help="Python that has Lava.", show_default="this one", metavar="PATH"),
]
