"""Fine-tunes that need nothing of each other: one after the other in this process, or side by side in several."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch

from spear_deploy.data import EncodedSplit
from spear_deploy.errors import ClusterError, WorkerError
from spear_deploy.network import Model
from spear_deploy.network.device import exact_products
from spear_deploy.pruning import Widths
from spear_deploy.search.candidate import CandidateFactory
from spear_deploy.search.plan import TuningPlan
from spear_deploy.search.tuning import Evaluator, Tuner
from spear_deploy.system.executors import HERE, Executor, Pool
from spear_deploy.system.lent_journal import LentJournal, Returned
from spear_deploy.system.memory import give_back_memory, reuse_memory

Result = TypeVar("Result", covariant=True)

WORTH_S = 1.0
"""Processes are started once a fine-tune took so long: they take two or three seconds to begin."""


class FineTune(Protocol[Result]):
    """A fine-tune, as a value that another process can be given."""

    def __call__(self, tuner: Tuner) -> Result:
        """What comes of it."""
        ...


class Crew(Protocol):
    """Does fine-tunes by one tuner."""

    def run(self, jobs: Sequence[FineTune[Result]]) -> Iterator[tuple[int, Result]]:
        """Each job's place and what came of it, as soon as it is there: the same, whoever does it.

        A job whose result nobody waits for any more need not be done.
        """
        ...


@dataclass(frozen=True)
class Alone:
    """Does one after the other, here."""

    tuner: Tuner

    def run(self, jobs: Sequence[FineTune[Result]]) -> Iterator[tuple[int, Result]]:
        """In their order."""
        return ((place, job(self.tuner)) for place, job in enumerate(jobs))


@contextmanager
def crew(tuner: Tuner, executor: Executor) -> Iterator[Crew]:
    """Who fine-tunes side by side, once that pays; no process of the executor's is left when the block ends."""
    with ExitStack() as pools:
        yield Alone(tuner) if executor == HERE else Together(tuner, executor, pools)


@dataclass(frozen=True)
class Answer(Generic[Result]):
    """What came of a fine-tune in another process.

    Attributes:
        result: of it.
        notices: what a user should hear of it.
        steps: what it found in the journal, and kept there.

    """

    result: Result
    notices: tuple[str, ...]
    steps: Returned


class Together:
    """Shares fine-tunes among processes once one took long; see `crew`."""

    def __init__(self, tuner: Tuner, executor: Executor, pools: ExitStack) -> None:
        self._tuner, self._executor, self._pools = tuner, executor, pools
        self._pool: Pool[FineTune[Any], Answer[Any]] | None = None
        self._pays = executor.elsewhere

    def run(self, jobs: Sequence[FineTune[Result]]) -> Iterator[tuple[int, Result]]:
        """In this process while they are short; what is left once one was not, in others; on other machines all.

        Where processes end twice at the same job, as for want of memory, or machines are gone, the rest is done here.
        """
        left = dict(enumerate(jobs))
        while left:
            if self._pays and len(left) > 1 and (pool := self._started()) is not None:
                places = list(left)
                try:
                    for number, result in self._shared(pool, list(left.values())):
                        del left[places[number]]
                        yield places[number], result
                except (WorkerError, ClusterError) as error:
                    self._executor = HERE
                    self._tuner.notice(f"{error}: fine-tunes go on one after the other")
            else:
                place = min(left)
                start = time.monotonic()
                result = left.pop(place)(self._tuner)
                self._pays = self._pays or time.monotonic() - start > WORTH_S
                yield place, result

    def _started(self) -> Pool[FineTune[Any], Answer[Any]] | None:
        """The processes; None where they died, or cannot be given what they need, such as a backend of another's."""
        if self._executor == HERE:
            return None
        if self._pool is None:
            tuner, factory = self._tuner, self._tuner.factory
            dense = (factory.model, factory.train, factory.widths, factory.recalibrates)
            lent = LentJournal.of(tuner.journal, elsewhere=self._executor.elsewhere)
            start = (*dense, tuner.evaluator, tuner.plan, tuner.seed, lent, tuner.stopped, torch.get_num_threads())
            give_back_memory()
            try:
                self._pool = self._pools.enter_context(self._executor.pool(_begin, *start))
            except (pickle.PicklingError, AttributeError, TypeError):
                self._executor = HERE
        return self._pool

    def _shared(
        self, pool: Pool[FineTune[Any], Answer[Any]], jobs: Sequence[FineTune[Result]]
    ) -> Iterator[tuple[int, Result]]:
        answers: dict[int, Answer[Result]] = {}
        told = 0
        try:
            for number, answer in pool.run(jobs):
                answers[number] = answer
                self._tuner.journal.keep_copies(answer.steps.copies)
                while told in answers:  # in the order of the jobs, as one process tells it
                    self._tell(answers[told])
                    told += 1
                yield number, answer.result
        finally:
            for number in sorted(answers):
                if number >= told:
                    self._tell(answers[number])
            pool.abandon()

    def _tell(self, answer: Answer[Result]) -> None:
        """Tell what is to be heard of a fine-tune, and what it did to the journal."""
        for text in answer.notices:
            self._tuner.notice(text)
        answer.steps.count_in(self._tuner.journal)


class FineTunes(Protocol):
    """What a worker process does with a job."""

    def __call__(self, job: FineTune[Result]) -> Answer[Result]:
        """The answer that is sent back."""
        ...


def _begin(
    model: Model,
    train: EncodedSplit,
    widths: Widths,
    recalibrates: bool,
    evaluator: Evaluator,
    plan: TuningPlan,
    seed: int,
    lent: LentJournal,
    stopped: Callable[[], bool],
    threads: int,
) -> FineTunes:
    """Hold in a worker process what its fine-tunes need."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    exact_products()
    reuse_memory()
    factory = CandidateFactory(model, train, widths, recalibrates=recalibrates)

    def work(job: FineTune[Result]) -> Answer[Result]:
        notices: list[str] = []
        with lent.opened(notices.append) as (journal, returned):
            result = job(Tuner(factory, evaluator, plan, seed, notices.append, journal, stopped))
            steps = returned()
        give_back_memory()  # it may wait long for the next one
        return Answer(result, tuple(notices), steps)

    return work
