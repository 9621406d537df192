"""What searches a front, and the best that it found for each pair of budget and chip."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from benchmarks.evidence.searched import Searchable
from benchmarks.evidence.store import Json
from benchmarks.fronts import cases
from benchmarks.fronts.cases import Pairs
from spear_deploy.search import STRATEGIES, Evaluation, FrontAgent, Ratios
from spear_deploy.search.strategies.front_state import STATE
from spear_deploy.search.strategies.greedy import shift_greedily
from spear_deploy.search.strategies.strategy import evaluate_proposed, evaluate_uniform

EVALUATIONS = 24
"""For each budget, on average: the agent's training counts."""

AGENT = FrontAgent()


def agent(problems: Pairs, seed: int) -> None:
    """Trained once over all pairs; then one answer for each, refined by a few greedy moves."""
    named = {f"{chip}, {share:.0%}": problem for (chip, share), problem in problems.items()}
    trained = AGENT.trained(named, EVALUATIONS, seed)
    for problem in problems.values():
        trained.run(problem, EVALUATIONS, seed)


def carried(problems: Pairs, seed: int) -> None:
    """The greedy search, each budget from the best of the one before: the front's own knowledge without learning."""
    before: dict[str, Ratios] = {}
    for (chip, _), problem in problems.items():
        start = problem.evaluate(before[chip]) if chip in before else evaluate_uniform(problem, None)
        evaluate_proposed(problem, partial(shift_greedily, problem, start, EVALUATIONS - 1, seed), EVALUATIONS - 1)
        before[chip] = problem.best(1)[0].ratios


def alone(name: str) -> Callable[[Pairs, int], None]:
    """A strategy that begins anew for each pair."""

    def run(problems: Pairs, seed: int) -> None:
        for problem in problems.values():
            STRATEGIES[name].run(problem, EVALUATIONS, seed)

    return run


ARMS: Mapping[str, Callable[[Pairs, int], None]] = {
    "agent": agent,
    "greedy, carried": carried,
    **{name: alone(name) for name in ("evolution", "greedy", "random", "ddpg", "uniform")},
}


def best_of(setting: Searchable, problems: Pairs) -> dict[tuple[str, float], Evaluation | None]:
    """For each pair the most accurate of all candidates of the front that are predicted to keep it, before fine-tuning.

    None where none is.
    """
    found = [one for problem in problems.values() for one in problem.history]
    dense = cases.given(setting).factory.dense.synops
    best: dict[tuple[str, float], Evaluation | None] = {}
    for (chip, share), problem in problems.items():
        within = [one for one in found if one.limits[0].used / dense <= share and problem.structure.fits(one.ratios)]
        best[chip, share] = max(within, key=lambda one: one.accuracy, default=None)
    return best


def front(setting: Searchable, arm: str, seed: int, network: str) -> Json:
    """The accuracy of the best for each pair of one of `CASES`, before fine-tuning."""
    case = cases.CASES[network]
    problems = cases.problems(setting, case)
    ARMS[arm](problems, seed)
    best = best_of(setting, problems)
    return {
        **({"state": list(STATE)} if arm == "agent" else {}),
        "evaluations": sum(len(problem.history) for problem in problems.values()),
        "best": {case.named(*pair): 0.0 if one is None else one.accuracy for pair, one in best.items()},
    }
