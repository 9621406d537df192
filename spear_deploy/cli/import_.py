"""`spear-deploy import BUNDLE.zip`: check a bundle, unpack it and run what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spear_deploy.cli.console import out
from spear_deploy.jobs.import_bundle import import_bundle as run_import

EPILOG = """
Example:

  spear-deploy import pruned.bundle.zip --out from_colleague
"""


def import_bundle(
    bundle: Annotated[Path, typer.Argument(help="Bundle, as export --to bundle writes it.")],
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for its files.", show_default="its name")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder.")] = False,
) -> None:
    """Check BUNDLE, unpack it, and run every format in it against its own network."""
    folder = Path(bundle.stem) if out_folder is None else out_folder
    found = run_import(bundle, folder, force=force)
    out.print(f"{bundle}: {found.files} files, all as the manifest says, unpacked to {folder}")
    for line in found.ran:
        out.print(line)
    for script in found.scripts:
        out.print(f"lava: not run: {script} is a program of whoever made the bundle; read it, then run it with python")
