"""The experiments: each takes a setting and its arguments, and gives plain figures."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from benchmarks.evidence.pipeline import (
    LRE_SAMPLES,
    figures,
    outcome,
    prepared_for,
    request_for,
    solved,
)
from benchmarks.evidence.settings import OTHER_WIDTHS, Setting, digits
from benchmarks.evidence.store import Json
from spear_deploy.backends.backend import measure_on
from spear_deploy.hardware import estimate, known_profiles, load_profile, parse_budgets, place
from spear_deploy.jobs.deploy.deploy import deploy
from spear_deploy.jobs.deploy.request import DEFAULT_PLAN
from spear_deploy.jobs.progress import Silent
from spear_deploy.report import Report
from spear_deploy.search import (
    ESTIMATORS,
    LreSample,
    SearchProblem,
    TarConstants,
    TargetAwareReward,
    Tuner,
    TuningPlan,
    chosen_estimator,
    tuned_uniform,
)
from spear_deploy.search.strategies import STRATEGIES

HELD_OUT_SEED = 1000
EVALUATIONS = 150
SMALL = 0.05
NUMBERS = (12, 20, 24, 28, 40)
Q95 = 1.959964


def main_job(setting: Setting, budget: str, seed: int) -> Json:
    """The main job with Lava, as users run it."""
    with tempfile.TemporaryDirectory() as folder:
        request = request_for(
            setting, seed, budgets=parse_budgets([budget]), lava=True, lava_seconds=setting.lava_seconds
        )
        (report,) = deploy(replace(request, out=Path(folder) / "run"), Silent()).values()
    basis = report.measured[report.verdict.basis]
    lava = report.measured.get("lava-fixed") or report.measured.get("lava")
    return {
        "budget_synops": report.budget.synops,
        "accuracy": report.pruned.accuracy,
        "answers": report.answers and report.answers.model_dump(),
        "answers_to_given": report.answers_to_given and report.answers_to_given.model_dump(),
        "accuracy_on_target": basis.accuracy,
        "synops": basis.synops,
        "share_of_budget": basis.synops / report.budget.synops,
        "distribution": basis.distribution.model_dump() if basis.distribution else None,
        "parameters_share": report.pruned.parameters / report.dense.parameters,
        "repairs": report.repairs,
        "ok": report.verdict.ok,
        "reason": report.verdict.reason,
        "lava_samples": lava.samples if lava else 0,
        "agreements": {name: agreement.equal for name, agreement in report.agreement.items()},
        "lre_check": {name: check.model_dump() for name, check in report.lre.check.items()},
        "delivered": report.lre.delivered and report.lre.delivered.model_dump(),
        "constant": report.lre.estimators["constant"].predicted / report.lre.predicted,
        "delivered_uniform": _delivered_uniform(report),
        "finalists": [one.model_dump() for one in report.finalists],
        "stages": report.seconds,
    }


def _delivered_uniform(report: Report) -> bool:
    """Whether the equal ratios won, which every search evaluates first."""
    (chosen,) = [one for one in report.finalists if one.chosen]
    return report.search is not None and chosen.keep_ratios == report.search.history[0].keep_ratios


def uniform(setting: Setting, budget: str, seed: int) -> Json:
    """Equal ratios filled up to the search's limit, fine-tuned as the finalists are and as often."""
    request = request_for(setting, seed, budgets=parse_budgets([budget]))
    prepared = prepared_for(request)
    target = prepared.targets[0]
    problem = SearchProblem(
        prepared.factory,
        ESTIMATORS[chosen_estimator(prepared.samples).name](prepared.samples),
        target.to_torch(prepared.plan.search_multiple * target.budget_synops),
        target.structural,
        target.validation,
    )
    found = tuned_uniform(problem, Tuner(prepared.factory, target, prepared.plan, seed)).result
    return {
        "budget_synops": target.budget_synops,
        "bound": found.synops_bound,
        "validation": figures(found.validation),
        "test": figures(measure_on(target.backend, found.model, prepared.test)),
    }


def strategy(setting: Setting, arm: str, budget: str, seed: int) -> Json:
    """One search of `EVALUATIONS` evaluations and the fine-tune of its single best candidate beside uniform."""
    return outcome(
        *solved(setting, seed, budgets=parse_budgets([budget]), strategy=arm, evaluations=EVALUATIONS, finalists=1)
    )


PLAIN = replace(DEFAULT_PLAN, constrained=False)
ABLATION: dict[str, dict[str, str | TuningPlan]] = {
    "SPEAR": {"strategy": "spear"},
    "spear + ridge": {"strategy": "ddpg", "plan": PLAIN},
    "spear + ridge + evolution": {"strategy": "evolution", "plan": PLAIN},
}
"""SPEAR's pipeline, and ours without the constraint; with it as well it is `strategy`."""


def ablation(setting: Setting, arm: str, budget: str, seed: int) -> Json:
    """One arm of the ablation."""
    return outcome(
        *solved(setting, seed, budgets=parse_budgets([budget]), evaluations=EVALUATIONS, finalists=1, **ABLATION[arm])
    )


def samples_of(setting: Setting, seed: int, count: int, model: Path | None = None) -> list[LreSample]:
    """LRE's samples, kept for all experiments."""
    return prepared_for(request_for(setting, seed, model=model, lre_samples=count)).samples


def lre_error(setting: Setting, seed: int) -> Json:
    """Errors on held-out random networks, by estimator and number of samples."""
    samples = samples_of(setting, seed, setting.samples)
    prepared = prepared_for(request_for(setting, HELD_OUT_SEED, lre_samples=setting.held_out))
    least = SMALL * prepared.factory.dense.synops
    parts = {
        "all": prepared.samples,
        "5 % of the SynOps or more": [one for one in prepared.samples if one.synops >= least],
    }
    rows: list[Json] = []
    for number in [each for each in NUMBERS if each <= len(samples)]:
        for part, held_out in parts.items():
            rows += [{"samples": number, "part": part, **row} for row in _judged(samples[:number], held_out)]
    return {"rows": rows, "networks": {part: len(held_out) for part, held_out in parts.items()}}


def outside(setting: Setting, seed: int) -> Json:
    """Fitted on networks above 30 % of the dense SynOps only, held against those below."""
    limit = 0.3
    prepared = prepared_for(request_for(setting, seed, lre_samples=setting.samples))
    dense = prepared.factory.dense.synops
    inside = [each for each in prepared.samples if each.features.recalibrated_synops > limit * dense]
    held_out = samples_of(setting, HELD_OUT_SEED, setting.held_out)
    below = [each for each in held_out if each.features.recalibrated_synops <= limit * dense]
    return {"samples": len(inside), "held_out": len(below), "rows": _judged(inside, below)}


def held_out(setting: Setting) -> Json:
    """The random networks that estimators are judged on: made once, of a seed of their own."""
    return {"networks": len(samples_of(setting, HELD_OUT_SEED, setting.held_out))}


OTHER_NETWORKS: dict[str, dict[str, Any]] = {
    "T=2": {"time_steps": 2},
    "T=8": {"time_steps": 8},
    "T=16": {"time_steps": 16},
    "widths 12-24-32": {"widths": OTHER_WIDTHS},
}
OTHER_HELD_OUT, OTHER_SAMPLES = 12, 12


def dense(setting: Setting, network: str) -> Json:
    """Another dense network on the same data, and random networks pruned from it."""
    model = setting.model(**OTHER_NETWORKS[network])
    prepared = prepared_for(request_for(setting, HELD_OUT_SEED, model=model, lre_samples=OTHER_HELD_OUT))
    return {"accuracy": prepared.dense_test.accuracy, "synops": prepared.dense_test.synops}


def other_network(setting: Setting, network: str, seed: int) -> Json:
    """LRE for another network: the fit of this one carried over, against a few samples of its own."""
    model = setting.model(**OTHER_NETWORKS[network])
    others = samples_of(setting, HELD_OUT_SEED, OTHER_HELD_OUT, model)
    own = samples_of(setting, seed, OTHER_SAMPLES, model)
    carried = samples_of(setting, seed, LRE_SAMPLES)
    return {"carried over": _judged(carried, others), "fitted anew": _judged(own, others)}


def other_data(setting: Setting, seed: int) -> Json:
    """LRE for another data set: the fit of the digits' network carried over, against samples of this one's."""
    others = samples_of(setting, HELD_OUT_SEED, setting.held_out)
    carried, own = samples_of(digits(), seed, LRE_SAMPLES), samples_of(setting, seed, LRE_SAMPLES)
    return {"carried over from digits": _judged(carried, others), "fitted here": _judged(own, others)}


def tar(setting: Setting, seed: int, name: str) -> Json:
    """DDPG at 15 % with other constants of the reward: the best candidate before fine-tuning."""
    default = TarConstants()
    constants = {
        "default": default,
        "weight / 4": replace(default, weight=default.weight / 4, lowest=default.lowest / 4),
        "weight x 4": replace(default, weight=default.weight * 4),
        "fixed weight": replace(default, step=0.0),
        "fast weight": replace(default, step=4 * default.step),
    }[name]
    request = request_for(setting, seed, budgets=parse_budgets(["15%"]))
    prepared = prepared_for(request)
    target = prepared.targets[0]
    problem = SearchProblem(
        prepared.factory,
        ESTIMATORS["ridge"](prepared.samples),
        target.to_torch(prepared.plan.search_multiple * target.budget_synops),
        target.structural,
        target.validation,
        reward=TargetAwareReward(constants),
    )
    STRATEGIES["ddpg"].run(problem, EVALUATIONS, seed)
    (best,) = problem.best(1)
    late = problem.history[-EVALUATIONS // 3 :]
    return {
        "accuracy": best.accuracy,
        "keeps": float(np.mean([one.reward.keeps_limits for one in problem.history])),
        "late_accuracy": float(np.mean([one.accuracy for one in late])),
    }


def energy(setting: Setting) -> Json:
    """The share of SynOps in the typical energy of an inference of the dense network, chip by chip."""
    prepared = prepared_for(request_for(setting, 0))
    model, chips = prepared.task.model, {}
    for name in known_profiles():
        profile = load_profile(name)
        cost = estimate(model.network, place(model.network, profile), prepared.factory.activity(prepared.dense_test))
        chips[name] = {
            "share": cost.synops_share,
            "share_without_idle": cost.synops_share_of_dynamic,
            "status": str(cost.energy_status),
            "unpriced": list(cost.unpriced),
        }
    return {"chips": chips}


def _judged(samples: list[LreSample], held_out: list[LreSample]) -> list[Json]:
    """Each estimator's errors on networks that it did not see."""
    rows = []
    truth = np.array([each.synops for each in held_out])
    for name, fit in ESTIMATORS.items():
        estimator = fit(samples)
        found = [estimator.predict(each.features) for each in held_out]
        rows.append(
            _errors(
                name,
                np.array([each.value for each in found]),
                np.array([each.low for each in found]),
                np.array([each.high for each in found]),
                truth,
            )
        )
    value, deviation = _gaussian_process(samples, held_out)
    rows.append(
        _errors("gaussian process", value, value * np.exp(-Q95 * deviation), value * np.exp(Q95 * deviation), truth)
    )
    return rows


def _errors(name: str, value: np.ndarray, low: np.ndarray, high: np.ndarray, truth: np.ndarray) -> Json:
    error = np.abs(value - truth) / truth
    inside = (low <= truth) & (truth <= high)
    return {
        "estimator": name,
        "mean": float(error.mean()),
        "worst": float(error.max()),
        "bias": float(((value - truth) / truth).mean()),
        "coverage": float(inside.mean()),
    }


def _gaussian_process(samples: list[LreSample], held_out: list[LreSample]) -> tuple[np.ndarray, np.ndarray]:
    """log(after / recalibrated) by a Gaussian process on the ridge's features."""

    def features(all_of: list[LreSample]) -> np.ndarray:
        return np.array([[np.log(e.features.recalibrated_synops), *np.log(e.features.keep_ratios)] for e in all_of])

    x, x_new = features(samples), features(held_out)
    centre, scale = x.mean(0), x.std(0)
    y = np.log([each.synops / each.features.recalibrated_synops for each in samples])
    kernel = 1.0 * RBF(np.ones(x.shape[1]), (1e-1, 1e3)) + WhiteKernel(1e-2, (1e-6, 1.0))
    process = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=1, random_state=0)
    process.fit((x - centre) / scale, y)
    mean, deviation = process.predict((x_new - centre) / scale, return_std=True)
    return np.array([e.features.recalibrated_synops for e in held_out]) * np.exp(mean), deviation
