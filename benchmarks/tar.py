"""What TAR brings: the search of the pipeline `spear` on the digits, with TAR's weight and with a fixed one.

    python -m benchmarks.tar

Nothing is projected onto the budget there: the reward alone draws the search to it. Raw figures are kept, one JSON file
a search, and what is there is not made again; the page is written from them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.evidence.searched import SAMPLES, Searchable, searched
from benchmarks.evidence.settings import ROOT, digits
from benchmarks.evidence.store import Json, Unit, gather, results
from spear_deploy.search import STRATEGIES, SearchProblem, TarConstants, TargetAwareReward
from spear_deploy.search.pipelines import SPEAR, pipeline_named

RAW = ROOT / "docs" / "evidence" / "raw" / "tar"
PAGE = ROOT / "docs" / "evidence" / "tar.md"
BUDGET = 0.3
EPISODES = 100

TAR, FIXED = "TAR", "fixed weight"
REWARDS = {TAR: TarConstants(), FIXED: replace(TarConstants(), step=0.0)}


def search(setting: Searchable, reward: str, seed: int, episodes: int) -> Json:
    """One search by DDPG: what each episode's network was predicted to use of the budget, and its accuracy."""
    given = searched(setting, SPEAR, "linear")
    pipeline = pipeline_named(SPEAR)
    problem = SearchProblem(
        given.factory,
        given.estimator,
        BUDGET * given.factory.dense.synops,
        lambda network: (),
        given.validation,
        reward=TargetAwareReward(REWARDS[reward]),
        claim=pipeline.claim,
        projects=pipeline.projects,
        strict=pipeline.strict,
    )
    STRATEGIES["ddpg"].run(problem, episodes, seed)
    (best,) = problem.best(1)
    return {
        "shares": [one.prediction.value / problem.budget_synops for one in problem.history],
        "accuracies": [one.accuracy for one in problem.history],
        "best": {"share": best.prediction.value / problem.budget_synops, "accuracy": best.accuracy},
        "weight_after": problem.reward.weight,
    }


def over(run: Json, part: slice) -> float:
    """The share of some episodes whose network is predicted to break the budget."""
    return float((np.array(run["shares"][part]) > 1).mean())


def measures(run: Json) -> dict[str, float]:
    """What is compared, by name."""
    fifth = len(run["shares"]) // 5
    late = slice(-fifth, None)
    return {
        "over the budget, first fifth (%)": 100 * over(run, slice(0, fifth)),
        "over the budget, last fifth (%)": 100 * over(run, late),
        "SynOps of the budget, last fifth (%)": 100 * float(np.mean(run["shares"][late])),
        "accuracy, last fifth (%)": 100 * float(np.mean(run["accuracies"][late])),
        "delivered: SynOps of the budget (%)": 100 * run["best"]["share"],
        "delivered: accuracy before the fine-tune (%)": 100 * run["best"]["accuracy"],
        "weight at the end": run["weight_after"],
    }


def spread(values: Sequence[float]) -> str:
    """The mean, and its standard error where there are several."""
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.1f}"


def page(runs: list[Json]) -> str:
    """The page of evidence."""
    by_reward = {name: {run["seed"]: measures(run) for run in runs if run["reward"] == name} for name in REWARDS}
    seeds = sorted(set(by_reward[TAR]) & set(by_reward[FIXED]))
    rows = [["", TAR, FIXED, "difference"], ["---"] * 4]
    for name in by_reward[TAR][seeds[0]]:
        tar, fixed = ([by_reward[reward][seed][name] for seed in seeds] for reward in REWARDS)
        rows.append([name, spread(tar), spread(fixed), spread([a - b for a, b in zip(tar, fixed, strict=True)])])
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    constants = REWARDS[TAR]
    return f"""# What TAR brings

Written by `python -m benchmarks.tar` from [raw figures](raw/tar). The search of `--pipeline spear` on the digits at a
budget of {BUDGET:.0%} of the dense SynOps, by DDPG: {runs[0]["episodes"]} episodes, {len(seeds)} seeds. Nothing is
projected or repaired; SynOps are those that LRE's line, of {SAMPLES} samples, predicts after the fine-tune, and
accuracy is that of the network as it was cut, on validation. TAR's weight begins at {constants.weight:g} and follows
the share of episodes that break the budget; the fixed one stays there. The first quarter of the episodes is random, so
the first fifth tells how often chance breaks the budget.

Means over seeds with their standard errors; the difference is paired by seed.

{table}
"""


def main() -> None:
    """Gather what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=EPISODES)
    parser.add_argument("--raw", type=Path, default=RAW)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    for seed in range(options.seeds):
        for reward in REWARDS:
            arguments = {"reward": reward, "seed": seed, "episodes": options.episodes}
            print(gather(digits(), options.raw, Unit("searches", search, arguments)), flush=True)
    runs = [run for run in results(options.raw, "searches") if run["episodes"] == options.episodes]
    options.page.write_text(page(runs))


if __name__ == "__main__":
    main()
