"""`spear-deploy lava install|status`: Lava beside spear-deploy."""

from __future__ import annotations

import typer

from spear_deploy.backends.lava import install as install_lava
from spear_deploy.backends.lava import status as lava_status
from spear_deploy.backends.lava.install import LavaStatus
from spear_deploy.cli.console import err, out
from spear_deploy.cli.lava_python import LavaPython

app = typer.Typer(no_args_is_help=True, help="Install Lava, or say how it runs here.")


@app.command()
def install() -> None:
    """Install lava-nc and what it imports into this Python."""
    found = lava_status()
    if not found.available:
        found = install_lava(lambda text: err.print(text))
    _show(found)


@app.command()
def status(lava_python: LavaPython = None) -> None:
    """Say how Lava runs here, and what to type if it does not."""
    found = lava_status(lava_python)
    _show(found)
    if not found.available:
        raise typer.Exit(1)


def _show(found: LavaStatus) -> None:
    out.print(f"python        {found.python}")
    if found.available:
        out.print(f"lava          {found.versions.get('lava', 'unknown')}")
        out.print(f"work-arounds  {'; '.join(found.work_arounds) or 'none needed'}")
    else:
        out.print(f"lava          not available: {found.missing}")
        out.print(found.advice)
