"""What a user asks of the main job."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.errors import BudgetError, SearchError, quoted
from spear_deploy.hardware import MAX_DROP, SYNOPS, Limit, Profile, parse_budget, parse_budgets
from spear_deploy.jobs.asked import budgets_of, weight_bits_of
from spear_deploy.network import Reading
from spear_deploy.pruning import ANY_WIDTH, Keep, Widths, parse_freeze, parse_keep
from spear_deploy.search import TuningPlan
from spear_deploy.search.pipelines import (
    AUTO,
    PIPELINES,
    SPEAR,
    check_plan,
    check_strategy,
    pipeline_named,
    strategy_for,
)
from spear_deploy.system.arguments import check_fields

DEFAULT_BUDGET = parse_budget("50%")
DEFAULT_THREADS = 1
"""One thread: results do not depend on how many cores a machine has, and small networks gain nothing."""

DEFAULT_PIPELINE = "spear+"
DEFAULT_PLAN = PIPELINES[DEFAULT_PIPELINE].plan

LEAST = MappingProxyType(
    {
        **{"seed": 0, "threads": 1, "workers": 1, "memory_bytes": 1, "lava_seconds": 0},
        **{"lre_samples": 8, "evaluations": 4, "finalists": 1},
    }
)
"""The smallest numbers that mean something, or that something can be told from."""


@dataclass(frozen=True, kw_only=True)
class DeployConfig:
    """How a network is pruned for a chip: all that has a default.

    Attributes:
        budgets: what the user allows, such as `30%` of the dense SynOps, `latency=2ms` or 4 cores, as limits or as
            they are typed. With a largest drop of accuracy and no budget of SynOps, the smallest budget that costs no
            more is looked for.
        seed: everything random follows from it.
        device: what networks are trained, searched and measured on: `cpu`, `cuda`, `cuda:1`, `mps`.
        threads: of torch, in every process.
        workers: processes that make LRE's samples, that evaluate ahead of a search, that fine-tune finalists, and that
            search for several targets or budgets where there are many; results do not depend on it.
        ray: machines that do this instead: `auto` for this one's Ray cluster, or the address of one.
        memory_bytes: what all processes may take; None for a share of what is free. Fewer processes make samples where
            it is short; a network that needs more is refused where it is given, and told where not; results do not
            depend on it.
        lre_samples: networks that are pruned and fine-tuned for LRE; up to half as many more where it is not sure
            enough to search with, and no more where `lre_error` is given.
        lre_error: sampling stops before when half the width of the 95 % interval at the budget,
            relative to the prediction, is no larger; None to make all samples.
        cache: where samples are kept for later runs; None to keep none.
        strategy: a name of `search.STRATEGIES`: how candidates are looked for. `auto` is `greedy`, and `ddpg` where
            nothing is projected; `spear` is another spelling of the pipeline of that name, with `ddpg`.
        agent: the file of an agent that an earlier run trained (`agent.npz` in its folder): it answers each budget and
            chip without training; None to train one where the strategy is `agent`.
        pipeline: a name of `search.pipelines.PIPELINES`: what surrounds the search.
        projection: whether candidates are brought to the budget before they are rewarded; without, the reward alone
            draws the search there. The pipeline `spear` never does.
        evaluations: candidates that the search evaluates.
        widths: how many channels of a layer may be kept.
        keep: the same of single layers, such as `conv1=all,fc*=50%-100%`; see `pruning.parse_keep`.
        freeze: layers whose weights stay as they are, and all their channels, such as `conv1,fc*`; columns of inputs
            that are pruned go. What `keep` says of many layers holds for the others.
        finalists: candidates that are fine-tuned.
        plan: of the fine-tunes; by default the pipeline's own.
        lava: whether programs beside this package, such as Lava, run the result.
        lava_seconds: samples are run there as long as they end within this time.
        lava_python: an interpreter that has them; None for this one.
        weight_bits: fewer bits than the chip's, in the target's integers; also as it is typed: `6`, `conv1=8,fc=4`.
        file_format: judge in those of the target's integers that this file format can hold (`FILE_FORMATS`).
        adapt: whether what the target forbids is converted before anything else.
        plot: whether the report's figures are written as SVG and PNG as well.

    Raises:
        ArgumentError: a field is of another kind than it says, or smaller than it may be (`LEAST`).
        BudgetError: a budget cannot be understood, or two speak of the same.
        SearchError: `keep` cannot be understood.
        SearchError: there is no such strategy or pipeline, the pipeline does not follow the plan, or an agent is given
            to another strategy.

    """

    budgets: tuple[Limit | str, ...] = (DEFAULT_BUDGET,)
    seed: int = 0
    device: str = "cpu"
    threads: int = DEFAULT_THREADS
    workers: int = 1
    ray: str | None = None
    memory_bytes: int | None = None
    lre_samples: int = 24
    lre_error: float | None = None
    cache: Path | None = None
    strategy: str = AUTO
    agent: Path | None = None
    pipeline: str = DEFAULT_PIPELINE
    projection: bool = True
    evaluations: int = 100
    widths: Widths = ANY_WIDTH
    keep: str = ""
    freeze: str = ""
    finalists: int = 3
    plan: TuningPlan = field(default=DEFAULT_PLAN)
    lava: bool = True
    lava_seconds: float = 60.0
    lava_python: Path | None = None
    weight_bits: WeightBits = field(default_factory=WeightBits)
    file_format: str | None = None
    adapt: bool = False
    plot: bool = False

    def __post_init__(self) -> None:
        check_fields(self, LEAST, {WeightBits: weight_bits_of})
        _ = self.kept  # faults in what is typed show at once
        object.__setattr__(self, "budgets", self.limits)
        if self.lre_error is not None and not 0 < self.lre_error < 1:
            raise SearchError(f"`lre_error` is a share above 0 and below 1, such as 0.03, found {self.lre_error}")
        if self.strategy == SPEAR:
            object.__setattr__(self, "pipeline", SPEAR)
            object.__setattr__(self, "strategy", AUTO)
        pipeline = pipeline_named(self.pipeline)
        object.__setattr__(
            self, "strategy", strategy_for(self.strategy, projects=self.projects, carried=self.agent is not None)
        )
        check_strategy(self.strategy, projects=self.projects)
        if self.plan is DEFAULT_PLAN:
            object.__setattr__(self, "plan", pipeline.plan)
        check_plan(self.pipeline, self.plan)

    @cached_property
    def kept(self) -> tuple[Keep, ...]:
        """The shares of channels that stay, read."""
        return parse_keep(self.keep)

    @property
    def frozen(self) -> tuple[str, ...]:
        """Patterns of layers whose weights stay as they are."""
        return parse_freeze(self.freeze)

    @property
    def projects(self) -> bool:
        """Whether candidates are brought to the budget before they are rewarded."""
        return self.projection and pipeline_named(self.pipeline).projects

    @cached_property
    def limits(self) -> tuple[Limit, ...]:
        """The budgets, read."""
        given = self.budgets
        if not isinstance(given, tuple | list) or not all(isinstance(each, Limit | str) for each in given):
            raise BudgetError(f"budgets are texts or limits, such as ('30%', 'cores=4'); found {quoted(given)}")
        return parse_budgets(given)


Config = TypeVar("Config", bound=DeployConfig)

QUICK = MappingProxyType({"lre_samples": 8, "evaluations": 20, "finalists": 1, "epochs": 5})
"""A first look: fewer samples, candidates and epochs of the last phase."""


def quickened(config: Config, but: Container[str] = ()) -> Config:
    """The quick preset: what takes long is cut to what a first look needs, and to no more than was asked for.

    Args:
        config: of which all else stays.
        but: what of `lre_samples`, `evaluations`, `finalists` and `epochs` stays as well.

    """
    plan = config.plan
    last = "final" if plan.final.epochs else "plain"
    recipe = getattr(plan, last)
    if "epochs" not in but:
        short = replace(recipe, epochs=min(recipe.epochs, QUICK["epochs"]))
        plan = replace(plan, **{last: short}, fewest_steps=0, rounds=1)
    own = {name: most for name, most in QUICK.items() if hasattr(config, name) and name not in but}
    return replace(config, plan=plan, **{name: min(getattr(config, name), most) for name, most in own.items()})


@dataclass(frozen=True, kw_only=True)
class DeployRequest(DeployConfig):
    """What the user asked for.

    Attributes:
        model: the model file, or how a model is called that lies in no file.
        model_sha256: of a model that lies in no file; empty for one in a file.
        targets: the chips.
        out: the folder for the results; with several targets, one folder each below it.
        reading: what the model file leaves unsaid.
        data: a data set's name or path; by default the one that the model names.
        force: whether existing folders may be replaced.
        pareto: budgets of SynOps that are each searched for, one result a budget.
        command: how this was asked for.

    """

    model: Path
    targets: tuple[Profile, ...]
    out: Path
    model_sha256: str = ""
    reading: Reading = field(default_factory=Reading)
    data: str | None = None
    force: bool = False
    pareto: tuple[Limit, ...] = ()
    command: tuple[str, ...] = ()

    @property
    def searched_drop(self) -> Limit | None:
        """The accuracy that may be lost, where no budget of SynOps is given and the smallest one is looked for."""
        if self.pareto or any(limit.quantity is SYNOPS for limit in self.limits):
            return None
        return next((limit for limit in self.limits if limit.quantity is MAX_DROP), None)

    def folder(self, target: Profile) -> Path:
        """Where the results for one target go."""
        return self.out if len(self.targets) == 1 else self.out / target.name


def default_folder(model: Path, targets: list[str], now: datetime) -> Path:
    """`runs/<model>-<target>-<time>`."""
    target = targets[0] if len(targets) == 1 else f"{len(targets)}-targets"
    return Path("runs") / f"{model.stem}-{target}-{now:%Y%m%d-%H%M%S}"


def allowed(
    typed: Sequence[str], max_drop: float | None, min_accuracy: float | None, *, front: bool
) -> tuple[Limit, ...]:
    """The limits that were asked for; by default a budget of SynOps, unless something else sets it.

    Raises:
        BudgetError: one cannot be understood, or two speak of the same.

    """
    limits = budgets_of(typed, max_drop, min_accuracy)
    set_elsewhere = front or any(limit.quantity is MAX_DROP for limit in limits)
    return limits if typed or set_elsewhere else (DEFAULT_BUDGET, *limits)
