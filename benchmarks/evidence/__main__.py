"""Gather evidence and write its page.

    python -m benchmarks.evidence digits
    python -m benchmarks.evidence mnist --source ../shared/cases/mnist    # or an npz
    python -m benchmarks.evidence digits --ray auto    # seeds and arms on the machines of a cluster

What was gathered is kept in docs/evidence/raw; a second call goes on where the first one ended.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks.evidence import experiments
from benchmarks.evidence.page import write_page
from benchmarks.evidence.settings import MNIST_FOLDER, ROOT, Setting, digits, mnist
from benchmarks.evidence.store import Hands, Unit

BUDGETS = ("50%", "30%", "15%")
STRATEGY_ARMS = ("ddpg", "evolution", "greedy", "random", "uniform")
ABLATION_ARMS = tuple(experiments.ABLATION)
TAR_ARMS = ("default", "weight / 4", "weight x 4", "fixed weight", "fast weight")
OUT = ROOT / "docs" / "evidence"


def stages(setting: Setting, seeds: list[int]) -> list[list[Unit]]:
    """Units that need nothing of each other, stage by stage: samples are made before what reads them."""
    first = [Unit("lre_error", experiments.lre_error, {"seed": seed}) for seed in seeds]
    held_out = [Unit("held_out", experiments.held_out, {})]
    runs = [
        Unit("main_job", experiments.main_job, {"budget": budget, "seed": seed}) for budget in BUDGETS for seed in seeds
    ] + [Unit("uniform", experiments.uniform, {"budget": budget, "seed": seed}) for budget in BUDGETS for seed in seeds]
    strategies = [
        Unit("strategy", experiments.strategy, {"arm": arm, "budget": "15%", "seed": seed})
        for arm in STRATEGY_ARMS
        for seed in seeds
    ]
    ablations = [
        Unit("ablation", experiments.ablation, {"arm": arm, "budget": "15%", "seed": seed})
        for arm in ABLATION_ARMS
        for seed in seeds
    ]
    studies = [Unit("tar", experiments.tar, {"seed": seed, "name": name}) for name in TAR_ARMS for seed in seeds]
    studies += [Unit("outside", experiments.outside, {"seed": seed}) for seed in seeds]
    dense = [Unit("dense", experiments.dense, {"network": network}) for network in experiments.OTHER_NETWORKS]
    dense.append(Unit("energy", experiments.energy, {}))
    other = [
        Unit("other_network", experiments.other_network, {"network": network, "seed": seed})
        for network in experiments.OTHER_NETWORKS
        for seed in seeds
    ]
    if setting.name != "digits":
        other += [Unit("other_data", experiments.other_data, {"seed": seed}) for seed in seeds]
    return [held_out, first, runs, strategies, ablations, studies, dense, other]


def main() -> None:
    """Gather what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("setting", choices=("digits", "mnist"))
    parser.add_argument("--source", type=Path, default=MNIST_FOLDER, help="the folder of MNIST's idx files, or an npz")
    Hands.add_to(parser, os.cpu_count() or 1)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="*", help="experiments to gather")
    given = parser.parse_args()
    setting = digits() if given.setting == "digits" else mnist(given.source)
    setting.model()
    raw = OUT / "raw" / setting.name
    for stage in stages(setting, list(range(given.seeds))):
        units = [unit for unit in stage if not given.only or unit.experiment in given.only]
        Hands.of(given).gather(setting, raw, units)
    write_page(setting.name, raw, OUT / f"{setting.name}.md")


if __name__ == "__main__":
    main()
