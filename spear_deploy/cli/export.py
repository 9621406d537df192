"""`spear-deploy export MODEL --to nir,onnx,lava`: a model in other formats, each proven equal."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import Parameter
from pathlib import Path
from typing import Annotated

import typer

from spear_deploy.cli.console import TerminalProgress, err, out
from spear_deploy.cli.lava_python import LavaPython
from spear_deploy.cli.options import with_options
from spear_deploy.cli.reading import (
    Arch,
    Dt,
    FileFormat,
    InputEncoding,
    InputShape,
    OutputObjective,
    OutputReadOut,
    TimeSteps,
    reading,
)
from spear_deploy.errors import ExportError, quoted
from spear_deploy.jobs.asked import weight_bits_of
from spear_deploy.jobs.chips import DEFAULT_TARGET
from spear_deploy.jobs.export.bundle import run_bundle
from spear_deploy.jobs.export.export import not_written, run_export
from spear_deploy.jobs.export.formats import Option, available, formats, options
from spear_deploy.jobs.export.request import ExportRequest

EPILOG = """
Examples:

  spear-deploy export model.pt --to nir --out exported

  spear-deploy export model.pt --to onnx --form unroll

  spear-deploy export runs/digits-loihi2 --to bundle

  spear-deploy export runs/digits-loihi2 --to nir,lava --fixed --out exported

  spear-deploy export model.pt --to netx --target loihi2 --format netx

  spear-deploy export model.pt --to lava,nir --fixed --target loihi1 --weight-bits 6

  spear-deploy export --list

Exit code 0: every format that was asked for is written; 1: one of them was refused, and others are written; 2: bad
input, or no format can say the network.
"""

BUNDLE = "bundle"


def _flag(option: Option) -> Parameter:
    """What exporters leave to the user, as an option of the verb."""
    kind = type(option.default)
    says = "; ".join(f"{name}: {what}" for name, what in option.says.items())
    flags = (f"--{option.name.replace('_', '-')}",) if kind is bool else ()
    annotation = Annotated[kind, typer.Option(*flags, help=f"{says}.")]  # type: ignore[valid-type]
    return Parameter(option.name, Parameter.KEYWORD_ONLY, default=option.default, annotation=annotation)


DECLARED = {option.name: option for option in options()}


@with_options(map(_flag, DECLARED.values()))
def export(
    model: Annotated[Path | None, typer.Argument(help="Model file, or the folder of a run.")] = None,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", help="Formats, separated by commas; see --list.", show_default="nir", metavar="NAME,.."),
    ] = None,
    out_folder: Annotated[Path, typer.Option("--out", help="Folder for the files.")] = Path(),
    data: Annotated[str | None, typer.Option(help="Data to prove it on; else the model's own, else made up.")] = None,
    arch: Arch = None,
    input_shape: InputShape = None,
    time_steps: TimeSteps = None,
    dt: Dt = None,
    encoding: InputEncoding = None,
    read_out: OutputReadOut = None,
    objective: OutputObjective = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            help="Chip whose integers are written, a name or TOML file; a bundle gets its profile.",
            show_default=f"{DEFAULT_TARGET}, or the run's",
        ),
    ] = None,
    weight_bits: Annotated[
        str | None, typer.Option("--weight-bits", help="Fewer bits than the chip's: 6, or conv1=8,fc=4.")
    ] = None,
    file_format: FileFormat = None,
    adapt: Annotated[
        bool, typer.Option("--adapt", help="Convert what the chip forbids, before anything else.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the encoding of the samples.", show_default="0, or the run's")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Run each file and compare it with the model.")
    ] = True,
    lava_python: LavaPython = None,
    list_formats: Annotated[bool, typer.Option("--list", help="List the formats.")] = False,
    **chosen: object,
) -> None:
    """Write MODEL in other formats, and prove that each does what the model does."""
    if list_formats:
        _list()
        return
    if model is None:
        raise ExportError("which model? spear-deploy export MODEL --to nir (or --list for the formats)")
    request = ExportRequest(
        model=model,
        formats=tuple(word.strip() for each in to or ["nir"] for word in each.split(",")),
        out=out_folder,
        reading=reading(arch, input_shape, time_steps, dt, encoding, read_out, objective),
        data=data,
        target=target,
        weight_bits=None if weight_bits is None else weight_bits_of(weight_bits),
        file_format=file_format,
        adapt=adapt,
        seed=seed,
        verify=verify,
        options={key: value for key, value in chosen.items() if value != DECLARED[key].default},
        lava_python=lava_python,
        force=force,
    )
    _check_known(request.formats)
    if BUNDLE not in request.formats:
        entries, folder = run_export(request, TerminalProgress()), out_folder
    elif request.formats == (BUNDLE,):
        entries, folder = run_bundle(request, TerminalProgress())
    else:
        raise ExportError("a bundle holds all formats: give --to bundle alone")
    for entry in entries:
        for line in entry.lines(folder):
            out.print(line)
    if missing := [] if BUNDLE in request.formats else not_written(request.formats, entries):
        err.print(f"NOT OK: asked for, and refused: {', '.join(missing)}")
        raise typer.Exit(1)


def _check_known(names: Sequence[str]) -> None:
    known = (*available(), BUNDLE)
    for name in names:
        if name not in known:
            raise ExportError(f"no format called {quoted(name)}; known: {', '.join(known)}")


def _list() -> None:
    for each in formats():
        says = f"{each.suffix:<10} {each.says}" if not each.fault else f"not usable: {each.fault}"
        out.print(f"{each.name:<8} {says} [{each.package}]")
    out.print(f"{BUNDLE:<8} .bundle.zip all of spear-deploy's in one zip, with report and profile [spear-deploy]")
