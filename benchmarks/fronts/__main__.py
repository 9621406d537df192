"""One agent for a whole front of budgets against searches that begin anew for each, at the same number of evaluations.

    python -m benchmarks.fronts digits
    python -m benchmarks.fronts mnist --source ../shared/cases/mnist    # or an npz
    python -m benchmarks.fronts mnist-deep
    python -m benchmarks.fronts digits-chips    # the same budgets on three chips at once
    python -m benchmarks.fronts vgg10 --source ../shared/cases/cifar10 --arms greedy "greedy, carried" evolution agent
    python -m benchmarks.fronts vgg10-chips --source ../shared/cases/cifar10 --seeds 1 --arms greedy evolution agent
    python -m benchmarks.fronts digits --tuned --seeds 3    # and what is left of it after fine-tuning
    python -m benchmarks.fronts digits --ray auto    # seeds and arms on the machines of a cluster

Raw figures are kept, one JSON file a front, and what is there is not made again; the page is written
from them.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from benchmarks.evidence.settings import ROOT
from benchmarks.evidence.store import Hands, Unit, results
from benchmarks.fronts.arms import ARMS, front
from benchmarks.fronts.cases import CASES
from benchmarks.fronts.page import figure, page
from benchmarks.fronts.tuned import ARMS_TUNED, tuned
from spear_deploy.report.pictures.draw_matplotlib import canvas_bytes

RAW = ROOT / "docs" / "evidence" / "raw" / "fronts"
PAGE = ROOT / "docs" / "evidence" / "fronts.md"
TUNED = "tuned"


def main() -> None:
    """Gather what is missing of one network and write the page of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=CASES)
    parser.add_argument("--source", type=Path, help="the folder of its data; by default ../shared/cases")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--arms", nargs="*", choices=ARMS)
    parser.add_argument("--tuned", action="store_true", help="fine-tune the best for some budgets")
    Hands.add_to(parser)
    parser.add_argument("--raw", type=Path, default=RAW)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    setting = CASES[options.network].made(options.source)
    arms = options.arms or (ARMS_TUNED if options.tuned else ARMS)
    experiment = f"{TUNED}/{options.network}" if options.tuned else options.network
    run = tuned if options.tuned else partial(front, network=options.network)
    units = [Unit(experiment, run, {"arm": arm, "seed": seed}) for seed in range(options.seeds) for arm in arms]
    Hands.of(options).gather(setting, options.raw, units)
    runs = {name: found for name in CASES if (found := results(options.raw, name))}
    after = {name: found for name in CASES if (found := results(options.raw / TUNED, name))}
    options.page.write_text(page(runs, after))
    if (drawn := figure(runs)).panels:
        options.page.with_suffix(".svg").write_bytes(canvas_bytes(drawn, "svg"))


if __name__ == "__main__":
    main()
