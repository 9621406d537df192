"""What is left of the differences between searches once their networks are fine-tuned."""

from __future__ import annotations

from benchmarks.evidence.searched import Searchable
from benchmarks.evidence.store import Json
from benchmarks.fronts import cases
from benchmarks.fronts.arms import ARMS, best_of
from benchmarks.fronts.cases import ONE_CHIP
from spear_deploy.backends.backend import measure_on
from spear_deploy.hardware import load_profile, parse_budget
from spear_deploy.jobs.deploy.request import DEFAULT_PLAN
from spear_deploy.search import Tuner, TuningPlan
from spear_deploy.search.bounds import shared_risk
from spear_deploy.search.finalists import finished
from spear_deploy.search.tuning import tune_plain
from spear_deploy.targets.target import aim_at

TARGET = "loihi2"
SHARES = (0.5, 0.17)
"""Of the front's budgets, those whose networks are fine-tuned."""

ARMS_TUNED = ("agent", "evolution", "greedy")


def tuned(setting: Searchable, arm: str, seed: int, plan: TuningPlan = DEFAULT_PLAN) -> Json:
    """A front searched as ever, and the best for some of its budgets through both phases of the fine-tune.

    On test, in the chip's integers, with what SynOps are there of the budget.
    """
    problems, given = cases.problems(setting, ONE_CHIP), cases.given(setting)
    ARMS[arm](problems, seed)
    factory, validation = given.factory, given.validation
    dense = factory.measure(factory.model, validation)
    target = aim_at(load_profile(TARGET), factory, validation, dense, (), len(given.test))
    found: Json = {}
    for (_, share), best in best_of(setting, problems).items():
        if share in SHARES and best is not None:
            aimed = target.with_synops_limit(parse_budget(f"{share:.0%}"))
            tuner = Tuner(factory, aimed, plan, seed)
            plain = tune_plain(tuner, best.ratios, given.estimator)
            result = finished(tuner, [plain], shared_risk(1)).winner.result
            test = measure_on(aimed.backend, result.model, given.test)
            found[str(share)] = {
                "before": best.accuracy,
                "accuracy": test.accuracy,
                "share": test.synops / aimed.budget_synops,
            }
    return {"tuned": found}
