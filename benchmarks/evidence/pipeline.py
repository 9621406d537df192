"""Parts of the main job, as the experiments need them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.evidence.settings import BUILD, TARGET, Setting
from benchmarks.evidence.store import Json
from spear_deploy.backends.backend import measure_on
from spear_deploy.hardware import load_profile
from spear_deploy.jobs.deploy.prepare import Prepared, prepare
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.search import Pruned, solve
from spear_deploy.jobs.progress import Clock, Silent
from spear_deploy.measure import Measurement
from spear_deploy.search import ESTIMATORS, Finalist

LRE_SAMPLES = 24
CACHE = BUILD / "samples"


def request_for(setting: Setting, seed: int, model: Path | None = None, **changes: Any) -> DeployRequest:
    """The main job's request, with samples kept between experiments and without Lava."""
    defaults: Json = {"lre_samples": LRE_SAMPLES, "lava": False, "cache": CACHE}
    return DeployRequest(
        model=model or setting.model(),
        targets=(load_profile(TARGET),),
        out=BUILD / "unused",
        data=setting.data,
        seed=seed,
        **defaults | changes,
    )


def prepared_for(request: DeployRequest) -> Prepared:
    """The dense network measured, LRE's samples made or read."""
    return prepare(request, Silent())


def solved(setting: Setting, seed: int, **changes: Any) -> tuple[Prepared, Pruned]:
    """The search and the fine-tunes of one run."""
    request = request_for(setting, seed, **changes)
    prepared = prepared_for(request)
    return prepared, solve(prepared.targets[0], request, prepared, Clock(Silent()))


def figures(measured: Measurement) -> Json:
    """Accuracy and SynOps of a measurement."""
    return {"accuracy": measured.accuracy, "synops": measured.synops}


def outcome(prepared: Prepared, pruned: Pruned) -> Json:
    """What a run ended with, on validation and test, in the target's arithmetic."""
    target, winner = prepared.targets[0], pruned.choice.winner
    dense = measure_on(target.backend, prepared.task.model, prepared.test)
    return {
        "budget": target.budget_synops,
        "dense": {"validation": figures(target.dense), "test": figures(dense)},
        "validation": figures(winner.result.validation),
        "test": figures(measure_on(target.backend, winner.result.model, prepared.test)),
        "bound": float(winner.result.synops_bound),
        "repairs": pruned.choice.repairs,
        "keep_ratios": winner.ratios.tolist(),
        "finalists": [finalist_figures(one, prepared) for one in pruned.choice.tuned],
        "best_by_evaluation": best_by_evaluation(pruned),
    }


def finalist_figures(finalist: Finalist, prepared: Prepared) -> Json:
    """A finalist after its plain fine-tune beside what each estimator predicted, in torch on training samples."""
    measured = prepared.factory.measure(finalist.plain.model, prepared.factory.train)
    return {
        "keep_ratios": finalist.ratios.tolist(),
        "plain_synops": measured.synops,
        "predictions": predictions(prepared, finalist),
        "validation_accuracy": finalist.result.validation.accuracy,
    }


def predictions(prepared: Prepared, finalist: Finalist) -> Json:
    """What each estimator says of a finalist."""
    found = {}
    for name, fit in ESTIMATORS.items():
        prediction = fit(prepared.samples).predict(finalist.features)
        found[name] = [float(prediction.value), float(prediction.low), float(prediction.high)]
    return found


def best_by_evaluation(pruned: Pruned) -> list[float]:
    """The best accuracy before fine-tuning among candidates that keep the limits, after each evaluation."""
    best, curve = 0.0, []
    for evaluation in pruned.problem.history:
        if evaluation.reward.keeps_limits:
            best = max(best, evaluation.accuracy)
        curve.append(round(best, 4))
    return curve
