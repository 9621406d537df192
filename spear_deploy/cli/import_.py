"""`spear-deploy import BUNDLE.zip`: check a bundle, unpack it and run what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer

from spear_deploy.cli.console import out
from spear_deploy.errors import ExportError
from spear_deploy.exporting import check_faithful, exporter, read_record, sample_inputs
from spear_deploy.exporting.bundle import Manifest, open_bundle
from spear_deploy.files import complete_or_nothing
from spear_deploy.network import Model, read_nir

EPILOG = """
Example:

  spear-deploy import pruned.bundle.zip --out from_colleague
"""

DATA_FORMATS = ("nir", "onnx", "netx")
"""Formats that are data. A script is code of whoever sent the bundle, and is never run here."""


def import_bundle(
    bundle: Annotated[Path, typer.Argument(help="Bundle, as export --to bundle writes it.")],
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for its files.", show_default="its name")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder.")] = False,
) -> None:
    """Check BUNDLE, unpack it, and run every format in it against its own network."""
    torch.set_num_threads(1)
    folder = Path(bundle.name.removesuffix(".zip")) if out_folder is None else out_folder
    with complete_or_nothing(folder, force=force) as working:
        manifest = open_bundle(bundle, working)
        model = read_nir(working / manifest.model)
        found = [line for name in DATA_FORMATS for line in _run(name, model, working, manifest)]
    out.print(f"{bundle}: {len(manifest.files)} files, all as the manifest says, unpacked to {folder}")
    for line in found:
        out.print(line)
    scripts = sorted(name for name in manifest.files if name.endswith(".py"))
    for script in scripts:
        out.print(f"lava: not run: {script} is a program of whoever made the bundle; read it, then run it with python")


def _run(name: str, model: Model, folder: Path, manifest: Manifest) -> list[str]:
    record = read_record(folder)
    entries = [entry for entry in (record.exports if record else []) if entry.format == name and entry.files]
    lines = []
    for entry in entries:
        chosen = exporter(name)
        file = next(iter(entry.files))
        if file not in manifest.files:
            raise ExportError(f"{file}: in the record of the bundle, but not in it")
        path = folder / file
        comparison = check_faithful(chosen, model, path, sample_inputs(model))
        if not comparison.equal:
            raise ExportError(f"{path.name}: does not do what the network of the bundle does: {comparison.fault}")
        lines.append(
            f"{name}: {path.name} runs: equal in {len(comparison.layers)} layers, {comparison.spikes:,} spikes"
        )
    return lines
