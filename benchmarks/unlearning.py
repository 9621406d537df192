"""At which learning rates a fine-tune unlearns, and what is left of a network where it goes on at that rate.

    python -m benchmarks.unlearning [--mnist ../shared/cases/mnist] [--seeds 3]

Dense networks on digits and MNIST (`benchmarks/input_units.py`) go through both phases at the usual rate and at powers
of two of it. The table says, for each, what the first phase loses of what the network answers beyond guessing on its
training samples, as `TuningPlan.gentle` judges it, and the accuracy on test in the end.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.evidence.settings import MNIST_FOLDER, digits, mnist
from benchmarks.input_units import dense
from spear_deploy.measure import SCORINGS, accuracy_on
from spear_deploy.search import TuningPlan
from spear_deploy.training import Recipe, fine_tune

TIMES = (1, 2, 4, 8, 16, 32)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, default=MNIST_FOLDER, help="folder of idx files, or an npz")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    plan = TuningPlan()

    def at(recipe: Recipe, times: int) -> Recipe:
        return replace(recipe, learning_rate=times * recipe.learning_rate)

    print("| rate |" + "".join(f" {times} x: lost | accuracy |" for times in TIMES))
    print("|" + " --- |" * (1 + 2 * len(TIMES)))
    for setting in (digits(), mnist(options.mnist)):
        for seed in range(options.seeds):
            model, train, test = dense(setting, seed)
            before = accuracy_on(model, train)
            beyond = before - SCORINGS[model.objective.kind].chance(train.labels, train.labels, model.classes)
            cells = []
            for times in TIMES:
                plain = fine_tune(model, train, at(plan.plain, times), seed=seed)
                lost = (before - accuracy_on(plain, train)) / beyond
                final = fine_tune(plain, train, at(plan.final, times), seed=seed)
                cells.append(f"{lost:.2f} | {100 * accuracy_on(final, test):.1f}")
            print(f"| {setting.name}, seed {seed} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
