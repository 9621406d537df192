"""From what a run found to its report."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from spear_deploy.backends import TORCH
from spear_deploy.data import Labels
from spear_deploy.hardware import ACCURACY, MAX_DROP, Activity, Cost, Follows, Limit, Use, activity_of, check
from spear_deploy.hardware.spreading import moved
from spear_deploy.jobs.deploy.evidence import Evidence
from spear_deploy.jobs.deploy.recorded import repeatable
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.search import Pruned
from spear_deploy.jobs.deploy.searching import AskedStrategy
from spear_deploy.jobs.deploy.verdict import basis_of, judge
from spear_deploy.jobs.task import Task
from spear_deploy.measure import SCORINGS, Answers, Compared, Measurement
from spear_deploy.network import Model
from spear_deploy.network.device import describe, device_named
from spear_deploy.report.answers_part import MaxDrop, TriedBudget
from spear_deploy.report.build import answers_report, finalist_reports, limit_reports, search_report
from spear_deploy.report.chip import cost_report, placement_report, rounding_report
from spear_deploy.report.lre import lre_report
from spear_deploy.report.lre_part import LreReport
from spear_deploy.report.measured import agreement_report, measured_report, network_report
from spear_deploy.report.schema import (
    AdaptationReport,
    Agreement,
    BudgetReport,
    EarlierWork,
    Measured,
    PrunedReport,
    Report,
    SplitReport,
)
from spear_deploy.report.search_part import AgentReport
from spear_deploy.report.spikes import spikes_report
from spear_deploy.report.words.quantity_text import inherited_text
from spear_deploy.search import LreSample
from spear_deploy.search.strategies.agent_file import agent_bytes
from spear_deploy.system.journal import Recalled
from spear_deploy.targets.adaptation_effect import AdaptationEffect
from spear_deploy.targets.target import Target

_PACKAGES = ("spear-deploy", "torch", "snntorch", "nir", "numpy", "stable-baselines3", "scikit-learn")


@dataclass(frozen=True)
class Provenance:
    """Where the figures of a run come from.

    Attributes:
        request: what was asked for.
        samples: what LRE learned from.
        effect: what converting the network to its target did; None where nothing was converted.
        seconds: by stage.
        peak_memory_mib: the most that the main process held; None where unknown.
        notices: what the user was told on the way, in order.
        recalled: by kind, work of earlier runs that was read instead of done.
        data_place: where the data lie, counted from the folder of the report; None where they lie in no file.

    """

    request: DeployRequest
    samples: Sequence[LreSample]
    effect: AdaptationEffect | None
    seconds: Mapping[str, float]
    peak_memory_mib: float | None = None
    notices: Sequence[str] = ()
    recalled: Mapping[str, Recalled] = field(default_factory=dict)
    data_place: str | None = None


def make_report(task: Task, target: Target, pruned: Pruned, evidence: Evidence, provenance: Provenance) -> Report:
    """The report of a run: figures, verdict, and what is needed to make them again."""
    request, dense, data, choice = provenance.request, task.model, task.data, pruned.choice
    measured, agreement = _backends(target, evidence)
    as_given = replace(target, least_cores={})  # the dense network lies as it did before anything was changed
    dense_uses = _uses(as_given, dense, evidence.on_target.dense, evidence.answers_to_given.of_reference)
    pruned_uses = _uses(target, pruned.model, evidence.on_target.pruned, evidence.answers)
    basis = basis_of(target.backend.name, evidence.lre_checks)
    placed = target.on_chip(pruned.model.network)
    held = check(pruned.model.network, target.chip, analog_input=dense.encoding.analog)
    placement, needed = placed.placement, {layer: least for layer, (least, _) in moved(placed).items()}
    cost = _cost(target, pruned.model, evidence.on_target.pruned)
    guessing = SCORINGS[dense.objective.kind].chance(data.train.y, data.validation.y, dense.classes)
    in_torch, (dense_effective, pruned_effective) = evidence.in_torch, evidence.effective
    return Report(
        model=str(request.model),
        model_sha256=request.model_sha256 or hashlib.sha256(request.model.read_bytes()).hexdigest(),
        data=data.name,
        data_sha256=data.given_sha256,
        data_place=provenance.data_place,
        labels="data" if data.labels is Labels.DATA else "dense network",
        target=target.chip.name,
        profile=inherited_text(target.chip),
        seed=request.seed,
        file_format=request.file_format,
        threads=request.threads,
        device=describe(device_named(request.device)),
        time_steps=dense.time_steps,
        encoding=str(dense.encoding),
        objective=str(dense.objective),
        splits={
            str(split.name): SplitReport(samples=len(split), source=split.source, index=_runs(split.index))
            for split in data.splits
        },
        budget=BudgetReport(
            synops=target.budget_synops,
            source=target.limits[0].granted,
            split="validation",
            arithmetic=target.backend.arithmetic,
            limits=limit_reports(dense_uses, pruned_uses, evidence.limit_predictions, cost),
            unchecked=[str(name) for name in placement.unchecked],
        ),
        dense=network_report(dense, in_torch.dense, dense_effective),
        pruned=PrunedReport(
            **network_report(pruned.model, in_torch.pruned, pruned_effective).model_dump(),
            keep_ratios=_keep_ratios(dense, pruned.model),
        ),
        lre=_lre(target, pruned, evidence, provenance.samples),
        measured=measured,
        agreement=agreement,
        verdict=judge(
            basis,
            evidence.lre_checks[basis],
            pruned_uses,
            target.dense.synops,
            agreement,
            evidence.answers,
            unfit=[each.text for each in held.broken_rules],
            unrounded=evidence.unrounded,
            unverified=evidence.verified.missing,
            front=[] if request.searched_drop is not None else pruned.tries,
        ),
        answers=answers_report(evidence.answers),
        answers_to_given=answers_report(evidence.answers_to_given),
        answers_to_tuned=answers_report(evidence.answers_to_tuned),
        max_drop=_max_drop(request, pruned, evidence),
        repairs=choice.repairs,
        interrupted=pruned.interrupted,
        evaluations=len(pruned.problem.history),
        seconds={name: round(seconds, 3) for name, seconds in provenance.seconds.items()},
        versions={**_versions(), **evidence.verified.versions},
        command=list(request.command),
        search=search_report(pruned.problem, guessing, pruned.asked.strategy.name, _agent(pruned.asked)),
        finalists=finalist_reports(choice),
        spikes=spikes_report(pruned.model.network, in_torch.pruned, dense.time_steps, evidence.raster),
        placement=placement_report(placement, cost.core_map, needed),
        cost={"dense": cost_report(_cost(as_given, dense, evidence.on_target.dense)), "pruned": cost_report(cost)},
        rounding=rounding_report(evidence.losses),
        adaptations=[
            AdaptationReport.model_validate(each)
            for each in (provenance.effect.as_json() if provenance.effect is not None else ())
        ],
        adapted="" if provenance.effect is None else provenance.effect.of_dense,
        peak_memory_mib=provenance.peak_memory_mib,
        told=list(provenance.notices),
        earlier={
            kind: EarlierWork(steps=found.steps, seconds=round(found.seconds, 3))
            for kind, found in provenance.recalled.items()
            if found.steps
        },
        request=repeatable(request),
    )


def _backends(target: Target, evidence: Evidence) -> tuple[dict[str, Measured], dict[str, Agreement]]:
    """What every backend measured of the pruned network, and which of them agree."""
    both, backend = evidence.in_torch, target.backend
    measured = {TORCH: measured_report(both.pruned, both.arithmetic)}
    if backend.name not in measured:
        measured[backend.name] = measured_report(evidence.on_target.pruned, backend.arithmetic)
    agreement: dict[str, Agreement] = {}
    for each in evidence.verified.found:
        name, reference = each.backend.name, each.backend.reference or ""
        measured[name] = measured_report(each.measured, each.backend.arithmetic)
        agreement[f"{reference}_{name}"] = agreement_report((reference, name), each.agreement)
    return measured, agreement


def _max_drop(request: DeployRequest, pruned: Pruned, evidence: Evidence) -> MaxDrop | None:
    limit = next((limit for limit in request.limits if limit.quantity is MAX_DROP), None)
    if limit is None or not pruned.tries:
        return None
    return MaxDrop(
        points=limit.allowed,
        test_drop_points=evidence.answers.drop_points,
        tried=[TriedBudget(**asdict(one)) for one in pruned.tries],
    )


def _agent(asked: AskedStrategy) -> AgentReport | None:
    agent = asked.agent
    if agent is None:
        return None
    learned = agent.trained_on
    return AgentReport(
        carried=bool(asked.carried),
        sha256=asked.carried or hashlib.sha256(agent_bytes(agent)).hexdigest(),
        groups=dict(learned.groups),
        budgets=dict(learned.budgets),
        evaluations=learned.evaluations,
        seed=learned.seed,
    )


def _lre(target: Target, pruned: Pruned, evidence: Evidence, samples: Sequence[LreSample]) -> LreReport:
    winner, problem = pruned.choice.winner, pruned.problem
    return lre_report(
        samples,
        winner.features,
        winner.prediction,
        estimator=problem.estimator,
        target_factor=target.synops_factor,
        groups=[group.name for group in problem.factory.groups],
        check=dict(evidence.lre_checks),
        claimed=problem.claim(winner.prediction),
        delivered=evidence.delivered,
    )


def _activity(model: Model, measurement: Measurement) -> Activity:
    return activity_of(measurement, model.time_steps, analog_input=model.encoding.analog)


def _cost(target: Target, model: Model, measurement: Measurement) -> Cost:
    """What an inference costs on the target, whether or not the network fits there."""
    return target.on_chip(model.network, _activity(model, measurement)).cost


def _uses(target: Target, model: Model, measurement: Measurement, answers: Compared) -> tuple[Use, ...]:
    """What a network uses of every limit, mean SynOps first."""
    tested = target.on_chip(model.network, _activity(model, measurement), answers)
    return (
        Use(target.limits[0], measurement.synops),
        *target.activity_uses(model.network, tested.measured),
        *target.structural(model.network),
        *(Use(_worded(limit, model), limit.quantity.value(tested)) for limit in target.limits_on(Follows.ANSWERS)),
    )


def _worded(limit: Limit, model: Model) -> Limit:
    """A limit on answers under the name that the model's objective has for its score."""
    scoring, quantity = SCORINGS[model.objective.kind], limit.quantity
    unit = quantity.unit.replace(Answers.points, scoring.points)
    return replace(limit, quantity=replace(quantity, name=quantity.name.replace(ACCURACY, scoring.name), unit=unit))


def _keep_ratios(dense: Model, pruned: Model) -> dict[str, float]:
    return {layer: pruned.network.shapes[layer][0] / dense.network.shapes[layer][0] for layer in dense.network.layers}


def _runs(index: NDArray[np.int64]) -> str:
    """Sample numbers in order, runs of neighbours written as first-last."""
    runs: list[list[int]] = []
    for number in index.tolist():
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
