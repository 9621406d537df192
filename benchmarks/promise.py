"""Whether what is promised holds on networks and data that nobody tuned to.

    python -m benchmarks.promise run build/foreign/*.pt --out docs/evidence/raw/promise
    python -m benchmarks.promise table docs/evidence/raw/promise --to docs/evidence/promise.md

`run` takes each model file through budgets of 50, 30 and 15 % on Loihi 2, in its integers, beside the
tuned dense network and the uniform one, and writes one JSON file a network; a second call makes what is missing.
"""

from __future__ import annotations

import argparse
import json
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from spear_deploy.backends.backend import measure_on
from spear_deploy.errors import SpearDeployError
from spear_deploy.hardware import load_profile, parse_budget
from spear_deploy.jobs.deploy.early_warnings import shift
from spear_deploy.jobs.deploy.prepare import Prepared, prepare
from spear_deploy.jobs.deploy.request import DEFAULT_PLAN, DeployRequest
from spear_deploy.jobs.deploy.search import Pruned, solve
from spear_deploy.jobs.deploy.verdict import MOST_LOST_POINTS
from spear_deploy.measure import Answers, Measurement, guess_rate
from spear_deploy.progress import Clock, Silent
from spear_deploy.search import ESTIMATORS, Finalist, LreSample, Ratios, Tuner, leave_one_out, tuned_uniform
from spear_deploy.targets.target import Target

Json = dict[str, Any]
BUDGETS = ("50%", "30%", "15%")
HIGH = 0.85
"""Dense networks above it may lose less."""

MOST_LOST = {"50%": (1.0, 2.0), "30%": (2.0, 4.0), "15%": (4.0, 8.0)}
"""Points against the tuned dense network, mean by data set: where the dense one is above `HIGH`, and where not."""


def run(
    path: Path,
    *,
    seed: int = 0,
    device: str = "cpu",
    budgets: Sequence[str] = BUDGETS,
    uniform: bool = True,
    until: float = np.inf,
    on_budget: Callable[[Json], None] = lambda found: None,
    **changes: Any,
) -> Json:
    """All budgets of one network; those that do not begin before the time `until` are left out.

    `on_budget` is told what was found after each; without `uniform` that reference is not made.
    """
    began = time.time()
    defaults: Json = {"lre_samples": 12, "evaluations": 60, "finalists": 2, "plan": DEFAULT_PLAN}
    request = DeployRequest(
        model=path,
        targets=(load_profile("loihi2"),),
        out=path.parent / "unused",
        budgets=(parse_budget("50%"),),
        seed=seed,
        lava=False,
        device=device,
        **defaults | changes,
    )
    prepared = prepare(request, Silent())
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
        "budgets": {},
    }
    for budget in budgets:
        if time.time() < until:
            aimed = target.with_synops_limit(parse_budget(budget))
            found["budgets"][budget] = _one(aimed, request, prepared, tuned_test, uniform=uniform)
            on_budget(found)
    return found | {"seconds": time.time() - began}


def _one(target: Target, request: DeployRequest, prepared: Prepared, tuned_test: Measurement, *, uniform: bool) -> Json:
    began = time.time()
    try:
        solution = solve(target, request, prepared, Clock(Silent()))
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
        "keep_ratios": winner.ratios.tolist(),
        "drop_points": answers.drop_points,
        "drop_interval_points": [low, high],
        "ruined": ruined,
        "ok": test.synops <= target.budget_synops and not ruined,
        "uniform": _tuned_uniform(target, request, prepared, solution) if uniform else None,
        "claimed_share": _claimed(solution),
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
    tuner = Tuner(prepared.factory, target, request.plan, request.seed)
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
    }


def _answers(given: Measurement, reference: Measurement, prepared: Prepared) -> Answers:
    labels = prepared.test.labels
    rate = guess_rate(prepared.task.data.train.y, labels, prepared.task.model.classes)
    return Answers.between(given.predictions, reference.predictions, labels, rate, "tuned dense network")


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


def table(results: Sequence[Json]) -> str:
    """What came of all runs, in words and tables."""
    rows = [
        {
            "network": each["network"],
            "budget": budget,
            "shift": bool(each["shift"]),
            "tuned": each["tuned_dense"],
            **one,
        }
        for each in results
        for budget, one in each.get("budgets", {}).items()
    ]
    ran = [row for row in rows if "refused" not in row]
    lines = [
        f"{len(results)} networks, {len(rows)} runs, {len(rows) - len(ran)} refused;"
        f" {sum('error' in each for each in results)} ended with a traceback.",
        "",
        f"- over budget by validation's bound: {_count(ran, lambda row: row['bound'] > row['budget_synops'])}",
        f"- over budget on test, no shift told before: {_count(ran, lambda row: _over(row) and not row['shift'])} of"
        f" {_count(ran, lambda row: not row['shift'])}",
        f"- over budget on test, shift told: {_count(ran, lambda row: _over(row) and row['shift'])} of"
        f" {_count(ran, lambda row: row['shift'])}",
        f"- at least .96 of the budget used by the bound: {_count(ran, _used)}",
        f"- ruined: {_count(ran, lambda row: row['ruined'])}, of these called OK:"
        f" {_count(ran, lambda row: row['ruined'] and row['ok'])}",
        f"- delivered after closing steps: {_count(ran, lambda row: row['repairs'] > 0)}, uniform:"
        f" {_count(ran, lambda row: row['delivered_uniform'])}",
        f"- paired with uniform, test accuracy: {_paired(ran)}",
        f"- LRE on plain networks: {_lre_errors(ran)}",
        "",
        "| network | budget | dense, same fine-tune | pruned | drop, 95 % | uniform | bound | test | repairs | said |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        if "refused" in row:
            lines.append(f"| {row['network']} | {row['budget']} | refused: {row['refused'][:80]} | | | | | | | |")
            continue
        low, high = row["drop_interval_points"]
        budget = row["budget_synops"]
        cells = (
            row["network"] + (" (shift told)" if row["shift"] else ""),
            row["budget"],
            f"{row['tuned']['test']['accuracy']:.1%}",
            f"{row['accuracy']['test']:.1%}",
            f"{row['drop_points']:.1f} ({low:.1f} to {high:.1f})",
            f"{row['uniform']['accuracy']:.1%}" if row["uniform"] else "",
            f"{row['bound'] / budget:.3f}",
            f"{row['synops']['test'] / budget:.3f}",
            row["repairs"],
            "OK" if row["ok"] else "ruined" if row["ruined"] else "over",
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join([*lines, "", _by_set(ran)]) + "\n"


def _over(row: Json) -> bool:
    return bool(row["synops"]["test"] > row["budget_synops"])


def _used(row: Json) -> bool:
    return bool(row["bound"] >= 0.96 * row["budget_synops"])


def _count(rows: Sequence[Json], test: Callable[[Json], bool]) -> int:
    return sum(bool(test(row)) for row in rows)


def _paired(rows: Sequence[Json]) -> str:
    differences = [100 * (row["accuracy"]["test"] - row["uniform"]["accuracy"]) for row in rows if row["uniform"]]
    if len(differences) < 2:
        return "too few"
    error = np.std(differences, ddof=1) / np.sqrt(len(differences))
    return f"{np.mean(differences):+.2f} points, standard error {error:.2f} ({len(differences)} runs)"


def _lre_errors(rows: Sequence[Json]) -> str:
    found = [one for row in rows for one in row["predictions"]]
    if not found:
        return "none"
    errors = [abs(one["predicted"] / one["measured"] - 1) for one in found if one["measured"]]
    constant = [abs(one["constant"] / one["measured"] - 1) for one in found if one["measured"]]
    inside = sum(one["low"] <= one["measured"] <= one["high"] for one in found)
    interval = stats.binomtest(inside, len(found)).proportion_ci(method="exact")
    return (
        f"mean error {np.mean(errors):.1%} (a single constant {np.mean(constant):.1%}), {inside} of {len(found)}"
        f" inside, coverage {interval.low:.2f} to {interval.high:.2f} (Clopper-Pearson 95 %)"
    )


def _by_set(rows: Sequence[Json]) -> str:
    lines = [
        "| data set | budget | runs | mean drop to dense, same fine-tune | wanted | paired with uniform |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    sets = sorted({row["network"].rsplit("-", 1)[0] for row in rows})
    for name in sets:
        for budget in BUDGETS:
            part = [row for row in rows if row["network"].rsplit("-", 1)[0] == name and row["budget"] == budget]
            if part:
                drop = np.mean([row["drop_points"] for row in part])
                dense = np.mean([row["tuned"]["test"]["accuracy"] for row in part])
                most = MOST_LOST[budget][int(dense <= HIGH)]
                lines.append(f"| {name} | {budget} | {len(part)} | {drop:.2f} | {most:.1f} | {_paired(part)} |")
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    runs = verbs.add_parser("run")
    runs.add_argument("models", nargs="+", type=Path)
    runs.add_argument("--out", type=Path, required=True)
    runs.add_argument("--device", default="cpu")
    tables = verbs.add_parser("table")
    tables.add_argument("raw", type=Path)
    tables.add_argument("--to", type=Path)
    given = parser.parse_args()
    if given.verb == "table":
        text = table([json.loads(path.read_text()) for path in sorted(given.raw.glob("*.json"))])
        print(text) if given.to is None else given.to.write_text(text)
        return
    given.out.mkdir(parents=True, exist_ok=True)
    for path in given.models:
        out = given.out / f"{path.stem}.json"
        if not out.is_file():
            try:
                found = run(path, device=given.device)
            except SpearDeployError as error:
                found = {"network": path.stem, "refused": str(error)}
            except Exception:
                found = {"network": path.stem, "error": traceback.format_exc()}
            out.write_text(json.dumps(found) + "\n")
            print(path.stem, {budget: one.get("ok") for budget, one in found.get("budgets", {}).items()}, flush=True)


if __name__ == "__main__":
    main()
