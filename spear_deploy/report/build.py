"""From what a run found to its report."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from spear_deploy.adaptation import AdaptationEffect
from spear_deploy.data import Dataset
from spear_deploy.execution.losses import RoundingLoss
from spear_deploy.hardware import activity_of, place
from spear_deploy.measure import EffectiveOperations, Measurement
from spear_deploy.network import Encoding, Model
from spear_deploy.on_target import OnTarget
from spear_deploy.report.schema import (
    AdaptationReport,
    Agreement,
    BudgetReport,
    LimitReport,
    LinearLre,
    LreReport,
    PrunedReport,
    QuantisationReport,
    Report,
    SplitReport,
    Verdict,
)
from spear_deploy.request import DeployRequest
from spear_deploy.search import Finalist, LimitUse, LinearEstimator, LreSample, Prediction
from spear_deploy.validation import Comparison, judge, measured_report, network_report

FLOAT64 = "float64"
LAVA_NAMES = {"torch": "lava", "loihi": "lava_fixed"}
"""How Lava's run is called that a backend of ours was held against."""

_PACKAGES = ("spear-deploy", "torch", "snntorch", "nir", "numpy", "stable-baselines3", "scikit-learn")


@dataclass(frozen=True)
class Found:
    """All that a run for one target found.

    `comparisons` are the runs in Lava by the backend that each was held against; `unverified`
    says why one that was wanted is missing.
    """

    request: DeployRequest
    target: OnTarget
    model: Model
    data: Dataset
    dense_test: Measurement
    dense_effective: EffectiveOperations
    samples: Sequence[LreSample]
    winner: Finalist
    pruned: Model
    tested: Measurement
    tested_effective: EffectiveOperations
    dense_on_target: Measurement
    tested_on_target: Measurement
    comparisons: dict[str, Comparison]
    unverified: str
    lava_version: str
    repairs: int
    evaluations: int
    seconds: dict[str, float]
    losses: Sequence[RoundingLoss] = ()
    effect: AdaptationEffect | None = None


def make_report(found: Found) -> Report:
    """The report of a run: figures, verdict, and what is needed to make them again."""
    request, winner = found.request, found.winner
    prediction = _for_images(winner.prediction, found.tested)
    measured, backend = {"torch": measured_report(found.tested, FLOAT64)}, found.target.backend
    if backend.name != "torch":
        measured[backend.name] = measured_report(found.tested_on_target, backend.arithmetic)
    agreement: dict[str, Agreement] = {}
    for name, comparison in found.comparisons.items():
        lava = LAVA_NAMES[name]
        measured[lava] = measured_report(comparison.lava, FLOAT64 if name == "torch" else backend.arithmetic)
        agreement[f"{name}_{lava}"] = comparison.agreement
    limits = _limits(found)
    return Report(
        model=str(request.model),
        model_sha256=hashlib.sha256(request.model.read_bytes()).hexdigest(),
        data=found.data.name,
        data_sha256=found.data.sha256,
        target=found.target.profile.name,
        seed=request.seed,
        threads=request.threads,
        time_steps=found.model.time_steps,
        encoding=str(found.model.encoding),
        splits={
            str(split.name): SplitReport(samples=len(split), source=split.source, index=_runs(split.index))
            for split in found.data.splits
        },
        budget=BudgetReport(
            synops=found.target.limits[0].allowed,
            source=found.target.limits[0].origin.removeprefix("budget "),
            split="validation",
            arithmetic=found.target.backend.arithmetic,
            limits=limits,
            unchecked=[str(name) for name in place(found.pruned.network, found.target.profile).unchecked],
        ),
        dense=network_report(found.model, found.dense_test, found.dense_effective),
        pruned=PrunedReport(
            **network_report(found.pruned, found.tested, found.tested_effective).model_dump(),
            keep_ratios=_keep_ratios(found.model, found.pruned),
        ),
        lre=_lre(found, prediction),
        measured=measured,
        agreement=agreement,
        adaptations=[
            AdaptationReport.model_validate(each)
            for each in (found.effect.as_json() if found.effect is not None else ())
        ],
        quantisation=[QuantisationReport(**asdict(loss)) for loss in found.losses],
        verdict=_verdict(found, prediction, limits),
        repairs=found.repairs,
        evaluations=found.evaluations,
        seconds={name: round(seconds, 3) for name, seconds in found.seconds.items()},
        versions={**_versions(), **({"lava": found.lava_version} if found.lava_version else {})},
        command=list(request.command),
    )


def _for_images(prediction: Prediction, tested: Measurement) -> Prediction:
    """A prediction of the mean, widened by what a finite set of images adds to it."""
    each = tested.per_sample.numpy()
    relative = float(each.std(ddof=1)) / tested.synops / np.sqrt(len(each)) if len(each) > 1 else 0.0
    return prediction.widened(relative)


def _verdict(found: Found, prediction: Prediction, limits: Sequence[LimitReport]) -> Verdict:
    faults = [
        f"{limit.name}: {limit.pruned:,.0f} {limit.unit} exceed the {limit.allowed:,.0f} of {limit.origin}"
        for limit in limits[1:]
        if limit.pruned > limit.allowed
    ]
    faults += [found.unverified] if found.unverified else []
    for name, comparison in found.comparisons.items():
        difference = comparison.agreement.first_difference
        if difference is not None:
            faults.append(f"Lava's spikes differ from {name}'s from layer {difference.layer}, step {difference.step}")
    basis, measured, predicted = "torch", found.tested.synops, prediction
    if found.target.backend.name != "torch":
        basis, measured = found.target.backend.name, found.tested_on_target.synops
        predicted = prediction.scaled(found.target.target_factor)
    elif "torch" in found.comparisons:
        in_lava = found.comparisons["torch"]
        basis, measured = "lava", in_lava.lava.synops
        predicted = prediction.scaled(in_lava.ours.synops / found.tested.synops)
    return judge(basis, measured, predicted, found.target.limits[0].allowed, found.tested_on_target.synops, faults)


def _lre(found: Found, prediction: Prediction) -> LreReport:
    line = LinearEstimator.fit(found.samples)
    return LreReport(
        estimator="ridge",
        predicted=prediction.value,
        low=prediction.low,
        high=prediction.high,
        samples=len(found.samples),
        target_factor=found.target.target_factor,
        linear=LinearLre(
            slope=line.slope,
            intercept=line.intercept,
            r2=line.r2,
            predicted=line.predict(found.winner.features).value,
        ),
    )


def _limits(found: Found) -> list[LimitReport]:
    """SynOps first, then the chip's limits and the user's; the tightest one is marked.

    A limit inside a core (how full the fullest core is) counts as the tightest only where the
    dense network breaks it: filling a core is no hardship.
    """
    dense = _uses(found, found.model, found.dense_on_target)
    pruned = _uses(found, found.pruned, found.tested_on_target)
    synops = found.target.limits[0]
    rows = [
        (
            synops.name,
            synops.unit,
            synops.allowed,
            found.dense_on_target.synops,
            found.tested_on_target.synops,
            synops.origin,
            True,
        )
    ]
    for before, after in zip(dense, pruned, strict=True):
        whole = not before.name.endswith("per core") or bool(before.overshoot)
        rows.append((after.name, after.unit, after.allowed, before.used, after.used, after.origin, whole))
    tightest = max(range(len(rows)), key=lambda row: rows[row][4] / rows[row][2] if rows[row][6] else -1.0)
    return [
        LimitReport(
            name=name, unit=unit, allowed=allowed, dense=used, pruned=left, origin=origin, binds=place == tightest
        )
        for place, (name, unit, allowed, used, left, origin, _) in enumerate(rows)
    ]


def _uses(found: Found, model: Model, measurement: Measurement) -> tuple[LimitUse, ...]:
    """What a network uses of every limit beside SynOps."""
    analog = model.encoding is Encoding.DIRECT
    activity = activity_of(measurement, model.time_steps, analog_input=analog)
    return found.target.activity_uses(model.network, activity) + found.target.structural(model.network)


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
