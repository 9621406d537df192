"""What can be typed after `spear-deploy [deploy]`, and the main job that it asks for."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from spear_deploy.cli.cache import cache_folder
from spear_deploy.cli.lava_python import LavaPython
from spear_deploy.cli.options import typed
from spear_deploy.cli.reading import (
    Arch,
    Data,
    Device,
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
from spear_deploy.cli.resuming import resumed
from spear_deploy.cli.search_options import SearchOptions
from spear_deploy.cli.targets import Target
from spear_deploy.jobs.asked import error_of, front_of, memory_of, weight_bits_of
from spear_deploy.jobs.chips import chips_of
from spear_deploy.jobs.deploy.request import (
    DEFAULT_BUDGET,
    DEFAULT_PIPELINE,
    DEFAULT_THREADS,
    DeployRequest,
    allowed,
    default_folder,
    quickened,
)

PANELS = {
    "Chip and budgets": (
        "target",
        "budget",
        "max_drop",
        "min_accuracy",
        "pareto",
        "adapt",
        "weight_bits",
        "file_format",
    ),
    "How the file is used": ("data", "arch", "input_shape", "time_steps", "dt", "encoding", "read_out", "objective"),
    "Samples for LRE": ("lre_samples", "lre_error", "workers", "ray", "cache", "no_cache"),
    "Search": (
        "quick",
        "strategy",
        "agent",
        "pipeline",
        "projection",
        "evaluations",
        "min_channels",
        "channel_multiple",
    ),
    "Fine-tune": (
        "finalists",
        "plain_epochs",
        "epochs",
        "tet",
        "patience",
        "constraint",
        "distillation",
        "prune_multiple",
    ),
    "Machine": ("seed", "threads", "device", "memory", "lava", "lava_python"),
    "Results": ("out_folder", "force", "plot", "as_json"),
}
"""Options by heading in the help."""


@dataclass(frozen=True)
class DeployOptions(SearchOptions):
    """What is typed; all but the places of things fills a `DeployRequest`."""

    model: Annotated[
        Path | None, typer.Argument(help="Model file (.pt from spear_deploy.save_model, or .nir).", show_default=False)
    ] = None
    target: Target = "loihi2"
    budget: Annotated[
        list[str] | None,
        typer.Option(
            help="50% of the dense SynOps, 120k SynOps, cores=4, ...; repeatable.",
            show_default=f"{DEFAULT_BUDGET.granted}; beside budgets of other kinds, the dense network's SynOps",
            metavar="BUDGET",
        ),
    ] = None
    max_drop: Annotated[
        float | None,
        typer.Option(
            min=0, help="Accuracy that may be lost; without a budget, look for the smallest.", metavar="POINTS"
        ),
    ] = None
    min_accuracy: Annotated[
        float | None, typer.Option(min=0, max=100, help="Accuracy that must be left.", metavar="PERCENT")
    ] = None
    pareto: Annotated[
        str | None, typer.Option(help="One result for each of several budgets: 70%,50%,30%,15%.", metavar="BUDGET,..")
    ] = None
    data: Data = None
    arch: Arch = None
    input_shape: InputShape = None
    time_steps: TimeSteps = None
    dt: Dt = None
    encoding: InputEncoding = None
    read_out: OutputReadOut = None
    objective: OutputObjective = None
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for the results.", show_default="runs/<model>-<target>-<time>")
    ] = None
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it.")] = 0
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch; results hold for one number.")] = (
        DEFAULT_THREADS
    )
    device: Device = "cpu"
    memory: Memory = None
    workers: Annotated[
        int,
        typer.Option(min=1, help="Processes for LRE's samples, evaluations and fine-tunes; no result depends on it."),
    ] = 2
    ray: Annotated[
        str | None,
        typer.Option(help="Machines of a Ray cluster make them instead: auto, or its address.", metavar="auto|ADDRESS"),
    ] = None
    lre_samples: Annotated[
        int,
        typer.Option(min=8, help="Networks pruned and fine-tuned for LRE; up to half as many more where it is unsure."),
    ] = 24
    lre_error: Annotated[
        str | None, typer.Option(help="Stop sampling when LRE predicts the budget within this, such as 3%.")
    ] = None
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Keep LRE's samples here.", show_default="the user's cache")
    ] = None
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Make LRE's samples anew, and keep none.")] = False
    quick: Annotated[
        bool,
        typer.Option("--quick", help="A first look: few samples, candidates and epochs."),
    ] = False
    lava: Annotated[bool, typer.Option(help="Run the result in Lava.")] = True
    lava_python: LavaPython = None
    file_format: FileFormat = None
    weight_bits: Annotated[
        str | None, typer.Option("--weight-bits", help="Fewer bits than the chip's: 6, or conv1=8,fc=4.")
    ] = None
    adapt: Annotated[
        bool, typer.Option("--adapt", help="Convert what the chip forbids, and show what it did to the spikes.")
    ] = False
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume", metavar="RUN", help="Go on with an unfinished run, by the folder that its result goes to."
        ),
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Replace existing results.")] = False
    plot: Annotated[bool, typer.Option("--plot", help="Write the report's figures as SVG and PNG as well.")] = False
    as_json: Annotated[bool, typer.Option("--json", help="Print the report alone on stdout.")] = False

    def request(self) -> DeployRequest:
        """The main job that is asked for.

        Raises:
            SpearDeployError: a chip, a budget or bits of weights that are not understood.
            BadParameter: neither a model nor a run is named, or both.

        """
        if self.resume is not None:
            return resumed(self, self.resume, self.kept_in, self.ray)
        if self.model is None:
            raise typer.BadParameter("give a model file, or an unfinished run: --resume RUN")
        if self.pareto is not None and not self.pareto.strip(" ,"):
            raise typer.BadParameter("--pareto names no budget; give two or more, such as 50%,30%")
        targets = chips_of(self.target)
        request = DeployRequest(
            model=self.model,
            targets=targets,
            out=self.out_folder or default_folder(self.model, [profile.name for profile in targets], datetime.now()),
            budgets=allowed(self.budget or [], self.max_drop, self.min_accuracy, front=bool(self.pareto)),
            reading=reading(
                self.arch, self.input_shape, self.time_steps, self.dt, self.encoding, self.read_out, self.objective
            ),
            data=self.data,
            seed=self.seed,
            device=self.device,
            memory_bytes=memory_of(self.memory),
            threads=self.threads,
            workers=self.workers,
            ray=self.ray,
            lre_samples=self.lre_samples,
            lre_error=None if self.lre_error is None else error_of(self.lre_error),
            cache=self.kept_in,
            strategy=self.strategy,
            agent=self.agent,
            pipeline=self.pipeline or DEFAULT_PIPELINE,
            projection=self.projection is not False,
            evaluations=self.evaluations,
            widths=replace(DeployRequest.widths, minimum=self.min_channels, multiple=self.channel_multiple),
            keep=self.keep,
            freeze=self.freeze,
            finalists=self.finalists,
            plan=self.plan(),
            lava=self.lava,
            lava_python=self.lava_python,
            weight_bits=weight_bits_of(self.weight_bits),
            file_format=self.file_format,
            adapt=self.adapt,
            force=self.force,
            plot=self.plot,
            pareto=front_of(self.pareto or ""),
            command=("spear-deploy", *sys.argv[1:]),
        )
        return quickened(request, but=typed(self)) if self.quick else request

    @property
    def names_no_folder(self) -> bool:
        """Whether the result goes to a folder that is called after the moment, as another run's may be."""
        return self.out_folder is None and self.resume is None

    @property
    def kept_in(self) -> Path | None:
        """Where what need not be made twice is kept."""
        return None if self.no_cache else self.cache or cache_folder()
