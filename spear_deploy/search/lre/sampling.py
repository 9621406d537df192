"""Making LRE's samples: networks that are really pruned and fine-tuned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Protocol

import torch

from spear_deploy.data import EncodedSplit
from spear_deploy.device import exact_products
from spear_deploy.network import Model
from spear_deploy.processes import worker_pool
from spear_deploy.pruning import Widths
from spear_deploy.search.candidate import CandidateFactory, Ratios
from spear_deploy.search.lre.drawing import draw_ratios, sample_seed
from spear_deploy.search.lre.sample import LreSample
from spear_deploy.training import Recipe, fine_tune

FIRST_CHECK = 12
CHECK_EVERY = 4
"""When it is asked whether the samples are enough; so results do not depend on the number of workers."""

Made = LreSample | None
"""A sample, or None for a network that fell silent."""

Job = tuple[Ratios, Recipe, int]
Make = Callable[[Sequence[Job]], Iterator[Made]]


class Store(Protocol):
    """Keeps what was made, in the order of the sequence."""

    def load(self) -> list[Made]:
        """What is kept."""
        ...

    def save(self, made: Sequence[Made]) -> None:
        """Keep this."""
        ...


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
    enough: Callable[[Sequence[LreSample]], bool] | None = None,
    fewest: int = 0,
    store: Store | None = None,
) -> list[LreSample]:
    """At most `count` samples, each with a seed of its own; those that fell silent are left out.

    Args:
        factory: of the dense model.
        count: where sampling stops at the latest.
        recipe: of every fine-tune.
        seed: ratios and fine-tunes follow from it.
        on_sample: told of each.
        workers: processes that share the work; the samples are the same.
        enough: asked now and then; sampling stops when it says so.
        fewest: it is not asked before there are so many.
        store: gives samples that were made before, and keeps new ones.

    """
    ratios = draw_ratios(len(factory.groups), count, seed)
    jobs = [(each, recipe, sample_seed(seed, number)) for number, each in enumerate(ratios)]
    kept = [] if store is None else store.load()
    made: list[Made] = []
    with _maker(factory, workers) as make:
        for end in _checks(count, fewest):
            known = kept[len(made) : end]
            new = jobs[len(made) + len(known) : end]
            for sample in chain(known, make(new) if new else ()):
                made.append(sample)
                if on_sample is not None:
                    on_sample()
            if store is not None and new:
                store.save(made)
            if enough is not None and end >= fewest and enough([sample for sample in made if sample is not None]):
                break
    return [sample for sample in made if sample is not None]


def _checks(count: int, fewest: int) -> list[int]:
    """After how many samples to keep them, and to ask whether they are enough."""
    every = {*range(FIRST_CHECK, count, CHECK_EVERY), count, fewest} - {0}
    return sorted(each for each in every if each <= count)


@contextmanager
def _maker(factory: CandidateFactory, workers: int) -> Iterator[Make]:
    """What makes samples, in order: this process, or some that each hold the dense model and the training data."""
    if workers == 1:
        yield lambda jobs: (make_sample(factory, *job) for job in jobs)
        return
    start = (factory.model, factory.train, factory.widths, torch.get_num_threads())
    with worker_pool(workers, _begin_worker, *start) as pool:
        yield lambda jobs: _in_order(pool.run(jobs))


def _in_order(numbered: Iterator[tuple[int, Made]]) -> Iterator[Made]:
    """Results as if one process had made them, each as early as can be."""
    early: dict[int, Made] = {}
    following = 0
    for number, made in numbered:
        early[number] = made
        while following in early:
            yield early.pop(following)
            following += 1


def _begin_worker(model: Model, train: EncodedSplit, widths: Widths, threads: int) -> Callable[[Job], Made]:
    """Hold in a worker process what it makes its samples from."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    exact_products()
    factory = CandidateFactory(model, train, widths)
    return lambda job: make_sample(factory, *job)
