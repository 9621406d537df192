"""Before any target is searched for: load, measure the dense network, make LRE's samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from spear_deploy.backends.torch import TorchBackend
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.errors import ModelError, SpearDeployError, in_full
from spear_deploy.hardware import SYNOPS, Follows
from spear_deploy.hardware.spreading import eased_lines
from spear_deploy.jobs.deploy.ahead import forecast, measured_costs
from spear_deploy.jobs.deploy.early_warnings import (
    chance,
    check_labels,
    class_shares,
    shared_samples,
    shift,
    slack_budgets,
    small_data,
    wide_bound,
    wide_tails,
)
from spear_deploy.jobs.deploy.lre_samples import sample_lre
from spear_deploy.jobs.deploy.reference import REFERENCE, gentle_plan, same_fine_tune
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.resuming import Steps
from spear_deploy.jobs.deploy.verification import check_runs, verifiers
from spear_deploy.jobs.device_proof import prove_device
from spear_deploy.jobs.graded_inputs import cut_on
from spear_deploy.jobs.memory import check_room
from spear_deploy.jobs.progress import Advance, Clock, Progress
from spear_deploy.jobs.task import Task, load_task
from spear_deploy.measure import Measurement
from spear_deploy.network import Model
from spear_deploy.network.device import device_named
from spear_deploy.pruning import channel_groups, frozen_nodes, kept_ranges
from spear_deploy.search import CandidateFactory, LreSample, Tuner, TuningPlan
from spear_deploy.search.pipelines import pipeline_named
from spear_deploy.system.cluster import Cluster
from spear_deploy.system.journal import Journal, Recalled
from spear_deploy.targets.adapt import CALIBRATION_SAMPLES, Adaptation
from spear_deploy.targets.adaptation_effect import AdaptationEffect, adapted_for, effect_on
from spear_deploy.targets.target import Target, aim_at, check_reachable
from spear_deploy.targets.walls import walls_of


@dataclass(frozen=True)
class Prepared:
    """All that is done once: the task, the chips that can be aimed at, and LRE's samples.

    `test` is the task's test split where networks are run, `reference` the dense network after the same fine-tune as
    pruned ones: accuracy that is lost is lost against it. `plan` is how all are fine-tuned. `notices` are what the user
    was told on the way, `journal` keeps what is finished, `cluster` does fine-tunes while it is joined. `left_out` are
    the chips that cannot be aimed at, by name, and why.
    """

    task: Task
    test: EncodedSplit
    factory: CandidateFactory
    dense_test: Measurement
    targets: list[Target]
    samples: list[LreSample]
    reference: Model
    plan: TuningPlan
    seconds: dict[str, float]
    effect: AdaptationEffect | None = None
    notices: Sequence[str] = ()
    journal: Journal = field(default_factory=Journal)
    cluster: Cluster | None = None
    left_out: Mapping[str, SpearDeployError] = field(default_factory=dict)


def prepare(
    request: DeployRequest,
    progress: Progress,
    given_task: Task | None = None,
    steps: Steps | None = None,
    cluster: Cluster | None = None,
) -> Prepared:
    """Load (but for a task that is given), measure the dense network on every target, and make LRE's samples.

    Finished steps are kept where `steps` says; without it their folder is ours for this call alone. A `cluster`
    makes the samples where there is one.
    """
    with nullcontext(steps) if steps is not None else Steps(request) as kept:
        return _prepare(request, progress, given_task, cluster, kept)


def _prepare(
    request: DeployRequest, progress: Progress, given_task: Task | None, cluster: Cluster | None, steps: Steps
) -> Prepared:
    clock = Clock(progress)
    progress = clock.progress
    with clock.stage("load"):
        task = given_task or load_task(
            request.model, request.data, reading=request.reading, seed=request.seed, tell=progress.notice
        )
        for line in task.notices:
            progress.notice(line)
        task = task.labelled()
        given = task.model
        asked, changes = task, list[Adaptation]()
        if request.adapt:
            few = task.some(SplitName.TRAIN, CALIBRATION_SAMPLES)
            model, changes = adapted_for(request.targets, given, few.inputs)
            task = replace(task, model=model)
        task = replace(task, model=_freezing(request, task.model, progress))
        model, data = task.model, task.data
        check_room(model.network, model.time_steps, request.memory_bytes, request.plan, progress.notice)
        check_labels(data, model.objective)
        for warning in (*small_data(data, request.plan.plain.batch), *class_shares(data), *shared_samples(data)):
            progress.notice(warning)
        device = device_named(request.device)
        train, validation, test = (split.on(device) for split in (task.train, task.validation, task.test))
        floating = verifiers(request, request.targets[0], train, (TorchBackend.name,), progress.notice)
        able = [
            chip.name
            for chip in request.targets
            if not walls_of(chip, model, analog=train.analog, adapted=request.adapt)
        ]
        if able:  # who verifies has a say where a chip can run it; else the chip's own ways out are those that help
            check_runs(request.model, model, floating, able)
        journal = steps.open(task, progress.notice)
    with clock.stage("measure", 1 + len(request.targets)) as advance:
        effect = effect_on(request.targets[0], changes, given, model, asked.validation.on(device))
        for line in () if effect is None else effect.lines:
            progress.notice(line)
        recalibrates = pipeline_named(request.pipeline).recalibrates
        ranges = kept_ranges(request.kept, channel_groups(model.network), model.frozen)
        widths = replace(request.widths, ranges=ranges)
        factory = CandidateFactory(model, train, widths, recalibrates=recalibrates)
        _check_prunable(request.model, factory)
        dense = journal.remember(
            Measurement, "measurement", "dense", "validation", make=lambda: factory.measure(model, validation)
        )
        dense_test = journal.remember(
            Measurement, "measurement", "dense", "test", make=lambda: factory.measure(model, test, torch.float64)
        )
        _check_spikes(request.model, data.name, dense)
        for warning in (*chance(data, model, dense), *wide_bound(dense, len(test)), *shift(dense, dense_test)):
            progress.notice(warning)
        advance()
        targets, left_out = _aim(request, factory, validation, dense, len(test), advance, progress, journal)
        for target in targets:
            for line in cut_on(target.chip, model, train, (validation, test)):
                progress.notice(f"{target.chip.name}: {line}")
        if not any(each.steps for each in journal.recalled.values()):  # a run that goes on has less ahead
            runs = len(targets) * max(len(request.pareto), 1)
            slots = None if cluster is None else cluster.slots
            progress.hint(forecast(measured_costs(request, factory, targets[0]), request, train, runs, slots))
    with clock.stage(REFERENCE):
        plan = gentle_plan(factory, request.plan, request.seed, progress.notice, journal)
    with clock.stage("LRE samples", request.lre_samples) as advance:
        if cluster is not None:
            progress.hint(
                f"samples and finalists are fine-tuned on the Ray cluster {cluster.address}, {cluster.slots} at a time"
            )
        budgets = [target.to_torch(plan.search_multiple * target.budget_synops) for target in targets]
        recalled = journal.recalled.setdefault("LRE sample", Recalled())
        samples = sample_lre(factory, request, plan.plain, data.sha256, budgets, advance, progress, recalled, cluster)
    with clock.stage(REFERENCE):
        reference = same_fine_tune(factory, plan, request.seed, validation, progress.notice, journal)
    return Prepared(
        task=task,
        test=test,
        factory=factory,
        dense_test=dense_test,
        targets=targets,
        samples=samples,
        reference=reference,
        plan=plan,
        seconds=clock.seconds,
        effect=effect,
        notices=clock.notices,
        journal=journal,
        cluster=cluster,
        left_out=left_out,
    )


def _aim(
    request: DeployRequest,
    factory: CandidateFactory,
    validation: EncodedSplit,
    dense: Measurement,
    samples_ahead: int,
    advance: Advance,
    progress: Progress,
    journal: Journal,
) -> tuple[list[Target], dict[str, SpearDeployError]]:
    """The targets that can run the network; with several, those that cannot are told and left out, by name."""
    found: list[Target] = []
    left_out: dict[str, SpearDeployError] = {}
    for profile in request.targets:
        try:
            target = aim_at(
                profile,
                factory,
                validation,
                dense,
                request.limits,
                samples_ahead,
                request.weight_bits,
                request.file_format,
                adapted=request.adapt,
            )
            fronts = [target.with_synops_limit(budget) for budget in request.pareto]
            least = min((target, *fronts), key=lambda one: one.budget_synops)
            tuner = Tuner(factory, least, request.plan, request.seed, progress.notice, journal.within(least.key))
            check_reachable(tuner, least, request.model)
            prove_device(factory.model, target.backend, validation)
        except SpearDeployError as error:
            if profile is request.targets[-1] and not found:
                raise
            left_out[profile.name] = error
            progress.notice(f"{profile.name} is left out: {in_full(error)}")
        else:
            found.append(target)
            on_chip = target.plain_on_chip(factory.model)
            for line in eased_lines(on_chip, target.limits, target.least_cores):
                progress.notice(f"{profile.name}: {line}")
            slack = slack_budgets(target.limits, factory.model.time_steps) if _mean_is_typed(request) else []
            tails = wide_tails(target.limits_on(Follows.ACTIVITY), on_chip, samples_ahead)
            for warning in (*slack, *tails):
                progress.notice(f"{profile.name}: {warning}")
        advance()
    return found, left_out


def _mean_is_typed(request: DeployRequest) -> bool:
    """Whether the user set a budget of mean SynOps; without, the dense network's own is the limit."""
    return any(budget.quantity is SYNOPS for budget in request.limits)


def _freezing(request: DeployRequest, model: Model, progress: Progress) -> Model:
    """The model with the weights that are to stay as they are; says which."""
    frozen = frozen_nodes(request.frozen, model.network)
    if frozen:
        progress.notice(f"{', '.join(sorted(frozen))}: frozen, all channels and weights stay as they are")
    return replace(model, frozen=frozen)


def _check_spikes(path: Path, data: str, dense: Measurement) -> None:
    if not dense.synops:
        raise ModelError(
            f"{path}: the network never spikes on {data} (no layer that leads to another does):"
            " there are no SynOps to budget"
        )


def _check_prunable(path: Path, factory: CandidateFactory) -> None:
    if not factory.groups:
        reasons = "; ".join(f"{group.name}: {group.fixed or 'has one channel'}" for group in factory.all_groups)
        raise ModelError(f"{path}: no layer of the network can be pruned ({reasons})")
    if factory.smallest.min() == 1:
        sizes = ", ".join(f"{group.name} {group.size}" for group in factory.groups)
        raise ModelError(
            f"{path}: nothing is left to prune: what is asked to be kept (`keep`, `freeze`, the fewest channels and"
            f" their multiples) is every channel of {sizes}"
        )
