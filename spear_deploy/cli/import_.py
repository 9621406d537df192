"""`spear-deploy import BUNDLE.zip`: check a bundle, unpack it and run what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from spear_deploy.cli.console import out
from spear_deploy.errors import ExportError
from spear_deploy.exporting import ExportEntry, Exporter, check_faithful, exporter, read_record, sample_inputs
from spear_deploy.exporting.bundle import Manifest, open_bundle
from spear_deploy.files import complete_or_nothing
from spear_deploy.network import Model, read_nir
from spear_deploy.outside.npz import read_npz
from spear_deploy.outside.refusal import RefusedError, first_line

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
        if chosen.fixed:
            lines.append(f"{name}: {path.name} runs: {_fires_as_recorded(chosen, entry, path, _packed(model, folder))}")
            continue
        comparison = check_faithful(chosen, model, path, sample_inputs(model))
        if not comparison.equal:
            raise ExportError(f"{path.name}: does not do what the network of the bundle does: {comparison.fault}")
        lines.append(
            f"{name}: {path.name} runs: equal in {len(comparison.layers)} layers, {comparison.spikes:,} spikes"
        )
    return lines


def _packed(model: Model, folder: Path) -> Tensor | None:
    """The samples in the weights of the Lava script, those that the sender proved the files on; None without."""
    for path in sorted(folder.glob("*_lava.npz")):
        try:
            arrays, _ = read_npz(path, {"inputs"})
            held = torch.from_numpy(np.array(arrays["inputs"], dtype=np.float64))
        except (RefusedError, LookupError, TypeError, ValueError) as error:
            raise ExportError(f"{path.name}: holds no samples ({first_line(error)})") from None
        return held.expand(model.time_steps, *held.shape) if held.ndim == 1 + len(model.network.input_shape) else held
    return None


def _fires_as_recorded(chosen: Exporter, entry: ExportEntry, path: Path, samples: Tensor | None) -> str:
    """Hold the spikes of a file of integers against those that its record promises on the same samples.

    Raises:
        ExportError: a layer fires another number of times.

    """
    if samples is None or not entry.verification.layers:
        return "not compared: the bundle holds no proof of it"
    fired = {name: int((values != 0).sum()) for name, values in chosen.run(path, samples).items()}
    promised = {name: layer.spikes for name, layer in entry.verification.layers.items()}
    if fired != promised:
        raise ExportError(f"{path.name}: fires {fired} times, its record says {promised}")
    return f"fires {sum(fired.values()):,} times in {len(fired)} layers, as its record says"
