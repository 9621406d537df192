"""`spear-deploy simulate MODEL --on chip`: run a model on a backend, or several side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import RenderableType
from rich.text import Text

from spear_deploy.cli.console import TerminalProgress, out
from spear_deploy.cli.lava_python import LavaPython
from spear_deploy.cli.reading import (
    Arch,
    Data,
    Dt,
    FileFormat,
    InputEncoding,
    InputShape,
    Memory,
    OutputObjective,
    OutputReadOut,
    TimeSteps,
    reading,
)
from spear_deploy.jobs.asked import memory_of, split_of, weight_bits_of
from spear_deploy.jobs.chips import DEFAULT_TARGET, chip_of
from spear_deploy.jobs.run_settings import settings_around
from spear_deploy.jobs.simulate import (
    DEFAULT_BACKEND,
    TOOL_SAMPLES,
    Outcome,
    SimulateConfig,
    backends_of,
    in_integers,
    offered,
)
from spear_deploy.jobs.simulate import simulate as run_simulation
from spear_deploy.jobs.simulation_json import outcome_json
from spear_deploy.jobs.task import load_task
from spear_deploy.report.file_names import REPORT
from spear_deploy.report.terminal.simulation import (
    difference_table,
    layers_table,
    losses_table,
    resets_text,
    where_text,
)

EPILOG = """
Examples:

  spear-deploy simulate model.pt --on chip

  spear-deploy simulate model.pt --compare chip,lava-fixed --samples 20

  spear-deploy simulate model.pt --on chip --weight-bits conv1=8,fc=4 --save spikes.npz

  spear-deploy simulate model.pt --on chip --target loihi1 --adapt --json > result.json

torch: floating point (float64). chip: the target's integers, all samples. lava, lava-fixed: Lava's own simulation, in
floating and in fixed point.

spikes.npz holds <backend>/<layer> [T, N, *shape], <backend>/predictions and labels [N] (of a
regression [N, K]), and index [N].

Exit code 0: nothing was compared, or all is equal; 1: backends differ; 2: bad input. Rounding moves spikes: torch and
chip nearly always differ; chip and lava-fixed, or torch and lava, must not.
"""


def simulate(
    model: Annotated[Path, typer.Argument(help="Model file, dense or pruned.")],
    on: Annotated[
        str | None,
        typer.Option("--on", help=f"Backend: {', '.join(offered())}.", show_default=DEFAULT_BACKEND),
    ] = None,
    compare: Annotated[
        str | None, typer.Option("--compare", help="Backends to hold against each other, separated by commas.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            help="Chip whose arithmetic is used: a name or TOML file.",
            show_default=f"{DEFAULT_TARGET}, or that of the run in its folder",
        ),
    ] = None,
    data: Data = None,
    split: Annotated[Literal["train", "validation", "test"], typer.Option(help="Which samples.")] = "test",
    samples: Annotated[
        int | None, typer.Option(min=1, help="The first so many.", show_default=f"all; {TOOL_SAMPLES} with Lava")
    ] = None,
    weight_bits: Annotated[
        str | None, typer.Option("--weight-bits", help="Fewer bits than the chip's: 6, or conv1=8,fc=4.")
    ] = None,
    file_format: FileFormat = None,
    adapt: Annotated[
        bool, typer.Option("--adapt", help="Convert what the chip forbids, and show what it did to the spikes.")
    ] = False,
    save: Annotated[Path | None, typer.Option(help="Write all spikes.", metavar="FILE.npz")] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Of the encoding of the samples.", show_default="0, or that of the run in its folder"),
    ] = None,
    arch: Arch = None,
    input_shape: InputShape = None,
    time_steps: TimeSteps = None,
    dt: Dt = None,
    encoding: InputEncoding = None,
    read_out: OutputReadOut = None,
    objective: OutputObjective = None,
    memory: Memory = None,
    lava_python: LavaPython = None,
    lava_seconds: Annotated[
        float, typer.Option(min=1, help="Lava is ended after so many seconds for a batch of up to 100 samples.")
    ] = SimulateConfig.lava_seconds,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")] = False,
) -> None:
    """Run MODEL on a backend: accuracy, spikes, SynOps and membranes of every layer."""
    backends, progress, run = _backends(on, compare), TerminalProgress(), settings_around(model)
    bits = weight_bits_of(weight_bits)
    if run is not None and target is None:
        if in_integers(backends):
            bits, file_format = (bits if weight_bits else run.weight_bits), file_format or run.file_format
        progress.notice(f"{model}: simulated for {run.chip_name}, as {model.parent / REPORT} says")
    chip = chip_of(target or (DEFAULT_TARGET if run is None else run.target))
    config = SimulateConfig(
        split=split_of(split),
        samples=samples,
        weight_bits=bits,
        file_format=file_format,
        adapt=adapt,
        memory_bytes=memory_of(memory),
        save=save,
        lava_python=lava_python,
        lava_seconds=lava_seconds,
    )
    given = reading(arch, input_shape, time_steps, dt, encoding, read_out, objective)
    if seed is None and run is not None and run.seed:
        seed = run.seed
        progress.notice(f"{model}: samples are encoded from seed {seed}, as {model.parent / REPORT} says")
    task = load_task(model, data, reading=given, seed=seed or 0, tell=progress.notice)
    outcome = run_simulation(task, chip, backends, config, progress)
    if as_json:
        print(json.dumps(outcome_json(outcome, str(model)), indent=2))
    else:
        for part in _parts(outcome, model.name):
            out.print(part)
    if not outcome.simulated.equal:
        raise typer.Exit(1)


def _backends(on: str | None, compare: str | None) -> tuple[str, ...]:
    """The backends that are named, each once."""
    if on is not None and compare is not None:
        raise typer.BadParameter(f"--compare names all backends; leave out --on {on}")
    names = backends_of((DEFAULT_BACKEND if on is None else on) if compare is None else compare)
    if compare is not None and len(names) < 2:
        raise typer.BadParameter(f"--compare {compare}: two backends or more are compared, such as chip,lava-fixed")
    if compare is None and len(names) > 1:
        raise typer.BadParameter(f"--on takes one backend; for several: --compare {','.join(names)}")
    return names


def _parts(outcome: Outcome, model: str) -> list[RenderableType]:
    config, data = outcome.config, outcome.task.data.name
    parts: list[RenderableType] = []
    for name, result in outcome.simulated.results.items():
        found = result.measurement
        parts.append(
            Text(
                f"{model} on {name} ({outcome.arithmetic[name]}): {outcome.right_answers} {outcome.score(found)},"
                f" {found.synops:,.0f} SynOps, {outcome.samples} {config.split} samples of {data}",
                style="bold",
            )
        )
        parts.append(layers_table(result))
        if result.losses:
            parts.append(losses_table(result))
    if layers := outcome.seen_before_reset:
        parts.append(resets_text(layers))
    parts += [difference_table(each) for each in outcome.simulated.differences]
    parts += [where_text(each) for each in outcome.simulated.differences]
    if config.save is not None:
        parts.append(Text(f"written to {config.save}"))
    return parts
