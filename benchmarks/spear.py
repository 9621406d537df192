"""SPEAR as its authors tell it (`--pipeline spear`) on four networks: how it learns, and what it delivers.

    python -m benchmarks.spear digits
    python -m benchmarks.spear mnist --source ../shared/cases/mnist       # or an npz
    python -m benchmarks.spear vgg10 --source ../shared/cases/cifar10     # and sew-resnet

Nothing is projected or repaired: a seed is one search and one fine-tune, and its overshoot is what it is. LRE's samples
are made once a network and serve all its seeds. Raw figures are kept, one JSON file a seed, and what is there is not
made again; the page and its figure are written from them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from benchmarks.deep import CIFAR10_FOLDER, TRAINED, deep
from benchmarks.evidence.searched import SAMPLES, Searchable
from benchmarks.evidence.settings import BUILD, MNIST_FOLDER, ROOT, digits, mnist
from benchmarks.evidence.store import Hands, Json, Unit, results
from benchmarks.tar import over, spread
from spear_deploy.backends.backend import measure_on
from spear_deploy.hardware import load_profile, parse_budgets
from spear_deploy.jobs.deploy.prepare import Prepared, prepare
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.search import solve
from spear_deploy.jobs.progress import Clock, Silent
from spear_deploy.report.pictures.draw_matplotlib import canvas_bytes
from spear_deploy.report.pictures.figure import Axis, Figure, Level, Mark, Panel, Series
from spear_deploy.search.pipelines import SPEAR, SPEAR_RECIPE, pipeline_named
from spear_deploy.training import Recipe

RAW = ROOT / "docs" / "evidence" / "raw" / "spear"
PAGE = ROOT / "docs" / "evidence" / "spear.md"
TARGET = "generic-45nm"
"""Floating point: the paper prunes for no chip."""

BUDGET = "30%"
EPISODES = 100
PARTS = 10
"""Of a search, whose means are a point of its learning curve each."""


@dataclass(frozen=True)
class Case:
    """A network that the pipeline runs on.

    Attributes:
        title: what the page calls it.
        made: from the folder of its data.
        recipe: of every fine-tune.

    """

    title: str
    made: Callable[[Path | None], Searchable]
    recipe: Recipe = SPEAR_RECIPE


SHORT = replace(SPEAR_RECIPE, epochs=3, learning_rate=0.01)
"""For the deep networks: norms are folded into weights there, and the paper's rate ruins what is left without them."""


def _deep(name: str) -> Case:
    return Case(f"CIFAR-10, {name}", lambda source: deep(name, source or CIFAR10_FOLDER), SHORT)


CASES = {
    "digits": Case("digits", lambda source: digits()),
    "mnist": Case("MNIST", lambda source: mnist(source or MNIST_FOLDER)),
    **{name: _deep(name) for name in TRAINED},
}


@cache
def _prepared(setting: Searchable, recipe: Recipe) -> tuple[DeployRequest, Prepared]:
    """The dense network measured and LRE's samples made: once for all seeds."""
    plan = pipeline_named(SPEAR).plan
    request = DeployRequest(
        model=setting.model(),
        data=setting.data,
        targets=(load_profile(TARGET),),
        out=BUILD / "spear" / "unused",
        budgets=tuple(parse_budgets([BUDGET])),
        pipeline=SPEAR,
        plan=replace(plan, plain=recipe),
        lre_samples=SAMPLES,
        lava=False,
        cache=BUILD / "spear",
    )
    return request, prepare(request, Silent())


def run(setting: Searchable, seed: int, episodes: int, recipe: Recipe = SPEAR_RECIPE) -> Json:
    """One search and its one fine-tune: each episode, and what was predicted and measured of the delivered network."""
    request, prepared = _prepared(setting, recipe)
    target = prepared.targets[0]
    found = solve(target, replace(request, seed=seed, evaluations=episodes), prepared, Clock(Silent()))
    budget, winner = found.problem.budget_synops, found.choice.winner
    (best,) = found.problem.best(1)
    test = measure_on(target.backend, found.model, prepared.test)
    reference = measure_on(target.backend, prepared.reference, prepared.test)
    return {
        "shares": [one.prediction.value / budget for one in found.problem.history],
        "accuracies": [one.accuracy for one in found.problem.history],
        "pruned_accuracy": best.accuracy,
        "predicted": winner.prediction.value / budget,
        "measured": prepared.factory.measure(found.model, prepared.factory.train).synops / budget,
        "test": {"share": test.synops / budget, "accuracy": test.accuracy},
        "dense": {"synops": prepared.dense_test.synops, "accuracy": prepared.dense_test.accuracy},
        "tuned_dense": {"synops": reference.synops, "accuracy": reference.accuracy},
        "epochs": recipe.epochs,
        "rate": recipe.learning_rate,
        "keep_ratios": winner.ratios.tolist(),
        "weight_after": found.problem.reward.weight,
    }


def row(case: Case, runs: Sequence[Json]) -> list[str]:
    """A network's line of the table: means over seeds with their standard errors."""
    fifth = len(runs[0]["shares"]) // 5

    def told(value: Callable[[Json], float]) -> str:
        return spread([100 * value(run) for run in runs])

    return [
        f"{case.title} ({len(runs)} seeds)" if len(runs) > 1 else f"{case.title} (1 seed)",
        f"{runs[0]['epochs']}, {runs[0].get('rate', SPEAR_RECIPE.learning_rate):g}",
        told(lambda run: over(run, slice(0, fifth))),
        told(lambda run: over(run, slice(-fifth, None))),
        told(lambda run: run["predicted"]),
        told(lambda run: run["measured"]),
        told(lambda run: run["test"]["share"] - 1),
        f"{sum(run['test']['share'] > 1 for run in runs)} of {len(runs)}",
        told(lambda run: run["pruned_accuracy"]),
        told(lambda run: run["test"]["accuracy"]),
        told(lambda run: run["dense"]["accuracy"]),
        told(lambda run: run["tuned_dense"]["accuracy"]),
    ]


HEAD = [
    "network",
    "epochs, rate",
    "over, first fifth",
    "over, last fifth",
    "predicted",
    "measured",
    "overshoot on test",
    "over on test",
    "accuracy, cut",
    "accuracy, fine-tuned",
    "dense",
    "tuned dense",
]


def curve(runs: Sequence[Json], what: str) -> list[float]:
    """Means over seeds and over each tenth of the episodes."""
    each = np.array([run[what] for run in runs])
    return [float(part.mean()) for part in np.array_split(each, PARTS, axis=1)]


def figure(runs: dict[str, list[Json]]) -> Figure:
    """Learning curves of all networks: predicted SynOps, and accuracy as cut."""

    def panel(what: str, title: str, levels: tuple[Level, ...]) -> Panel:
        episodes = len(next(iter(runs.values()))[0]["shares"])
        x = tuple((2 * place + 1) * episodes / (2 * PARTS) for place in range(PARTS))
        series = tuple(
            Series(CASES[name].title, x, tuple(curve(found, what)), Mark.LINE, style=style)
            for style, (name, found) in enumerate(runs.items())
        )
        return Panel(Axis("episode"), Axis(title, percent=True), series, levels)

    return Figure(
        "spear",
        "SPEAR's search, as its authors tell it",
        "How predicted SynOps and accuracy follow the episodes.",
        (
            panel("shares", "predicted SynOps of the budget", (Level("budget", 1.0),)),
            panel("accuracies", "accuracy on validation, as cut", ()),
        ),
    )


def page(runs: dict[str, list[Json]]) -> str:
    """The page of evidence."""
    lines = [HEAD, ["---"] * len(HEAD), *(row(CASES[name], found) for name, found in runs.items())]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    some = next(iter(runs.values()))[0]
    recipe = SPEAR_RECIPE
    return f"""# SPEAR as its authors tell it

Written by `python -m benchmarks.spear` from [raw figures](raw/spear): `--pipeline spear` at {BUDGET} of the dense
SynOps, {some["episodes"]} episodes of DDPG, of which the first quarter is random, and LRE's line of {SAMPLES} samples
right after pruning, made once a network. Candidates are cut and neither recalibrated nor projected; TAR alone draws
the search to the budget; the best by reward is fine-tuned once and delivered as it comes out. In floating point.

The paper fine-tunes for 210 epochs on all images of CIFAR-10. Here samples and delivered networks get those of the
column `epochs, rate` (SGD, momentum .9, cosine with warm-up; the paper's rate is {recipe.learning_rate:g}). The deep
networks, of a quarter of the width, get 3 on 10,000 images, and a tenth of the rate: their norms are folded into the
weights, and at {recipe.learning_rate:g} the dense vgg10 ended at 10.0 % accuracy after 3 epochs, from 73.5, with
2.9 times its SynOps. Their accuracies tell what so short a fine-tune gives back, and not what SPEAR can.

- `over`: the share in % of the first and the last fifth of the episodes whose network is predicted to break the
  budget.
- `predicted`, `measured`: SynOps of the delivered network after its fine-tune, on the training samples that LRE
  speaks of, in % of the budget; `overshoot on test` the same on test, less 100.
- Accuracies in %: `cut` on validation right after pruning, the others on test; `tuned dense` after the same fine-tune.

Means over seeds with their standard errors.

{table}

![Learning curves: predicted SynOps in shares of the budget, and accuracy as cut](spear.svg)

Means over seeds, of each tenth of the episodes.
"""


def main() -> None:
    """Gather what is missing of one network, and write the page of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=CASES)
    parser.add_argument("--source", type=Path, help="the folder of its data; by default ../shared/cases")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=EPISODES)
    Hands.add_to(parser)
    parser.add_argument("--raw", type=Path, default=RAW)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    case = CASES[options.network]
    setting = case.made(options.source)
    units = [
        Unit(options.network, partial(run, recipe=case.recipe), {"seed": seed, "episodes": options.episodes})
        for seed in range(options.seeds)
    ]
    Hands.of(options).gather(setting, options.raw, units)
    every = {name: [one for one in results(options.raw, name) if one["episodes"] == options.episodes] for name in CASES}
    found = {name: runs for name, runs in every.items() if runs}
    options.page.write_text(page(found))
    options.page.with_suffix(".svg").write_bytes(canvas_bytes(figure(found), "svg"))


if __name__ == "__main__":
    from benchmarks import spear  # by the name that other processes know

    spear.main()
