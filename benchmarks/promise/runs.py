"""One network through its budgets, and what came of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spear_deploy.backends.backend import measure_on
from spear_deploy.errors import SpearDeployError
from spear_deploy.hardware import load_profile, parse_budget
from spear_deploy.jobs.deploy.delivered import for_splits, predicted
from spear_deploy.jobs.deploy.early_warnings import shift
from spear_deploy.jobs.deploy.prepare import Prepared, prepare
from spear_deploy.jobs.deploy.request import DEFAULT_PLAN, DeployRequest
from spear_deploy.jobs.deploy.search import Pruned, solve
from spear_deploy.jobs.progress import Clock, Progress, Silent
from spear_deploy.measure import Answers, Measurement, guess_rate
from spear_deploy.report.answers_part import MOST_LOST_POINTS
from spear_deploy.search import ESTIMATORS, Finalist, LreSample, Ratios, Tuner, TuningPlan, leave_one_out, tuned_uniform
from spear_deploy.targets.target import Target

Json = dict[str, Any]
BUDGETS = ("50%", "30%", "15%")
PLACES = ("cache", "data")
SILENT = Silent()


def run(
    path: Path,
    *,
    seed: int = 0,
    device: str = "cpu",
    budgets: Sequence[str] = BUDGETS,
    done: Json | None = None,
    uniform: bool = True,
    profile: str = "loihi2",
    plan: TuningPlan = DEFAULT_PLAN,
    on_budget: Callable[[Json], None] = lambda found: None,
    progress: Progress = SILENT,
    **changes: Any,
) -> Json:
    """All budgets of one network that are not among those `done`.

    `on_budget` is told what was found after each; without `uniform` that reference is not made.
    `changes` are those to what a request has by default.
    """
    began = time.time()
    request = DeployRequest(
        model=path,
        targets=(load_profile(profile),),
        out=path.with_suffix(".unused"),
        budgets=(parse_budget("50%"),),
        seed=seed,
        lava=False,
        device=device,
        plan=plan,
        **changes,
    )
    clock = Clock(progress)
    prepared = prepare(request, clock.progress)
    target = prepared.targets[0]
    dense_test = measure_on(target.backend, prepared.factory.model, prepared.test)
    tuned_test = measure_on(target.backend, prepared.reference, prepared.test)
    found: Json = {
        "network": path.stem,
        "seed": seed,
        "samples": [len(split) for split in prepared.task.data.splits],
        "dense": {"validation": _figures(target.dense), "test": _figures(dense_test)},
        "tuned_dense": {"validation": _figures(target.measure(prepared.reference)), "test": _figures(tuned_test)},
        "shift": shift(target.dense, dense_test),
        "lre": _lre(prepared.samples),
        "settings": {"uniform": uniform, **{name: value for name, value in changes.items() if name not in PLACES}},
        "told": _told(clock, request),
        "budgets": dict(done or {}),
    }
    for budget in budgets:
        if budget not in found["budgets"]:
            aimed = target.with_synops_limit(parse_budget(budget))
            found["budgets"][budget] = _one(aimed, request, prepared, tuned_test, progress, uniform=uniform)
            on_budget(found | {"seconds": time.time() - began})
    return found | {"seconds": time.time() - began}


def _one(
    target: Target,
    request: DeployRequest,
    prepared: Prepared,
    tuned_test: Measurement,
    progress: Progress,
    *,
    uniform: bool,
) -> Json:
    began, clock = time.time(), Clock(progress)
    try:
        solution = solve(target, request, prepared, clock)
    except SpearDeployError as error:
        return {"refused": str(error), "seconds": time.time() - began}
    winner = solution.choice.winner
    test = measure_on(target.backend, winner.result.model, prepared.test)
    answers = _answers(test, tuned_test, prepared)
    low, high = answers.drop_interval_points
    ruined = answers.is_guessing or low > MOST_LOST_POINTS
    return {
        "budget_synops": target.budget_synops,
        "accuracy": {"validation": winner.result.validation.accuracy, "test": test.accuracy},
        "synops": {"validation": winner.result.validation.synops, "test": test.synops},
        "bound": winner.result.synops_bound,
        "repairs": solution.choice.repairs,
        "delivered_uniform": bool(np.array_equal(winner.ratios, _uniform(solution))),
        "parameters_share": winner.result.model.parameters / prepared.factory.model.parameters,
        "keep_ratios": winner.ratios.tolist(),
        "drop_points": answers.drop_points,
        "drop_interval_points": [low, high],
        "ruined": ruined,
        "ok": test.synops <= target.budget_synops and not ruined,
        "uniform": _tuned_uniform(target, request, prepared, solution) if uniform else None,
        "claimed_share": _claimed(solution),
        **({"delivered": _delivered(solution, target, prepared, test)} if winner.result is winner.final else {}),
        "told": _told(clock, request),
        "predictions": [_prediction(one, solution, prepared) for one in solution.choice.tuned if one.final is None]
        + [_prediction(one, solution, prepared) for one in solution.choice.tuned[:3] if one.final is not None],
        "estimator": solution.problem.estimator.name,
        "seconds": time.time() - began,
    }


def _uniform(solution: Pruned) -> Ratios:
    """The ratios of the uniform network, filled up to the search's limit."""
    problem = solution.problem
    ratios: Ratios = problem.project(np.ones(problem.dimensions)).features.keep_ratios
    return ratios


def _claimed(solution: Pruned) -> float:
    """What the projected uniform network claims of the search's own limit."""
    return float(solution.problem.claims(_uniform(solution), [1.0])[0])


def _tuned_uniform(target: Target, request: DeployRequest, prepared: Prepared, solution: Pruned) -> Json:
    tuner = Tuner(prepared.factory, target, prepared.plan, request.seed)
    found = tuned_uniform(solution.problem, tuner).result
    return _figures(measure_on(target.backend, found.model, prepared.test)) | {"bound": found.synops_bound}


def _prediction(one: Finalist, solution: Pruned, prepared: Prepared) -> Json:
    """A finalist's plain network in torch on training samples, beside what was predicted of it."""
    measured = prepared.factory.measure(one.plain.model, prepared.factory.train).synops
    constant = ESTIMATORS["constant"](prepared.samples).predict(one.features)
    return {
        "predicted": one.prediction.value,
        "low": one.prediction.low,
        "high": one.prediction.high,
        "constant": constant.value,
        "measured": measured,
        "limit": solution.problem.budget_synops,
        "uniform": bool(np.array_equal(one.features.keep_ratios, _uniform(solution))),
    }


def _delivered(solution: Pruned, target: Target, prepared: Prepared, test: Measurement) -> Json:
    """What was predicted of the delivered network, beside its SynOps on test, in the target's arithmetic."""
    estimators = (solution.problem.estimator, ESTIMATORS["constant"](prepared.samples))
    found, alone = predicted(solution, estimators, target, prepared)
    there = target.from_torch(for_splits(found, test, target, prepared))
    return {
        "predicted": there.value,
        "low": there.low,
        "high": there.high,
        "constant": target.from_torch(alone).value,
        "measured": test.synops,
    }


def _answers(given: Measurement, reference: Measurement, prepared: Prepared) -> Answers:
    labels = prepared.test.labels
    rate = guess_rate(prepared.task.data.train.y, labels, prepared.task.model.classes)
    return Answers.between(given.predictions, reference.predictions, labels, rate, "tuned dense network")


def _told(clock: Clock, request: DeployRequest) -> list[str]:
    """What was told of the network, and not of where steps are kept."""
    return [line for line in clock.notices if request.cache is None or str(request.cache) not in line]


def _figures(measured: Measurement) -> Json:
    return {"accuracy": measured.accuracy, "synops": measured.synops}


def _lre(samples: Sequence[LreSample]) -> Json:
    found: Json = {"samples": len(samples)}
    for name, fit in ESTIMATORS.items():
        try:
            judged = leave_one_out(fit, samples)
            found[name] = {"error": judged.mean_error, "coverage": judged.coverage}
        except SpearDeployError:
            found[name] = None
    return found
