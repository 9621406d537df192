"""The job of `import`: check a bundle, unpack it and run what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spear_deploy.errors import ExportError
from spear_deploy.exporting import ExportEntry, Exporter, check_faithful, exporter, read_record, sample_inputs
from spear_deploy.exporting.bundle import Manifest, open_bundle
from spear_deploy.jobs.torch_settings import torch_settings
from spear_deploy.network import Model, read_nir
from spear_deploy.system.files import complete_or_nothing
from spear_deploy.system.locks import locked
from spear_deploy.system.outside.npz import read_npz
from spear_deploy.system.outside.refusal import RefusedError, first_line

DATA_FORMATS = ("nir", "onnx", "netx")
"""Formats that are data. A script is code of whoever sent the bundle, and is never run here."""


@dataclass(frozen=True)
class Imported:
    """A bundle that was unpacked.

    Attributes:
        files: how many it holds, all as its manifest says.
        ran: what each format did that was run, a sentence each.
        scripts: programs of whoever made it, which were not run.

    """

    files: int
    ran: tuple[str, ...]
    scripts: tuple[str, ...]


@torch_settings(flush=False)
def import_bundle(bundle: Path, folder: Path, *, force: bool = False) -> Imported:
    """Check a bundle, unpack it, and run every format in it against its own network.

    Raises:
        ExportError: it is damaged, or a file in it does not do what its network does.
        OutputError: the folder exists (without `force`), or cannot be written.

    """
    with locked(folder), complete_or_nothing(folder, force=force) as working:
        manifest = open_bundle(bundle, working)
        model = read_nir(working / manifest.model)
        ran = [line for name in DATA_FORMATS for line in _run(name, model, working, manifest)]
    scripts = sorted(name for name in manifest.files if name.endswith(".py"))
    return Imported(len(manifest.files), tuple(ran), tuple(scripts))


def _run(name: str, model: Model, folder: Path, manifest: Manifest) -> list[str]:
    record = read_record(folder)
    entries = [entry for entry in (record.exports if record else []) if entry.format == name and entry.files]
    lines = []
    for entry in entries:
        chosen = exporter(name, entry.options)
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
        layers = f"{len(comparison.layers)} layers, {comparison.spikes:,} spikes"
        lines.append(f"{name}: {path.name} runs: equal to {chosen.reference} in {layers}")
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
