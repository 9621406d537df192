"""Making LRE's samples: networks that are really pruned and fine-tuned."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch

from spear_deploy.data import EncodedSplit
from spear_deploy.network import Model
from spear_deploy.network.device import exact_products
from spear_deploy.pruning import Widths
from spear_deploy.search.candidate import CandidateFactory, Ratios
from spear_deploy.search.lre.drawing import draw_ratios, sample_seed
from spear_deploy.search.lre.sample import LreSample
from spear_deploy.system.executors import HERE, Executor
from spear_deploy.system.journal import NOTHING, Journal
from spear_deploy.system.memory import give_back_memory, reuse_memory
from spear_deploy.training import Recipe, fine_tune

FIRST_CHECK = 12
CHECK_EVERY = 4
"""When it is asked whether the samples are enough; so results do not depend on the number of workers."""

LATE_S = 5.0
"""How long an interrupted sampling waits for the samples in flight: less than containers are given to end."""


@dataclass(frozen=True)
class Made:
    """What came of one number of the sequence.

    Attributes:
        sample: None for a network that fell silent.
        seconds: that it took when it was made.
        notices: what a user should hear of its fine-tune.

    """

    sample: LreSample | None
    seconds: float
    notices: tuple[str, ...] = ()


Job = tuple[Ratios, Recipe, int]


class Store(Protocol):
    """Keeps what was made, by its number in the sequence."""

    def load(self, ratios: Sequence[Ratios]) -> dict[int, Made]:
        """What is kept of networks with these ratios, the first ones of the sequence."""
        ...

    def save(self, number: int, made: Made) -> None:
        """Keep this, at once and whole."""
        ...


class Maker(Protocol):
    """Makes samples."""

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Made]]:
        """Each job's place and what came of it, as soon as it is there."""
        ...

    def late(self, seconds: float) -> Iterator[tuple[int, Made]]:
        """After an interrupt, what still ends within some seconds."""
        ...


def make_sample(
    factory: CandidateFactory,
    ratios: Ratios,
    recipe: Recipe,
    seed: int,
    notice: Callable[[str], None] = lambda text: None,
    journal: Journal = NOTHING,
) -> LreSample | None:
    """Prune, recalibrate, fine-tune and measure one network; None if it no longer spikes."""
    candidate = factory.candidate(ratios, measure_pruned=True)
    give_back_memory()  # what one kind of work leaves does not fit the next
    tuned = fine_tune(candidate.model, factory.train, recipe, seed=seed, notice=notice, journal=journal)
    give_back_memory()
    after = factory.measure(tuned, factory.train)
    silent = factory.recalibrates and not candidate.features.recalibrated_synops  # a line takes zeros, ratios do not
    if not after.synops or silent:
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
    on_sample: Callable[[], None] = lambda: None,
    *,
    executor: Executor = HERE,
    enough: Callable[[Sequence[LreSample]], bool] | None = None,
    fewest: int = 0,
    store: Store | None = None,
    notice: Callable[[str], None] = lambda text: None,
) -> list[LreSample]:
    """At most `count` samples, each with a seed of its own; those that fell silent are left out.

    Interrupted, it keeps what is made and what ends within seconds, and says how much that is.

    Args:
        factory: of the dense model.
        count: where sampling stops at the latest.
        recipe: of every fine-tune.
        seed: ratios and fine-tunes follow from it.
        on_sample: told of each.
        executor: whose processes or machines share the work; the samples are the same.
        enough: asked now and then; sampling stops when it says so.
        fewest: it is not asked before there are so many.
        store: gives samples that were made before, and keeps each new one as it is made.
        notice: told what is to be said.

    """
    ratios = draw_ratios(len(factory.groups), count, seed)
    jobs = [(each, recipe, sample_seed(seed, number)) for number, each in enumerate(ratios)]
    made = {} if store is None else store.load([factory.executed(each) for each in ratios])
    used: list[LreSample] = []
    start = 0
    with _maker(factory, executor) as maker:
        for end in [count] if enough is None else _checks(count, fewest):
            missing = [number for number in range(start, end) if number not in made]
            for _ in range(end - start - len(missing)):
                on_sample()
            _complete(made, missing, jobs, fewest or count, maker, store, on_sample, notice)
            start = end
            used = [sample for number in range(end) if (sample := made[number].sample) is not None]
            if enough is not None and end >= fewest and enough(used):
                break
            give_back_memory()  # to the workers: asking makes candidates here
    if lost := start - len(used):
        notice(f"{lost} of LRE's {start} sampled networks cannot be used: pruned and fine-tuned, they no longer spike")
    return used


def _complete(
    made: dict[int, Made],
    missing: Sequence[int],
    jobs: Sequence[Job],
    asked: int,
    maker: Maker,
    store: Store | None,
    on_sample: Callable[[], None],
    notice: Callable[[str], None],
) -> None:
    """Make what is missing."""

    def take(place: int, one: Made) -> None:
        made[missing[place]] = one
        for text in one.notices:
            notice(f"LRE sample {missing[place] + 1}: {text}")
        if store is not None:
            store.save(missing[place], one)

    try:
        for place, one in maker.run([jobs[number] for number in missing]):
            take(place, one)
            on_sample()
    except KeyboardInterrupt as interrupt:
        notice(f"interrupted; samples in flight have {LATE_S:g} s to end")
        for place, one in maker.late(LATE_S):
            take(place, one)
        if store is not None:
            interrupt.add_note(
                f"{len(made)} LRE samples are kept, {asked} were asked for; the same command goes on from there"
            )
        raise


def _checks(count: int, fewest: int) -> list[int]:
    """After how many samples to ask whether they are enough; until then nobody waits for anybody."""
    every = {*range(FIRST_CHECK, count, CHECK_EVERY), fewest} - {0}
    return [*sorted(each for each in every if fewest <= each < count), count]


@contextmanager
def _maker(factory: CandidateFactory, executor: Executor) -> Iterator[Maker]:
    """What makes samples: this process, or some that each hold the dense model and the training data."""
    if executor == HERE:
        yield _Here(factory)
        return
    start = (factory.model, factory.train, factory.widths, factory.recalibrates, torch.get_num_threads())
    give_back_memory()
    with executor.pool(_begin_worker, *start) as pool:
        yield _Elsewhere(pool)


@dataclass(frozen=True)
class _Elsewhere:
    """Lets others make samples, and holds no memory while it waits for them that writing the last one took."""

    pool: Maker

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Made]]:
        for done in self.pool.run(jobs):
            yield done
            give_back_memory()

    def late(self, seconds: float) -> Iterator[tuple[int, Made]]:
        return self.pool.late(seconds)


@dataclass(frozen=True)
class _Here:
    """Makes samples in this process, one after the other."""

    factory: CandidateFactory

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Made]]:
        return ((place, _timed(self.factory, job)) for place, job in enumerate(jobs))

    def late(self, seconds: float) -> Iterator[tuple[int, Made]]:
        return iter(())


def _timed(factory: CandidateFactory, job: Job) -> Made:
    start, notices = time.monotonic(), list[str]()
    sample = make_sample(factory, *job, notices.append)
    return Made(sample, time.monotonic() - start, tuple(notices))


def _begin_worker(
    model: Model, train: EncodedSplit, widths: Widths, recalibrates: bool, threads: int
) -> Callable[[Job], Made]:
    """Hold in a worker process what it makes its samples from."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    exact_products()
    reuse_memory()
    factory = CandidateFactory(model, train, widths, recalibrates=recalibrates)

    def work(job: Job) -> Made:
        made = _timed(factory, job)
        give_back_memory()  # it may wait long for the next job
        return made

    return work
