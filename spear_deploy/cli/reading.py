"""Options that name the data, and for files that do not say everything; the same for every verb."""

from __future__ import annotations

from typing import Annotated

import typer

from spear_deploy.network import Encoding, Objective, Reading, ReadOut
from spear_deploy.network.encoding import ENCODINGS
from spear_deploy.network.objective import KINDS as OBJECTIVES

Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="digits, an .npz file, or a folder of event recordings by class.",
        show_default="what the model names",
    ),
]
Arch = Annotated[
    str | None,
    typer.Option(
        "--arch", help="For a state_dict: module:factory, whose code is run, or net.toml (docs/importing.md)."
    ),
]
InputShape = Annotated[
    str | None,
    typer.Option("--input-shape", help="Of one time step, such as 1x8x8, where the file lacks it."),
]
Device = Annotated[
    str, typer.Option("--device", help="Where networks are trained and run: cpu, cuda, cuda:N or mps.", metavar="NAME")
]
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory",
        help="What all processes may take, such as 4GiB; results do not depend on it.",
        show_default="80% of what is free",
        metavar="AMOUNT",
    ),
]
TimeSteps = Annotated[int | None, typer.Option("--time-steps", min=1, help="T, if not as the file has it.")]
Dt = Annotated[float | None, typer.Option("--dt", help="Seconds of a time step, where the file does not say it.")]
InputEncoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        help=f"How inputs enter, if not as the file has it: {', '.join(ENCODINGS)};"
        " with settings: latency:tau=5,linear.",
        metavar="NAME",
    ),
]
OutputReadOut = Annotated[
    ReadOut | None, typer.Option("--read-out", help="What of the outputs is looked at, if not as the file has it.")
]
OutputObjective = Annotated[
    str | None,
    typer.Option(
        "--objective",
        help=f"What the network tells, if not as the file has it: {', '.join(OBJECTIVES)}; regression:scale=8.",
        metavar="NAME",
    ),
]

FileFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="Choose the chip's integers among those that this file format, such as netx, can hold.",
        show_default="all of them",
    ),
]


def reading(
    arch: str | None,
    input_shape: str | None,
    time_steps: int | None,
    dt: float | None,
    encoding: str | None,
    read_out: ReadOut | None,
    objective: str | None,
) -> Reading:
    """The options as one value.

    Raises:
        BadParameter: the input shape is not numbers joined by x.
        ModelError: there is no such encoding or objective.

    """
    shape = None
    if input_shape is not None:
        parts = input_shape.lower().replace(",", "x").split("x")
        if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
            raise typer.BadParameter(f"--input-shape {input_shape!r}: give sizes joined by x, such as 1x8x8 or 784")
        shape = tuple(int(part) for part in parts)
    return Reading(
        arch,
        shape,
        time_steps,
        dt,
        None if encoding is None else Encoding(encoding),
        read_out,
        None if objective is None else Objective(objective),
    )
