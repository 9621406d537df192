"""The samples that LRE learns from: networks that are really pruned and fine-tuned."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import qmc

from spear_deploy.data import EncodedSplit
from spear_deploy.network import Model
from spear_deploy.pruning import Widths
from spear_deploy.search.candidate import CandidateFactory, Ratios
from spear_deploy.search.lre.sample import LreSample
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
    return LreSample(
        features=candidate.features,
        synops=after.synops,
        accuracy=after.accuracy,
        before=candidate.activity,
        after=factory.activity(after),
        synops_by_layer={name: layer.synops for name, layer in after.layers.items()},
    )


def collect_samples(
    factory: CandidateFactory,
    count: int,
    recipe: Recipe,
    seed: int,
    on_sample: Callable[[], None] | None = None,
    *,
    workers: int = 1,
) -> list[LreSample]:
    """`count` samples, each with a seed of its own.

    With several `workers`, processes share them; the samples are the same.
    """
    jobs = [
        (ratios, recipe, seed * 10_000 + number)
        for number, ratios in enumerate(draw_ratios(len(factory.groups), count, seed))
    ]
    samples = []
    made = (make_sample(factory, *job) for job in jobs) if workers == 1 else _in_processes(factory, jobs, workers)
    for sample in made:
        if sample is not None:
            samples.append(sample)
        if on_sample is not None:
            on_sample()
    return samples


Job = tuple[Ratios, Recipe, int]


def _in_processes(factory: CandidateFactory, jobs: list[Job], workers: int) -> Iterator[LreSample | None]:
    """The samples in order, made by processes that each hold the dense model and the training data."""
    start = (factory.model, factory.train, factory.widths, torch.get_num_threads())
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin_worker, start) as pool:
        try:
            yield from pool.map(_make_in_worker, jobs)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


_worker_factory: CandidateFactory | None = None
"""What a worker process makes its samples from."""


def _begin_worker(model: Model, train: EncodedSplit, widths: Widths, threads: int) -> None:
    global _worker_factory
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and ends the pool
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    _worker_factory = CandidateFactory(model, train, widths)


def _make_in_worker(job: Job) -> LreSample | None:
    if _worker_factory is None:
        raise RuntimeError("the worker was not begun")
    return make_sample(_worker_factory, *job)
