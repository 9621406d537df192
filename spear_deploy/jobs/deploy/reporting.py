"""From what a run found to its report."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.backends.fixed_point.losses import RoundingLoss
from spear_deploy.data import Dataset, Labels
from spear_deploy.device import describe, device_named
from spear_deploy.hardware import Activity, Cost, Follows, OnChip, Use, activity_of, estimate, place
from spear_deploy.jobs.deploy.max_drop import Try
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.verdict import basis_of, judge
from spear_deploy.jobs.deploy.verification import Verification
from spear_deploy.measure import Answers, EffectiveOperations, Measurement
from spear_deploy.network import Encoding, Model
from spear_deploy.report.chip import cost_report, placement_report, rounding_report
from spear_deploy.report.lre import lre_report
from spear_deploy.report.measured import agreement_report, measured_report, network_report
from spear_deploy.report.schema import (
    AdaptationReport,
    Agreement,
    AnswersReport,
    BudgetReport,
    LimitReport,
    LreCheck,
    LreReport,
    MaxDrop,
    PrunedReport,
    Report,
    SplitReport,
    TriedBudget,
)
from spear_deploy.report.search_part import EvaluationReport, FinalistReport, SearchReport
from spear_deploy.report.spikes import spikes_report
from spear_deploy.search import Choice, Finalist, LreSample, SearchProblem
from spear_deploy.targets.adaptation_effect import AdaptationEffect
from spear_deploy.targets.target import Target

FLOAT64 = "float64"
_PACKAGES = ("spear-deploy", "torch", "snntorch", "nir", "numpy", "stable-baselines3", "scikit-learn")


@dataclass(frozen=True)
class Found:
    """All that a run for one target found.

    `verified` are the backends that must repeat another one's spikes. `problem` holds what was
    evaluated, `first_outputs` what each layer of the pruned network sends on the first test sample,
    `[T, 1, *shape]` in torch float64.
    """

    request: DeployRequest
    target: Target
    model: Model
    data: Dataset
    dense_test: Measurement
    dense_effective: EffectiveOperations
    samples: Sequence[LreSample]
    choice: Choice
    interrupted: str
    pruned: Model
    tested: Measurement
    tested_effective: EffectiveOperations
    lre_check: dict[str, LreCheck]
    dense_on_target: Measurement
    tested_on_target: Measurement
    answers: Answers
    validation_guess: float
    verified: Verification
    seconds: dict[str, float]
    problem: SearchProblem
    losses: Sequence[RoundingLoss] = ()
    effect: AdaptationEffect | None = None
    first_outputs: Mapping[str, Tensor] = field(default_factory=dict)
    peak_memory_mib: float | None = None
    tries: Sequence[Try] = ()


def make_report(found: Found) -> Report:
    """The report of a run: figures, verdict, and what is needed to make them again."""
    request = found.request
    measured, backend = {"torch": measured_report(found.tested, FLOAT64)}, found.target.backend
    if backend.name != "torch":
        measured[backend.name] = measured_report(found.tested_on_target, backend.arithmetic)
    agreement: dict[str, Agreement] = {}
    for each in found.verified.found:
        name, reference = each.backend.name.replace("-", "_"), each.backend.reference or ""
        measured[name] = measured_report(each.measured, each.backend.arithmetic)
        agreement[f"{reference}_{name}"] = agreement_report((reference, each.backend.name), each.agreement)
    dense = _uses(found, found.model, found.dense_on_target, found.answers.of_reference)
    pruned = _uses(found, found.pruned, found.tested_on_target, found.answers)
    basis = basis_of(backend.name, found.lre_check)
    placement = place(found.pruned.network, found.target.chip)
    cost = _cost(found, found.pruned, found.tested_on_target)
    return Report(
        model=str(request.model),
        model_sha256=hashlib.sha256(request.model.read_bytes()).hexdigest(),
        data=found.data.name,
        data_sha256=found.data.given_sha256,
        labels="data" if found.data.labels is Labels.DATA else "dense network",
        target=found.target.chip.name,
        seed=request.seed,
        threads=request.threads,
        device=describe(device_named(request.device)),
        time_steps=found.model.time_steps,
        encoding=str(found.model.encoding),
        splits={
            str(split.name): SplitReport(samples=len(split), source=split.source, index=_runs(split.index))
            for split in found.data.splits
        },
        budget=BudgetReport(
            synops=found.target.limits[0].allowed,
            source=found.target.limits[0].granted,
            split="validation",
            arithmetic=found.target.backend.arithmetic,
            limits=_limits(dense, pruned),
            unchecked=[str(name) for name in placement.unchecked],
        ),
        dense=network_report(found.model, found.dense_test, found.dense_effective),
        pruned=PrunedReport(
            **network_report(found.pruned, found.tested, found.tested_effective).model_dump(),
            keep_ratios=_keep_ratios(found.model, found.pruned),
        ),
        lre=_lre(found),
        measured=measured,
        agreement=agreement,
        verdict=judge(
            basis,
            found.lre_check[basis],
            pruned,
            found.target.dense.synops,
            agreement,
            found.answers,
            unverified=found.verified.missing,
        ),
        answers=_answers(found.answers),
        max_drop=_max_drop(found),
        repairs=found.choice.repairs,
        interrupted=found.interrupted,
        evaluations=len(found.problem.history),
        seconds={name: round(seconds, 3) for name, seconds in found.seconds.items()},
        versions={**_versions(), **found.verified.versions},
        command=list(request.command),
        search=_search(found),
        finalists=[_finalist(one, chosen=one is found.choice.winner) for one in found.choice.tuned],
        spikes=spikes_report(found.pruned.network, found.tested, found.pruned.time_steps, found.first_outputs)
        if found.first_outputs
        else None,
        placement=placement_report(placement, cost.core_map),
        cost={
            "dense": cost_report(_cost(found, found.model, found.dense_on_target)),
            "pruned": cost_report(cost),
        },
        rounding=rounding_report(found.losses),
        adaptations=[
            AdaptationReport.model_validate(each)
            for each in (found.effect.as_json() if found.effect is not None else ())
        ],
        peak_memory_mib=found.peak_memory_mib,
    )


def _search(found: Found) -> SearchReport:
    return SearchReport(
        groups=[group.name for group in found.problem.factory.groups],
        budget_synops=found.problem.budget_synops,
        history=[
            EvaluationReport(
                keep_ratios=one.ratios.tolist(),
                accuracy=one.accuracy,
                predicted=one.prediction.value,
                low=one.prediction.low,
                high=one.prediction.high,
                reward=one.reward.value,
                penalties={name: penalty for name, penalty in one.reward.penalties.items() if penalty},
                keeps_limits=one.reward.keeps_limits,
            )
            for one in found.problem.history
        ],
        most_by_guessing=found.validation_guess,
    )


def _finalist(finalist: Finalist, *, chosen: bool) -> FinalistReport:
    return FinalistReport(
        keep_ratios=finalist.ratios.tolist(),
        predicted=finalist.prediction.value,
        low=finalist.prediction.low,
        high=finalist.prediction.high,
        plain_accuracy=finalist.plain.validation.accuracy,
        plain_synops=finalist.plain.validation.synops,
        accuracy=finalist.result.validation.accuracy,
        synops=finalist.result.validation.synops,
        synops_bound=finalist.result.synops_bound,
        finished=finalist.final is not None,
        chosen=chosen,
    )


def _max_drop(found: Found) -> MaxDrop | None:
    limit = found.request.searched_drop
    if limit is None:
        return None
    return MaxDrop(
        points=limit.allowed,
        test_drop_points=found.answers.drop_points,
        tried=[TriedBudget(**asdict(one)) for one in found.tries],
    )


def _answers(answers: Answers) -> AnswersReport:
    low, high = answers.drop_interval_points
    return AnswersReport(
        reference=answers.reference,
        samples=answers.samples,
        accuracy=answers.accuracy,
        reference_accuracy=answers.reference_accuracy,
        most_by_guessing=answers.most_by_guessing,
        drop_points=answers.drop_points,
        drop_low=low,
        drop_high=high,
    )


def _lre(found: Found) -> LreReport:
    winner, factory = found.choice.winner, found.problem.factory
    return lre_report(
        found.samples,
        winner.features,
        winner.prediction,
        estimator=found.problem.estimator.name,
        target_factor=found.target.synops_factor,
        groups=[group.name for group in factory.groups],
        check=found.lre_check,
    )


def _limits(dense: Sequence[Use], pruned: Sequence[Use]) -> list[LimitReport]:
    """Every limit with what both networks use of it; the tightest one is marked.

    A limit inside a core (how full the fullest core is) counts as the tightest only where the
    dense network breaks it: filling a core is no hardship. Limits on answers count as the
    tightest only where they are broken: nobody means to use them up.
    """
    shares = [-1.0 if _no_hardship(before, after) else after.share for before, after in zip(dense, pruned, strict=True)]
    tightest = shares.index(max(shares))
    return [
        LimitReport(
            name=after.name,
            unit=after.limit.unit,
            allowed=after.limit.allowed,
            dense=before.used,
            pruned=after.used,
            origin=after.limit.origin,
            least=after.limit.quantity.least,
            binds=place == tightest,
        )
        for place, (before, after) in enumerate(zip(dense, pruned, strict=True))
    ]


def _no_hardship(dense: Use, pruned: Use) -> bool:
    if pruned.limit.quantity.follows is Follows.ANSWERS:
        return not pruned.overshoot
    return dense.name.endswith("per core") and not dense.overshoot


def _activity(model: Model, measurement: Measurement) -> Activity:
    return activity_of(measurement, model.time_steps, analog_input=model.encoding is Encoding.DIRECT)


def _cost(found: Found, model: Model, measurement: Measurement) -> Cost:
    """What an inference costs on the target, whether or not the network fits there."""
    placement = place(model.network, found.target.chip)
    return estimate(model.network, placement, _activity(model, measurement))


def _uses(found: Found, model: Model, measurement: Measurement, answers: Answers) -> tuple[Use, ...]:
    """What a network uses of every limit, mean SynOps first."""
    target = found.target
    tested = OnChip(model.network, target.chip, _activity(model, measurement), answers)
    return (
        Use(target.limits[0], measurement.synops),
        *target.activity_uses(model.network, tested.measured),
        *target.structural(model.network),
        *(Use(limit, limit.quantity.value(tested)) for limit in target.limits_on(Follows.ANSWERS)),
    )


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
