"""What lies ahead: about how long each stage takes on this machine, told before the long work from a few steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from spear_deploy.data import EncodedSplit
from spear_deploy.jobs.deploy.reference import REFERENCE
from spear_deploy.jobs.deploy.request import DeployConfig, DeployRequest, quickened
from spear_deploy.jobs.progress import peak_memory_mib
from spear_deploy.measure import accuracy_on
from spear_deploy.search import STRATEGIES, CandidateFactory
from spear_deploy.search.pipelines import pipeline_named
from spear_deploy.targets.target import Target
from spear_deploy.training import fine_tune

STEPS = 2
"""Training steps on a batch that are timed beyond a first one, whose time is that of beginning a fine-tune, too."""

MADE = 1.7
"""Candidates that are made for one evaluation, as its projection may look at several: 1.5 on the digits at 15 % of the
SynOps, 1.8 on MNIST at 25 % (100 evaluations each)."""


@dataclass(frozen=True)
class Costs:
    """What was measured of the dense network on this machine; a pruned one costs less.

    Attributes:
        step_s: of one training step on a batch.
        counted_s: of counting the SynOps of one sample in floating point.
        judged_s: of one run over the validation split in the target's arithmetic.
        candidate_s: of making one candidate, as the search does.
        answered_s: of a candidate's accuracy on the validation split.
        begun_s: of what a fine-tune takes beside its steps.
        learned: the share of its training samples that the dense network answers rightly.

    """

    step_s: float
    counted_s: float
    judged_s: float
    candidate_s: float
    answered_s: float
    begun_s: float = 0.0
    learned: float = 1.0


def measured_costs(request: DeployRequest, factory: CandidateFactory, target: Target) -> Costs:
    """Time a few steps of the dense network."""
    begun_s, step_s = _of_fine_tunes(request, factory)
    factory.candidate(factory.executed(np.ones(len(factory.groups))))  # what all candidates share is made with it
    half = factory.executed(np.full(len(factory.groups), 0.5))
    narrower = factory.candidate(half).model
    return Costs(
        step_s=step_s,
        counted_s=_seconds(lambda: factory.measure(factory.model, factory.probe)) / len(factory.probe),
        judged_s=_seconds(lambda: target.measure(factory.model)),
        candidate_s=_seconds(lambda: factory.candidate(half)),
        answered_s=_seconds(lambda: accuracy_on(narrower, target.validation)),
        begun_s=begun_s,
        learned=factory.dense.accuracy,
    )


def _of_fine_tunes(request: DeployRequest, factory: CandidateFactory) -> tuple[float, float]:
    """Seconds to begin a fine-tune, and of each step.

    A GPU does a step of a large network in far less time than it takes to bring the network there.
    """
    recipe, train = replace(request.plan.plain, epochs=1), factory.train
    one, more = (train.take(slice(0, count * recipe.batch)) for count in (1, 1 + STEPS))

    def tuned_s(data: EncodedSplit) -> float:
        return _seconds(lambda: fine_tune(factory.model, data, recipe, seed=0))

    tuned_s(one)  # with what the first one imports and compiles
    first_s, all_s = tuned_s(one), tuned_s(more)
    beyond = -(-len(more) // recipe.batch) - 1
    if beyond == 0 or all_s <= first_s:  # a step cannot be told from what is around it
        return 0.0, all_s / (1 + beyond)
    step_s = (all_s - first_s) / beyond
    return max(0.0, first_s - step_s), step_s


def stages(
    costs: Costs, config: DeployConfig, train: EncodedSplit, runs: int, slots: int | None = None
) -> Mapping[str, float]:
    """Seconds of each stage, by its name, for `runs` searches over targets and budgets.

    `slots` is how many networks are fine-tuned at a time, where machines do it instead of `config.workers`.
    Pruned networks are taken to cost what the dense one costs, and to learn their training samples as far; what an
    agent needs for its own training, the fine-tunes' constraint and closing steps are not known before.
    """
    plan = config.plan
    steps = math.ceil(len(train) / plan.plain.batch)
    plain = costs.begun_s + costs.step_s * steps * plan.plain.epochs
    final = costs.begun_s + costs.step_s * steps * plan.epochs_ahead(len(train), costs.learned)
    counted = costs.counted_s * len(train)
    made = MADE if config.projects else 1.0
    pipeline, at_once = pipeline_named(config.pipeline), slots or config.workers
    beside = pipeline.targets_side_by_side(runs, config.finalists, at_once)
    turns, of_each = (math.ceil(runs / at_once), 1) if beside else (runs, at_once)
    first, second = (math.ceil(count / of_each) for count in pipeline.fine_tunes(config.finalists))
    return {
        "LRE samples": math.ceil(config.lre_samples / at_once) * (plain + counted),
        REFERENCE: plain + final,
        "search": turns * config.evaluations * (made * costs.candidate_s + costs.answered_s),
        "fine-tune": turns * (first * (plain + costs.judged_s) + second * (final + costs.judged_s)),
    }


def forecast(costs: Costs, request: DeployRequest, train: EncodedSplit, runs: int, slots: int | None = None) -> str:
    """What lies ahead, in one sentence, and what the quick preset would need; see `stages`."""
    ahead = stages(costs, request, train, runs, slots)
    quick = sum(stages(costs, quickened(request), train, runs, slots).values())
    total = sum(ahead.values())
    named = ", ".join(f"{name} {_clock(seconds)}" for name, seconds in ahead.items())
    learns = STRATEGIES[request.strategy].learns and request.agent is None
    untimed = " and the agent's own training" if learns else ""
    saved = f"; the quick preset: {_clock(quick)}" if quick < total else ""
    return (
        f"ahead on this machine, about: {named}{untimed}; in all {_clock(total)}, less what is kept"
        f" from before, until the result is run; {peak_memory_mib() / 1024:.1f} GiB a process so far{saved}"
    )


def _clock(seconds: float) -> str:
    whole = max(round(seconds), 1)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def _seconds(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start
