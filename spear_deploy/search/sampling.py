"""The samples that LRE learns from: networks that are really pruned and fine-tuned."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from spear_deploy.search.candidate import CandidateFactory, Ratios
from spear_deploy.search.estimator import LreSample
from spear_deploy.training import Recipe, fine_tune

LOW_RATIOS = (0.06, 0.3)
HIGH_RATIOS = (0.25, 1.0)
LOW_SHARE = 0.25
"""Share of the samples drawn from low ratios: it buys predictions for small budgets."""


def draw_ratios(groups: int, count: int, seed: int) -> NDArray[np.float64]:
    """Keep ratios that cover the space, low ones included: Latin hypercubes, `[count, groups]`."""
    low_count = round(count * LOW_SHARE)
    parts = []
    for place, (number, (low, high)) in enumerate([(low_count, LOW_RATIOS), (count - low_count, HIGH_RATIOS)]):
        if number:
            cube = qmc.LatinHypercube(groups, rng=np.random.default_rng((seed, place)))
            parts.append(qmc.scale(cube.random(number), [low] * groups, [high] * groups))
    drawn = np.concatenate(parts)
    return np.random.default_rng((seed, len(parts))).permutation(drawn)


def make_sample(factory: CandidateFactory, ratios: Ratios, recipe: Recipe, seed: int) -> LreSample | None:
    """Prune, recalibrate, fine-tune and measure one network; None if it no longer spikes."""
    candidate = factory.candidate(ratios, measure_pruned=True)
    tuned = fine_tune(candidate.model, factory.train, recipe, seed=seed)
    after = factory.measure(tuned, factory.train)
    if not after.synops or not candidate.features.recalibrated_synops:
        return None
    return LreSample(candidate.features, after.synops, after.accuracy)


def collect_samples(
    factory: CandidateFactory,
    count: int,
    recipe: Recipe,
    seed: int,
    on_sample: Callable[[], None] | None = None,
) -> list[LreSample]:
    """`count` samples, each with a seed of its own."""
    samples = []
    for number, ratios in enumerate(draw_ratios(len(factory.groups), count, seed)):
        sample = make_sample(factory, ratios, recipe, seed=seed * 10_000 + number)
        if sample is not None:
            samples.append(sample)
        if on_sample is not None:
            on_sample()
    return samples
