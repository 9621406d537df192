"""`spear-deploy export MODEL --to nir,onnx,lava`: a model in other formats, each proven equal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spear_deploy.backends.fixed_point.weight_bits import parse_weight_bits
from spear_deploy.cli.console import TerminalProgress, out
from spear_deploy.cli.lava_python import LavaPython
from spear_deploy.cli.reading import Arch, Dt, FileFormat, InputEncoding, InputShape, OutputReadOut, TimeSteps, reading
from spear_deploy.errors import ExportError
from spear_deploy.exporting import ExportEntry, available, exporter
from spear_deploy.jobs.export import DEFAULT_TARGET, ExportRequest, run_bundle, run_export

EPILOG = """
Examples:

  spear-deploy export model.pt --to nir --out exported

  spear-deploy export model.pt --to onnx --form unroll

  spear-deploy export runs/digits-loihi2/pruned.pt --to bundle --target loihi2

  spear-deploy export model.pt --to netx --target loihi2 --format netx

  spear-deploy export model.pt --to lava,nir --fixed --target loihi1 --weight-bits 6

  spear-deploy export --list
"""

BUNDLE = "bundle"


def export(
    model: Annotated[Path | None, typer.Argument(help="Model file.")] = None,
    to: Annotated[str, typer.Option("--to", help="Formats, separated by commas; see --list.")] = "nir",
    out_folder: Annotated[Path, typer.Option("--out", help="Folder for the files.")] = Path(),
    data: Annotated[str | None, typer.Option(help="Data to prove it on; else the model's own, else made up.")] = None,
    arch: Arch = None,
    input_shape: InputShape = None,
    time_steps: TimeSteps = None,
    dt: Dt = None,
    encoding: InputEncoding = None,
    read_out: OutputReadOut = None,
    portable: Annotated[
        bool, typer.Option("--portable", help="NIR: only what any faithful reader runs alike, or refuse.")
    ] = False,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            help="Chip whose integers are written, a name or TOML file; a bundle gets its profile.",
            show_default=DEFAULT_TARGET,
        ),
    ] = None,
    weight_bits: Annotated[
        str | None, typer.Option("--weight-bits", help="Fewer bits than the chip's: 6, or conv1=8,fc=4.")
    ] = None,
    file_format: FileFormat = None,
    adapt: Annotated[
        bool, typer.Option("--adapt", help="Convert what the chip forbids, before anything else.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the encoding of the samples.")] = 0,
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
        typer.Option("--fixed", help="Lava: the script in fixed point. NIR: the chip's rounded values, with scales."),
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
    request = ExportRequest(
        model=model,
        formats=tuple(word.strip() for word in to.split(",")),
        out=out_folder,
        reading=reading(arch, input_shape, time_steps, dt, encoding, read_out),
        data=data,
        target=target,
        weight_bits=parse_weight_bits(weight_bits),
        file_format=file_format,
        adapt=adapt,
        seed=seed,
        verify=verify,
        options={
            "portable": portable,
            "form": form,
            "opset": opset,
            "int8": int8,
            "fixed": fixed,
            "python": lava_python,
        },
        force=force,
    )
    if BUNDLE not in request.formats:
        _show(run_export(request, TerminalProgress()), out_folder)
        return
    if request.formats != (BUNDLE,):
        raise ExportError("a bundle holds all formats: give --to bundle alone")
    _show(*run_bundle(request, TerminalProgress()))


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
    whom = "the model" if entry.integers is None else f"these integers of {entry.integers.target}"
    return f"equal to {whom} in {len(found.layers or {})} layers, {found.spikes:,} spikes{ties} ({found.arithmetic})"
