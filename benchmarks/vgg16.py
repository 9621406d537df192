"""SPEAR's largest network on a CPU: what preparing its integers takes, and what lies ahead for a whole run.

    python -m benchmarks.vgg16 --threads 2

VGG16 for 3 x 32 x 32 images (14.7 M parameters, T = 4), with made-up weights and images: times do not depend on them.
The forecast is that of `spear-deploy` before its long work, for 50,000 images, from steps that are timed here in one
thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch

from benchmarks.speed.measured import passes, split_of
from benchmarks.speed.nets import Net, convolutional
from spear_deploy.backends.backend import CALIBRATION_SAMPLES
from spear_deploy.backends.fixed_point.backend import ChipBackend
from spear_deploy.backends.fixed_point.formats import LOIHI2
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.jobs.deploy.ahead import Costs, stages
from spear_deploy.jobs.deploy.request import DeployConfig
from spear_deploy.measure import accuracy_on, measure_split
from spear_deploy.network import Model, Simulation, samples_at_once
from spear_deploy.search import CandidateFactory
from spear_deploy.training import Recipe, fine_tune

WIDTHS = (64, 64, "pool", 128, 128, "pool", *(256,) * 3, "pool", *(512,) * 3, "pool", *(512,) * 3, "pool")
VGG16 = Net("VGG16", lambda: convolutional(3, 32, WIDTHS), (3, 32, 32), 4, 4, CALIBRATION_SAMPLES, static=True)

IMAGES, VALIDATION = 50_000, 1_000
"""Those of CIFAR-10 that train, and as many of them as the evidence on it chooses by."""

TIMED = 32
"""Samples whose time is taken for that of all."""


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


def preparing(model: Model, data: EncodedSplit) -> tuple[float, float]:
    """Seconds of one float32 pass of the calibration samples, and of preparing integers on them."""
    backend = ChipBackend(LOIHI2, data.take(slice(0, CALIBRATION_SAMPLES)).inputs)
    size = samples_at_once(model.network, model.time_steps)
    forward = passes(Simulation(model.graph), data.take(slice(0, CALIBRATION_SAMPLES)), size)
    return seconds(forward), seconds(lambda: backend.prepare(model))


def costs(model: Model, data: EncodedSplit, recipe: Recipe) -> Costs:
    """What `spear-deploy` times before its long work, each on few samples."""
    few, batch = data.take(slice(0, TIMED)), data.take(slice(0, recipe.batch))
    one_step = Recipe(epochs=1, batch=recipe.batch, learning_rate=recipe.learning_rate)
    chip = ChipBackend(LOIHI2, few.inputs).prepare(model)
    factory = CandidateFactory(model, data)
    half = factory.executed(np.full(len(factory.groups), 0.5))
    narrower = factory.candidate(half).model  # with what all candidates share
    size = samples_at_once(model.network, model.time_steps)
    return Costs(
        step_s=seconds(lambda: fine_tune(model, batch, one_step, seed=0)),
        counted_s=seconds(lambda: measure_split(model, few)) / TIMED,
        judged_s=seconds(lambda: passes(chip.run, few, size)()) * VALIDATION / TIMED,
        candidate_s=seconds(lambda: factory.candidate(half)),
        answered_s=seconds(lambda: accuracy_on(narrower, few)) * VALIDATION / TIMED,
    )


def forecast(found: Costs, time_steps: int) -> Mapping[int, Mapping[str, float]]:
    """Seconds of each stage of a run with all defaults, by how many processes share the work."""
    nothing = torch.zeros(1).expand(time_steps, IMAGES, 1)
    train = EncodedSplit(SplitName.TRAIN, nothing, torch.zeros(1, dtype=torch.int64).expand(IMAGES), analog=True)
    return {workers: stages(found, DeployConfig(workers=workers), train, runs=1) for workers in (2, 16)}


def main() -> None:
    """Print what was measured, and what follows from it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="of torch, while integers are prepared")
    options = parser.parse_args()
    model, data = VGG16.model(), split_of(VGG16, CALIBRATION_SAMPLES)
    torch.set_num_threads(options.threads)
    forward_s, preparing_s = preparing(model, data)
    print(
        f"{options.threads} threads, {len(data)} samples: a float32 pass {forward_s:.1f} s, preparing integers"
        f" {preparing_s:.1f} s, {preparing_s / forward_s:.2f} passes"
    )
    torch.set_num_threads(1)
    found = costs(model, data, DeployConfig().plan.plain)
    print("one thread:", ", ".join(f"{name} {value:.2f}" for name, value in vars(found).items()))
    for workers, each in forecast(found, model.time_steps).items():
        hours = ", ".join(f"{name} {value / 3600:.1f} h" for name, value in each.items())
        print(f"{IMAGES:,} images, {workers} processes: {hours}; in all {sum(each.values()) / 3600:.0f} h")


if __name__ == "__main__":
    main()
