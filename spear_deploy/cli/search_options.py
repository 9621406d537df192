"""What is typed of the search and of the fine-tunes that follow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from spear_deploy.cli.options import typed
from spear_deploy.cli.spelling import named
from spear_deploy.jobs.deploy.request import DEFAULT_PIPELINE, DEFAULT_PLAN
from spear_deploy.search import STRATEGIES, TuningPlan
from spear_deploy.search.pipelines import AUTO, PIPELINES, SPEAR, SPEAR_RECIPE

_OF_SPEAR_PLUS = ("projection", "finalists", "plain_epochs", "patience", "constraint", "distillation", "prune_multiple")
"""Options that the pipeline `spear` has no use for; what can be switched off is off there."""


@dataclass(frozen=True)
class SearchOptions:
    """How candidates are looked for, and how they are fine-tuned."""

    strategy: Annotated[
        str,
        typer.Option(
            help=f"How candidates are looked for: {', '.join(STRATEGIES)}.",
            metavar="NAME",
            show_default="greedy; ddpg where nothing is projected",
        ),
    ] = AUTO
    agent: Annotated[
        Path | None,
        typer.Option(
            help="Ask an agent that another run trained (its agent.npz), and train none.",
            show_default="with --strategy agent, one is trained over all budgets and chips",
            metavar="FILE",
        ),
    ] = None
    pipeline: Annotated[
        str | None,
        typer.Option(
            help="What surrounds the search: spear+ (ours), or spear as its authors tell it: no projection,"
            " no constraint, no repair.",
            metavar="NAME",
            show_default=DEFAULT_PIPELINE,
        ),
    ] = None
    projection: Annotated[
        bool | None,
        typer.Option(
            "--projection/--no-projection",
            help="Bring candidates to the budget; without, only the reward (TAR) does.",
            show_default="as the pipeline does",
        ),
    ] = None
    evaluations: Annotated[int, typer.Option(min=4, help="Candidates that the search evaluates.")] = 100
    min_channels: Annotated[int, typer.Option(min=1, help="The fewest channels that a layer keeps.")] = 1
    keep: Annotated[
        str,
        typer.Option(
            help="Channels that single layers keep: conv1=all,fc*=50%-100%.",
            show_default=False,
            metavar="LAYER=SHARE,..",
        ),
    ] = ""
    freeze: Annotated[
        str,
        typer.Option(
            help="Layers whose weights no fine-tune changes, and whose channels stay, whatever --keep says: conv1,fc*.",
            show_default=False,
            metavar="LAYER,..",
        ),
    ] = ""
    channel_multiple: Annotated[
        int, typer.Option(min=1, help="Channels are kept in multiples of it (or all), as some chips like.")
    ] = 1
    finalists: Annotated[int, typer.Option(min=1, help="Candidates that are fine-tuned.")] = 3
    plain_epochs: Annotated[
        int, typer.Option(min=1, help="Epochs of the first fine-tune, plain, as LRE's samples have it.")
    ] = DEFAULT_PLAN.plain.epochs
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Epochs of the second fine-tune, towards the budget.",
            show_default=f"{DEFAULT_PLAN.final.epochs}, or as many as make {DEFAULT_PLAN.fewest_steps} steps;"
            f" with the pipeline spear, of its only one: {SPEAR_RECIPE.epochs}",
        ),
    ] = None
    tet: Annotated[
        bool, typer.Option("--tet", help="With the pipeline spear: learn every time step's own output (TET).")
    ] = False
    patience: Annotated[
        int | None,
        typer.Option(min=1, help="End the second fine-tune after so many epochs that gain nothing on validation."),
    ] = None
    constraint: Annotated[
        bool | None,
        typer.Option(
            "--constraint/--no-constraint",
            help="Hold the second fine-tune at the budget.",
            show_default="as the pipeline does",
        ),
    ] = None
    distillation: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Weight of the dense network's outputs beside the labels in the second fine-tune."
        ),
    ] = DEFAULT_PLAN.distillation
    prune_multiple: Annotated[
        float, typer.Option(min=1, help="With the constraint, prune to so many times the budget.")
    ] = DEFAULT_PLAN.prune_multiple

    def plan(self) -> TuningPlan:
        """The fine-tunes that are asked for.

        Raises:
            BadParameter: an option that the pipeline has no use for.

        """
        if SPEAR in (self.pipeline, self.strategy):
            if self.pipeline not in (None, SPEAR):
                raise typer.BadParameter(
                    f"the strategy {SPEAR} is the pipeline {SPEAR}; found pipeline {self.pipeline}"
                )
            self._refuse(_OF_SPEAR_PLUS, f"the pipeline {SPEAR} projects no network, and plainly tunes one")
            plan = PIPELINES[SPEAR].plan
            recipe = replace(plan.plain, epochs=self.epochs or plan.plain.epochs, each_step=self.tet)
            return replace(plan, plain=recipe)
        self._refuse(("tet",), f"only the pipeline {SPEAR} knows that loss")
        return TuningPlan(
            plain=replace(DEFAULT_PLAN.plain, epochs=self.plain_epochs),
            final=DEFAULT_PLAN.final if self.epochs is None else replace(DEFAULT_PLAN.final, epochs=self.epochs),
            fewest_steps=DEFAULT_PLAN.fewest_steps if self.epochs is None else 0,
            rounds=DEFAULT_PLAN.rounds if self.epochs is None else 1,
            patience=self.patience,
            constrained=self.constraint is not False,
            distillation=self.distillation,
            prune_multiple=self.prune_multiple,
        )

    def _refuse(self, options: Sequence[str], why: str) -> None:
        """Raise a BadParameter where one of some options is not as it is by default; one may be switched off."""
        for name in typed(self):
            if name in options and getattr(self, name) is not False:
                raise typer.BadParameter(f"{named(name)}: {why}")
