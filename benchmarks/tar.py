"""What TAR brings: the search of `spear` with TAR's weight, other constants, a fixed weight, and projected.

    python -m benchmarks.tar digits
    python -m benchmarks.tar mnist --source ../shared/cases/mnist    # or an npz

But where an arm says so, nothing is projected onto the budget: the reward alone draws the search to it, in `spear` as
in `spear+` without its projection (`--no-projection`). Raw figures are kept, one JSON file a search, and what is there
is not made again; the page is written from them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks.evidence.searched import SAMPLES, Searchable, searched
from benchmarks.evidence.settings import MNIST_FOLDER, ROOT, digits, mnist
from benchmarks.evidence.store import Hands, Json, Unit, results
from spear_deploy.search import STRATEGIES, SearchProblem, TarConstants, TargetAwareReward
from spear_deploy.search.pipelines import SPEAR, pipeline_named

RAW = ROOT / "docs" / "evidence" / "raw" / "tar"
PAGE = ROOT / "docs" / "evidence" / "tar.md"
BUDGET = 0.3
EPISODES = 100

NETWORKS: dict[str, Callable[[Path | None], Searchable]] = {
    "digits": lambda source: digits(),
    "mnist": lambda source: mnist(source or MNIST_FOLDER),
}
"""By name, from the folder of its data."""


@dataclass(frozen=True)
class Arm:
    """A way to search: the reward's constants, whether candidates are projected onto the budget, and the pipeline."""

    constants: TarConstants = field(default_factory=TarConstants)
    projects: bool = False
    pipeline: str = SPEAR


TAR, FIXED = "TAR", "fixed weight"
OURS = "spear+"
ESTIMATOR_OF = {SPEAR: "linear", OURS: "log-line"}
_OURS = TarConstants()
_FIXED = replace(_OURS, step=0.0)
ARMS = {
    TAR: Arm(),
    FIXED: Arm(_FIXED),
    "TAR, twice the step": Arm(replace(_OURS, step=2 * _OURS.step)),
    "TAR, half the weight": Arm(replace(_OURS, weight=_OURS.weight / 2)),
    "TAR, twice the weight": Arm(replace(_OURS, weight=2 * _OURS.weight)),
    "TAR, half as often over": Arm(replace(_OURS, broken_share=_OURS.broken_share / 2)),
    "projected": Arm(projects=True),
    f"{TAR}, {OURS}": Arm(pipeline=OURS),
    f"{FIXED}, {OURS}": Arm(_FIXED, pipeline=OURS),
    f"projected, {OURS}": Arm(projects=True, pipeline=OURS),
}


def search(setting: Searchable, arm: str, seed: int, episodes: int) -> Json:
    """One search by DDPG: what each episode's network was predicted to use of the budget, and its accuracy."""
    name = ARMS[arm].pipeline
    given, pipeline = searched(setting, name, ESTIMATOR_OF[name]), pipeline_named(name)
    problem = SearchProblem(
        given.factory,
        given.estimator,
        BUDGET * given.factory.dense.synops,
        lambda network: (),
        given.validation,
        reward=TargetAwareReward(ARMS[arm].constants),
        claim=pipeline.claim,
        projects=ARMS[arm].projects,
        strict=pipeline.strict,
    )
    STRATEGIES["ddpg"].run(problem, episodes, seed)
    (best,) = problem.best(1)
    return {
        "shares": [one.limits[0].share for one in problem.history],
        "accuracies": [one.accuracy for one in problem.history],
        "best": {"share": best.limits[0].share, "accuracy": best.accuracy},
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
        "over, all": 100 * over(run, slice(None)),
        "over, last fifth": 100 * over(run, late),
        "SynOps, last fifth": 100 * float(np.mean(run["shares"][late])),
        "accuracy, last fifth": 100 * float(np.mean(run["accuracies"][late])),
        "SynOps, delivered": 100 * run["best"]["share"],
        "accuracy, delivered": 100 * run["best"]["accuracy"],
        "weight at the end": run["weight_after"],
    }


def spread(values: Sequence[float]) -> str:
    """The mean, and its standard error where there are several."""
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.1f}"


def table(runs: Sequence[Json], pipeline: str) -> str:
    """The arms of one network in a pipeline, and what TAR has beside the fixed weight; empty where none was run."""
    own = {arm: arm.removesuffix(f", {pipeline}") for arm, each in ARMS.items() if each.pipeline == pipeline}
    by_arm = {name: {run["seed"]: measures(run) for run in runs if run["arm"] == arm} for arm, name in own.items()}
    by_arm = {arm: found for arm, found in by_arm.items() if found}
    if not by_arm:
        return ""
    names = list(next(iter(by_arm[TAR].values())))
    rows = [["", "seeds", *names], ["---"] * (2 + len(names))]
    for arm, found in by_arm.items():
        rows.append([arm, str(len(found)), *(spread([each[name] for each in found.values()]) for name in names)])
    paired = sorted(set(by_arm[TAR]) & set(by_arm[FIXED]))
    apart = [[by_arm[TAR][seed][name] - by_arm[FIXED][seed][name] for seed in paired] for name in names]
    rows.append([f"{TAR} less {FIXED}", str(len(paired)), *map(spread, apart)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def page(runs: Mapping[str, Sequence[Json]]) -> str:
    """The page of evidence, from the runs by network."""
    ours = ARMS[TAR].constants
    tables = "\n\n".join(
        f"## {name}, `{pipeline}`\n\n{found}"
        for name, each in runs.items()
        for pipeline in ESTIMATOR_OF
        if (found := table(each, pipeline))
    )
    return f"""# What TAR brings

Written by `python -m benchmarks.tar` from [raw figures](raw/tar). Searches at a budget of {BUDGET:.0%} of the dense
SynOps, by DDPG: {EPISODES} episodes, of which the first quarter is random. Nothing is repaired, and nothing but the arm
`projected` is projected. In `spear`, SynOps are those that LRE's line, of {SAMPLES} samples, predicts after the
fine-tune, and accuracy is that of the network as it was cut, on validation. In `spear+` networks are recalibrated
before anything is measured of them, and SynOps are the upper end of what the line in logarithms predicts; what keeps
the budget goes before what does not.

- `{TAR}`: its weight begins at {ours.weight:g} and follows the share of episodes that break the budget
  (step {ours.step:g}), of which {ours.broken_share:.0%} may; `{FIXED}` stays at {ours.weight:g}. Others change one
  constant each. `projected`: keep ratios are scaled onto the budget before a candidate is evaluated, as
  `spear+` does.
- `over`: episodes in % whose network is predicted to break the budget, of all and of the last fifth.
- `SynOps`: in % of the budget, the mean of the last fifth, and of the network that is delivered, the best by reward.
- `accuracy`: in %, before the fine-tune.

Means over seeds with their standard errors; the difference is paired by seed.

{tables}
"""


def main() -> None:
    """Gather what is missing of one network and write the page of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--source", type=Path, help="the folder of its data; by default ../shared/cases")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--arms", nargs="*", choices=ARMS, default=list(ARMS))
    Hands.add_to(parser)
    parser.add_argument("--raw", type=Path, default=RAW)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    setting = NETWORKS[options.network](options.source)
    units = [
        Unit(options.network, search, {"arm": arm, "seed": seed, "episodes": EPISODES})
        for seed in range(options.seeds)
        for arm in options.arms
    ]
    Hands.of(options).gather(setting, options.raw, units)
    options.page.write_text(page({name: found for name in NETWORKS if (found := results(options.raw, name))}))


if __name__ == "__main__":
    from benchmarks import tar  # by the name that other processes know

    tar.main()
