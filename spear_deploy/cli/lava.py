"""`spear-deploy lava install|status`: Lava beside spear-deploy."""

from __future__ import annotations

import typer

from spear_deploy.cli.console import err, out
from spear_deploy.cli.lava_python import LavaPython
from spear_deploy.jobs.lava import lava_lines, lava_status, ready_lava

app = typer.Typer(no_args_is_help=True, help="Install Lava, or say how it runs here.")


@app.command()
def install() -> None:
    """Install lava-nc and what it imports into this Python."""
    for line in lava_lines(ready_lava(lambda text: err.print(text))):
        out.print(line)


@app.command()
def status(lava_python: LavaPython = None) -> None:
    """Say how Lava runs here, and what to type if it does not."""
    found = lava_status(lava_python)
    for line in lava_lines(found):
        out.print(line)
    if not found.available:
        raise typer.Exit(1)
