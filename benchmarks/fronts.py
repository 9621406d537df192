"""One agent for a whole front of budgets against searches that begin anew for each, at the same number of evaluations.

    python -m benchmarks.fronts digits
    python -m benchmarks.fronts mnist --source ../shared/cases/mnist    # or an npz
    python -m benchmarks.fronts mnist-deep
    python -m benchmarks.fronts digits-chips    # the same budgets on three chips at once

Raw figures are kept, one JSON file a front, and what is there is not made again; the page is written
from them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benchmarks.evidence.settings import MNIST_FOLDER, ROOT, Setting, digits, mnist, mnist_deep
from benchmarks.evidence.store import Json, Unit, gather, results
from benchmarks.tar import searched, spread
from spear_deploy.hardware import OnChip, load_profile, parse_budget, structural_uses
from spear_deploy.search import STRATEGIES, FrontAgent, Ratios, SearchProblem
from spear_deploy.search.strategies.front_state import STATE
from spear_deploy.search.strategies.greedy import shift_greedily
from spear_deploy.search.strategies.strategy import evaluate_proposed, evaluate_uniform
from spear_deploy.search.structure import StructuralLimits
from spear_deploy.system.journal import Journal

Value = TypeVar("Value")

RAW = ROOT / "docs" / "evidence" / "raw" / "fronts"
PAGE = ROOT / "docs" / "evidence" / "fronts.md"
BUDGETS = (0.7, 0.5, 0.35, 0.25, 0.17, 0.12)
"""Shares of the dense SynOps, about equally far apart in the logarithm."""

EVALUATIONS = 24
"""For each budget, on average: the agent's training counts."""

UNBOUND: Mapping[str, tuple[str, ...]] = {"no chip": ()}
PARTS: Mapping[str, tuple[str, ...]] = {
    "loihi2": (),
    "48 KiB of it": ("synapse-memory=48KiB",),
    "20 KiB of it": ("synapse-memory=20KiB",),
}
"""A Loihi 2, and what others leave of one: the digits' dense network takes 92 KiB of synapse memory."""


@dataclass(frozen=True)
class Case:
    """Networks that fronts are searched for.

    Attributes:
        title: what the page calls it.
        made: from MNIST's images, where it is of them.
        chips: limits on the structure of a network on a Loihi 2, by what the page calls them.
        budgets: shares of the dense SynOps on each of them.

    """

    title: str
    made: Callable[[Path], Setting]
    chips: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: UNBOUND)
    budgets: tuple[float, ...] = BUDGETS

    def named(self, chip: str, share: float) -> str:
        """A pair, in raw figures."""
        return str(share) if self.chips is UNBOUND else f"{chip}, {share}"

    @property
    def columns(self) -> list[str]:
        """Of the table: budgets, or chips where there are several."""
        return [f"{share:.0%}" for share in self.budgets] if self.chips is UNBOUND else list(self.chips)

    def row(self, best: Mapping[str, float]) -> list[float]:
        """The figures of a front by these columns, those of a chip the mean over its budgets."""
        if self.chips is UNBOUND:
            return [best[self.named("", share)] for share in self.budgets]
        return [float(np.mean([best[self.named(chip, share)] for share in self.budgets])) for chip in self.chips]


SETTINGS: dict[str, Case] = {
    "digits": Case("Digits, three groups of channels", lambda source: digits()),
    "mnist": Case("MNIST, three groups of channels", mnist),
    "mnist-deep": Case("MNIST, six groups of channels", mnist_deep),
    "digits-2": Case("Digits, two budgets", lambda source: digits(), budgets=(0.5, 0.17)),
    "digits-chips": Case("Digits on three chips", lambda source: digits(), PARTS),
}
ONE_CHIP = SETTINGS["digits"]

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


Pairs = Mapping[tuple[str, float], SearchProblem]
"""By chip and share of the dense SynOps."""


def _structural(limits: tuple[str, ...]) -> StructuralLimits:
    """What a network uses of a Loihi 2 and of these limits."""
    chip, parsed = load_profile("loihi2"), [parse_budget(limit) for limit in limits]
    return lambda network: structural_uses(OnChip(network, chip), parsed)


def _problems(setting: Setting, case: Case) -> Pairs:
    """One for each pair of chip and budget; they share the dense network and what is known of its candidates."""
    factory, estimator, validation = searched(setting, "spear+", "log-line")
    dense, kept = factory.dense.synops, _kept(setting)
    structural = {
        chip: (lambda network: ()) if case.chips is UNBOUND else _structural(limits)
        for chip, limits in case.chips.items()
    }
    return {
        (chip, share): SearchProblem(factory, estimator, share * dense, each, validation, journal=kept)
        for chip, each in structural.items()
        for share in case.budgets
    }


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
        evaluate_proposed(problem, shift_greedily(problem, start, EVALUATIONS - 1, seed), EVALUATIONS - 1)
        before[chip] = problem.best(1)[0].ratios


def alone(name: str) -> Callable[[Pairs, int], None]:
    """A strategy that begins anew for each pair."""

    def run(problems: Pairs, seed: int) -> None:
        for problem in problems.values():
            STRATEGIES[name].run(problem, EVALUATIONS, seed)

    return run


ARMS: dict[str, Callable[[Pairs, int], None]] = {
    "agent": agent,
    "greedy, carried": carried,
    **{name: alone(name) for name in ("evolution", "greedy", "random", "ddpg", "uniform")},
}


def front(setting: Setting, arm: str, seed: int, case: Case = ONE_CHIP) -> Json:
    """The best accuracy before fine-tuning within each pair's limits, of all candidates of the front."""
    problems = _problems(setting, case)
    ARMS[arm](problems, seed)
    found = [one for problem in problems.values() for one in problem.history]
    dense = searched(setting, "spear+", "log-line")[0].dense.synops
    best = {}
    for (chip, share), problem in problems.items():
        within = [one for one in found if one.limits[0].used / dense <= share and problem.structure.fits(one.ratios)]
        best[case.named(chip, share)] = max((one.accuracy for one in within), default=0.0)
    return {**({"state": list(STATE)} if arm == "agent" else {}), "evaluations": len(found), "best": best}


def table(runs: list[Json], case: Case = ONE_CHIP) -> str:
    """Arms by budgets, or by chips where there are several, on one setting; arms that were not run are left out."""
    figures = {
        arm: {run["seed"]: 100 * np.array(case.row(run["best"])) for run in runs if run["arm"] == arm}
        for arm in ARMS
        if any(run["arm"] == arm for run in runs)
    }
    seeds = sorted(set.intersection(*(set(found) for found in figures.values())))
    head = f"{len(seeds)} seeds" if len(seeds) > 1 else f"{len(seeds)} seed"
    rows = [[head, *case.columns, "front", "front, against evolution"]]
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
        f"## {SETTINGS[name].title}\n\n{table(found, SETTINGS[name])}{earlier_agent(found)}"
        for name, found in runs.items()
    )
    return f"""# One agent for a front

Written by `python -m benchmarks.fronts` from [raw figures](raw/fronts): {EVALUATIONS} evaluations for each pair of
budget and chip (`uniform`: one), {len(BUDGETS)} budgets and no limits of a chip where a table says nothing else.

- `agent`: `--strategy agent`, DDPG trained once over all pairs, whose budget and chip stand in its state; for each
  its answer and {AGENT.constants.moves_per_group} greedy moves for each group from there, in a third of the evaluations
  at most. Its training counts.
- `greedy, carried`: greedy, each budget from the best of the one before it.
- The others begin anew for each pair. Arms missing from a table were not run there.

Accuracy in % on validation, recalibrated, before fine-tuning: the best of the front's candidates whose SynOps are
predicted to stay within the budget. `front` is the mean over budgets, which lie about equally far apart in the
logarithm: the hypervolume over log SynOps, by its width. Means over seeds; with ± their standard errors.

Three chips: a whole Loihi 2, which holds every network here, and what others leave of one, 48 and 20 KiB of synapse
memory; the digits' dense network takes 92. A chip's column is the mean over its six budgets, `front` that over all
18 pairs.

{tables}
"""


def main() -> None:
    """Gather what is missing of one setting and write the page of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("setting", choices=SETTINGS)
    parser.add_argument("--source", type=Path, default=MNIST_FOLDER, help="the folder of MNIST's idx files, or an npz")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--arms", nargs="*", choices=ARMS, default=list(ARMS))
    parser.add_argument("--raw", type=Path, default=RAW)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    case = SETTINGS[options.setting]
    setting = case.made(options.source)
    for seed in range(options.seeds):
        for arm in options.arms:
            unit = Unit(options.setting, partial(front, case=case), {"arm": arm, "seed": seed})
            print(gather(setting, options.raw, unit), flush=True)
    runs = {name: results(options.raw, name) for name in SETTINGS}
    options.page.write_text(page({name: found for name, found in runs.items() if found}))


if __name__ == "__main__":
    main()
