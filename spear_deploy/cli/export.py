"""`spear-deploy export MODEL --to nir`: a model in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spear_deploy.cli.console import out
from spear_deploy.errors import OutputError
from spear_deploy.exporting import exporter
from spear_deploy.network.load import load_any
from spear_deploy.run_folder import replaced_when_complete

EPILOG = """
Example:

  spear-deploy export model.pt --to nir --out exported
"""


def export(
    model: Annotated[Path, typer.Argument(help="Model file.")],
    to: Annotated[str, typer.Option("--to", help="Formats, separated by commas: nir.")] = "nir",
    out_folder: Annotated[Path, typer.Option("--out", help="Folder for the files.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
) -> None:
    """Write MODEL in other formats."""
    loaded = load_any(model)
    for name in to.split(","):
        chosen = exporter(name.strip())
        path = out_folder / f"{model.stem}{chosen.suffix}"
        if path.exists() and not force:
            raise OutputError(f"{path}: exists; choose another folder with --out, or --force")
        with replaced_when_complete(path) as working:
            chosen.write(loaded, working)
            chosen.read_back(working)
        out.print(f"written to {path}")
