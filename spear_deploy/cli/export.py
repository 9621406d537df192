"""`spear-deploy export MODEL --to nir,onnx,lava`: a model in other formats, each proven equal."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from spear_deploy.cli.console import TerminalProgress, out
from spear_deploy.cli.lava_python import LavaPython
from spear_deploy.cli.reading import Arch, Dt, InputShape, TimeSteps, reading, tell_notices
from spear_deploy.data import check_fits, encode, load_data
from spear_deploy.errors import DataError, ExportError, OutputError
from spear_deploy.exporting import Export, ExportEntry, Exporter, available, export_model, exporter, family
from spear_deploy.exporting.bundle import write_bundle
from spear_deploy.exporting.samples import sample_inputs, samples_to_prove
from spear_deploy.files import replaced_when_complete
from spear_deploy.hardware.chip.profile_files import load_profile, profile_text
from spear_deploy.jobs.task import data_source
from spear_deploy.network import Model

EPILOG = """
Examples:

  spear-deploy export model.pt --to nir --out exported

  spear-deploy export model.pt --to onnx --form unroll

  spear-deploy export runs/digits-loihi2/pruned.pt --to bundle --target loihi2

  spear-deploy export --list
"""

BUNDLED = ("nir", "onnx", "lava", "netx")


def export(
    model: Annotated[Path | None, typer.Argument(help="Model file.")] = None,
    to: Annotated[str, typer.Option("--to", help="Formats, separated by commas; see --list.")] = "nir",
    out_folder: Annotated[Path, typer.Option("--out", help="Folder for the files.")] = Path(),
    data: Annotated[str | None, typer.Option(help="Data to prove it on; else the model's own, else made up.")] = None,
    arch: Arch = None,
    input_shape: InputShape = None,
    time_steps: TimeSteps = None,
    dt: Dt = None,
    portable: Annotated[
        bool, typer.Option("--portable", help="NIR: only what any faithful reader runs alike, or refuse.")
    ] = False,
    target: Annotated[str | None, typer.Option("--target", help="Bundle: the chip whose profile goes in.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Run each file and compare it with the model.")
    ] = True,
    form: Annotated[
        str, typer.Option(help="ONNX: step (one time step, explicit states), scan or unroll (a whole inference).")
    ] = "step",
    opset: Annotated[int, typer.Option(help="ONNX: version of the operators.")] = 18,
    int8: Annotated[bool, typer.Option("--int8", help="ONNX: weights in 8 bits (QDQ).")] = False,
    fixed: Annotated[
        bool,
        typer.Option("--fixed", help="Lava: the script in fixed point. NIR: Loihi 2's rounded values, with scales."),
    ] = False,
    lava_python: LavaPython = None,
    list_formats: Annotated[bool, typer.Option("--list", help="List the formats.")] = False,
) -> None:
    """Write MODEL in other formats, and prove that each does what the model does."""
    if list_formats:
        _list()
        return
    if model is None:
        raise ExportError("which model? spear-deploy export MODEL --to nir (or --list for the formats)")
    torch.set_num_threads(1)  # sums in a fixed order
    loaded = reading(arch, input_shape, time_steps, dt).load(model)
    tell_notices(loaded, TerminalProgress())
    inputs, name = _inputs(model, loaded, data) if verify else (None, "")
    asked = Export(loaded, model, model.stem, inputs, name)
    options: dict[str, dict[str, object]] = {
        "nir": {"portable": portable, "fixed": fixed},
        "onnx": {"form": form, "opset": opset, "int8": int8},
        "lava": {"fixed": fixed, "python": lava_python},
    }
    if "bundle" in to.split(","):
        _bundle(asked, to, options, out_folder / f"{model.stem}.bundle.zip", target, force=force)
        return
    _show(export_model(asked, _chosen(to, options), out_folder, force=force), out_folder)


def _bundle(
    asked: Export,
    to: str,
    options: Mapping[str, Mapping[str, object]],
    path: Path,
    target: str | None,
    *,
    force: bool,
) -> None:
    """One zip of all our formats, the record, and what lies beside the model: report and profile."""
    if to != "bundle":
        raise ExportError("a bundle holds all formats: give --to bundle alone")
    if path.exists() and not force:
        raise OutputError(f"{path}: exists; choose another folder with --out, or --force")
    with tempfile.TemporaryDirectory(prefix="spear-deploy-bundle-") as name:
        folder = Path(name) / "files"
        entries = export_model(asked, [exporter(each, options.get(each)) for each in BUNDLED], folder, force=True)
        files = {file.name: file.read_bytes() for file in folder.iterdir()}
    report = asked.source.parent / "report.json"
    if report.is_file():
        files["report.json"] = report.read_bytes()
    if target is not None:
        files[f"{load_profile(target).name}.toml"] = profile_text(target).encode()
    with replaced_when_complete(path) as working:
        write_bundle(working, files, f"{asked.stem}.nir")
    _show(entries, path)


def _chosen(to: str, options: Mapping[str, Mapping[str, object]]) -> list[Exporter]:
    names = dict.fromkeys(each for word in to.split(",") for each in family(word.strip()))
    return [exporter(name, options.get(name)) for name in names]


def _inputs(path: Path, model: Model, data: str | None) -> tuple[Tensor, str]:
    """Real samples where the data can be found, and what they are."""
    source = data_source(path, model, data)
    if source is None:
        return sample_inputs(model), "made-up samples"
    try:
        found = load_data(source)
        check_fits(found, model.encoding, model.network.input_shape, model.classes)
        encoded = encode(found.test.first(samples_to_prove(model)), model.encoding, model.time_steps)
    except DataError as error:
        if data is not None:
            raise
        return sample_inputs(model), f"made-up samples ({error})"
    return encoded.as_float64(), f"{found.name}, first {len(encoded)} test samples"


def _list() -> None:
    for name, entry in available().items():
        offered = entry.dist.name if entry.dist is not None else "unknown"
        try:
            found = exporter(name)
            out.print(f"{name:<8} {found.suffix:<10} {found.says} [{offered}]")
        except ExportError as error:
            out.print(f"{name:<8} not usable: {error} [{offered}]")


def _show(entries: list[ExportEntry], folder: Path) -> None:
    for entry in entries:
        for reason in entry.refused:
            out.print(f"{entry.format}: refused: {reason}")
        if entry.files:
            files = ", ".join(str(folder / file) for file in entry.files)
            out.print(f"{entry.format}: written to {files}: {_proof(entry)}")


def _proof(entry: ExportEntry) -> str:
    found = entry.verification
    if not found.done:
        return f"NOT VERIFIED: {found.why_not}"
    if not found.spikes:
        return "NOTHING SPIKED on the samples, so nothing is proven: give --data that makes the network spike"
    ties = f", {found.ties} ties in {found.after_ties} samples" if found.ties else ""
    return f"equal to the model in {len(found.layers or {})} layers, {found.spikes:,} spikes{ties} ({found.arithmetic})"
