"""The option that names chips, the same for every verb that takes several."""

from __future__ import annotations

from typing import Annotated

import typer

Target = Annotated[
    str, typer.Option("--target", help="Chips, separated by commas: names, TOML files, or all.", metavar="NAME|FILE,..")
]
