"""One agent for a whole front of budgets against searches that begin anew for each, at the same number of evaluations.

    python -m benchmarks.fronts digits
    python -m benchmarks.fronts mnist --source ../shared/cases/mnist    # or an npz
    python -m benchmarks.fronts mnist-deep

Raw figures are kept, one JSON file a front, and what is there is not made again; the page is written
from them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benchmarks.evidence.settings import MNIST_FOLDER, ROOT, Setting, digits, mnist, mnist_deep
from benchmarks.evidence.store import Json, Unit, gather, results
from benchmarks.tar import searched, spread
from spear_deploy.search import STRATEGIES, FrontAgent, SearchProblem
from spear_deploy.search.strategies.front_state import STATE
from spear_deploy.search.strategies.greedy import shift_greedily
from spear_deploy.search.strategies.strategy import evaluate_proposed, evaluate_uniform
from spear_deploy.system.journal import Journal

Value = TypeVar("Value")

RAW = ROOT / "docs" / "evidence" / "raw" / "fronts"
PAGE = ROOT / "docs" / "evidence" / "fronts.md"
SETTINGS: dict[str, tuple[str, Callable[[Path], Setting]]] = {
    "digits": ("Digits, three groups of channels", lambda source: digits()),
    "mnist": ("MNIST, three groups of channels", mnist),
    "mnist-deep": ("MNIST, six groups of channels", mnist_deep),
}
"""By name: what the page calls it, and how it is made of MNIST's images."""

BUDGETS = (0.7, 0.5, 0.35, 0.25, 0.17, 0.12)
"""Shares of the dense SynOps, about equally far apart in the logarithm."""

EVALUATIONS = 24
"""For each budget, on average: the agent's training counts."""

AGENT = FrontAgent()


@dataclass(frozen=True)
class Kept(Journal):
    """Answers in memory for all searches of one process: accuracy and prediction do not depend on the budget."""

    known: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def within(self, *scope: str | float | None) -> Kept:
        return self

    def remember(self, kind: type[Value], what: str, *key: str | float | None, make: Callable[[], Value]) -> Value:
        if (what, *key) not in self.known:
            self.known[what, *key] = make()
        found: Value = self.known[what, *key]
        return found


@cache
def _kept(setting: Setting) -> Kept:
    return Kept()


def _problems(setting: Setting) -> dict[float, SearchProblem]:
    """One for each budget; they share the dense network and what is known of its candidates."""
    factory, estimator, validation = searched(setting, "spear+", "log-line")
    dense, kept = factory.dense.synops, _kept(setting)
    return {
        share: SearchProblem(factory, estimator, share * dense, lambda network: (), validation, journal=kept)
        for share in BUDGETS
    }


def agent(problems: Mapping[float, SearchProblem], seed: int) -> None:
    """Trained once over all budgets; then one answer for each, refined by a few greedy moves."""
    trained = AGENT.trained({f"{share:.0%}": problem for share, problem in problems.items()}, EVALUATIONS, seed)
    for problem in problems.values():
        trained.run(problem, EVALUATIONS, seed)


def carried(problems: Mapping[float, SearchProblem], seed: int) -> None:
    """The greedy search, each budget from the best of the one before: the front's own knowledge without learning."""
    before = None
    for problem in problems.values():
        start = evaluate_uniform(problem, None) if before is None else problem.evaluate(before)
        evaluate_proposed(problem, shift_greedily(problem, start, EVALUATIONS - 1, seed), EVALUATIONS - 1)
        before = problem.best(1)[0].ratios


def alone(name: str) -> Callable[[Mapping[float, SearchProblem], int], None]:
    """A strategy that begins anew for each budget."""

    def run(problems: Mapping[float, SearchProblem], seed: int) -> None:
        for problem in problems.values():
            STRATEGIES[name].run(problem, EVALUATIONS, seed)

    return run


ARMS: dict[str, Callable[[Mapping[float, SearchProblem], int], None]] = {
    "agent": agent,
    "greedy, carried": carried,
    **{name: alone(name) for name in ("evolution", "greedy", "random", "ddpg", "uniform")},
}


def front(setting: Setting, arm: str, seed: int) -> Json:
    """The best accuracy before fine-tuning within each budget, of all candidates of the front."""
    problems = _problems(setting)
    ARMS[arm](problems, seed)
    found = [one for problem in problems.values() for one in problem.history]
    dense = searched(setting, "spear+", "log-line")[0].dense.synops
    claims = [one.limits[0].used / dense for one in found]
    pairs = list(zip(claims, (one.accuracy for one in found), strict=True))
    return {
        **({"state": list(STATE)} if arm == "agent" else {}),
        "evaluations": len(found),
        "best": {str(share): max((a for claim, a in pairs if claim <= share), default=0.0) for share in BUDGETS},
    }


def table(runs: list[Json]) -> str:
    """Arms by budgets, on one setting; arms that were not run are left out."""
    figures = {
        arm: {run["seed"]: [100 * run["best"][str(share)] for share in BUDGETS] for run in runs if run["arm"] == arm}
        for arm in ARMS
        if any(run["arm"] == arm for run in runs)
    }
    seeds = sorted(set.intersection(*(set(found) for found in figures.values())))
    head = f"{len(seeds)} seeds" if len(seeds) > 1 else f"{len(seeds)} seed"
    rows = [[head, *(f"{share:.0%}" for share in BUDGETS), "front", "front, against evolution"]]
    rows.append(["---"] * len(rows[0]))
    for arm, found in figures.items():
        each = np.array([found[seed] for seed in seeds])
        apart = [float(np.mean(found[seed]) - np.mean(figures["evolution"][seed])) for seed in seeds]
        rows.append(
            [
                arm,
                *(f"{value:.1f}" for value in each.mean(0)),
                spread(list(each.mean(1))),
                "" if arm == "evolution" else spread(apart),
            ]
        )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def earlier_agent(runs: list[Json]) -> str:
    """What is to be said where an agent was measured that sees another state than now."""
    if all(run.get("state") == list(STATE) for run in runs if run["arm"] == "agent"):
        return ""
    return "\n\nThe agent of this table is an earlier one: it does not see the chip's limits, and has 7 moves a budget."


def page(runs: Mapping[str, list[Json]]) -> str:
    """The page of evidence, from the runs of each setting."""
    tables = "\n\n".join(
        f"## {SETTINGS[name][0]}\n\n{table(found)}{earlier_agent(found)}" for name, found in runs.items()
    )
    return f"""# One agent for a front

Written by `python -m benchmarks.fronts` from [raw figures](raw/fronts): no limits of a chip, {len(BUDGETS)} budgets,
{EVALUATIONS * len(BUDGETS)} evaluations a front for each arm (`uniform`: {len(BUDGETS)}).

- `agent`: `--strategy agent`, DDPG trained once over all budgets, which stand in its state; for each budget its answer
  and {AGENT.constants.moves_per_group} greedy moves for each group from there, in a third of the evaluations at most.
  Its training counts.
- `greedy, carried`: greedy, each budget from the best of the one before it.
- The others begin anew for each budget, with {EVALUATIONS} evaluations. Arms missing from a table were not run there.

Accuracy in % on validation, recalibrated, before fine-tuning: the best of the front's candidates whose SynOps are
predicted to stay within the budget. `front` is the mean over budgets, which lie about equally far apart in the
logarithm: the hypervolume over log SynOps, by its width. Means over seeds; with ± their standard errors.

{tables}
"""


def main() -> None:
    """Gather what is missing of one setting and write the page of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("setting", choices=SETTINGS)
    parser.add_argument("--source", type=Path, default=MNIST_FOLDER, help="the folder of MNIST's idx files, or an npz")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--raw", type=Path, default=RAW)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    setting = SETTINGS[options.setting][1](options.source)
    for seed in range(options.seeds):
        for arm in ARMS:
            print(gather(setting, options.raw, Unit(setting.name, front, {"arm": arm, "seed": seed})), flush=True)
    runs = {name: results(options.raw, name) for name in SETTINGS}
    options.page.write_text(page({name: found for name, found in runs.items() if found}))


if __name__ == "__main__":
    main()
