"""Candidates that a search is likely to ask for next, evaluated in other processes before it does.

A search that waits for each answer still has few ways to go on: in most of them the network at hand is no better than
the best one. What is found of those candidates, their accuracy and their prediction, lies in the journal when their
turn comes, as if an earlier run had evaluated them; those whose turn never comes were for nothing. So no result depends
on scouts, and a candidate that fails there fails when its turn comes, if it comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import torch

from spear_deploy.network.device import exact_products
from spear_deploy.search.candidate import Ratios
from spear_deploy.search.known_shares import Key, KnownShares, key_of
from spear_deploy.system.executors import HERE, Executor, Pool
from spear_deploy.system.lent_journal import LentJournal, Returned
from spear_deploy.system.memory import give_back_memory, reuse_memory

if TYPE_CHECKING:
    from spear_deploy.search.problem import SearchProblem

WORTH_S = 1.0
"""Processes are started once an evaluation took so long: they take two or three seconds to begin."""

MOST_AT_ONCE = 16
"""Of what is further ahead hardly anything is asked for (docs/performance.md)."""


class Scouts(Protocol):
    """Whoever may evaluate candidates ahead."""

    def look(self, problem: SearchProblem, ratios: Ratios, coming: Iterable[Ratios]) -> None:
        """Hear what is proposed now, and what is likely to be proposed after it; returns when all is kept."""
        ...


class Nobody:
    """Evaluates nothing ahead."""

    def look(self, problem: SearchProblem, ratios: Ratios, coming: Iterable[Ratios]) -> None:
        """Nothing is done."""


NOBODY = Nobody()


@dataclass(frozen=True)
class Errand:
    """Ratios to bring to the limits and to evaluate.

    Attributes:
        ratios: as they are proposed.
        shares: what was known of others by then.
        evaluated: the networks that need no evaluation.

    """

    ratios: Ratios
    shares: KnownShares
    evaluated: frozenset[Key]


class ScoutsElsewhere:
    """Evaluates ahead in as many processes as an executor has, once one evaluation took long; see `scouting`."""

    def __init__(self, executor: Executor, pools: ExitStack, hint: Callable[[str], None]) -> None:
        self._executor, self._pools, self._hint = executor, pools, hint
        self._pool: Pool[Errand, Returned] | None = None
        self._looked: float | None = None
        self._pays = False
        self._sent: set[Key] = set()

    def look(self, problem: SearchProblem, ratios: Ratios, coming: Iterable[Ratios]) -> None:
        """Send for what is proposed now and next, unless that was sent for already."""
        now = time.monotonic()
        self._pays = self._pays or (self._looked is not None and now - self._looked > WORTH_S)
        self._looked = now
        if not self._pays or self._executor == HERE or key_of(ratios) in self._sent or problem.journal.faults:
            return
        proposed = [ratios, *islice(coming, min(self._executor.slots, MOST_AT_ONCE) - 1)]
        if len(proposed) > 1:
            self._sent.update(map(key_of, proposed))
            try:
                self._send(problem, proposed)
            except Exception as error:  # whatever it is, the search needs nobody
                self._executor = HERE
                self._pools.close()
                self._hint(f"{error}: the search goes on in one process")

    def _send(self, problem: SearchProblem, proposed: list[Ratios]) -> None:
        """Have what is proposed evaluated, and keep what is found."""
        if self._pool is None:
            give_back_memory()
            # Another machine begins without steps: all of them would be sent with every errand.
            nothing = LentJournal({}, problem.journal.scope)
            lent = nothing if self._executor.elsewhere else LentJournal.of(problem.journal, elsewhere=False)
            pool: AbstractContextManager[Pool[Errand, Returned]]
            pool = self._executor.pool(_begin, problem, lent, torch.get_num_threads())
            self._pool = self._pools.enter_context(pool)
        for _, returned in self._pool.run([Errand(one, problem.shares, problem.evaluated) for one in proposed]):
            problem.journal.keep_copies(returned.copies)
            problem.journal.own.update(returned.own)  # what was found there is found, and told, when its turn comes


@contextmanager
def scouting(problem: SearchProblem, executor: Executor, hint: Callable[[str], None]) -> Iterator[None]:
    """Have candidates of a problem evaluated ahead while the block runs, where its journal keeps what is found."""
    with ExitStack() as pools:
        if executor != HERE and problem.journal.keeps:
            problem.scouts = ScoutsElsewhere(executor, pools, hint)
        try:
            yield
        finally:
            problem.scouts = NOBODY


def _begin(problem: SearchProblem, lent: LentJournal, threads: int) -> Callable[[Errand], Returned]:
    """Hold in a worker process what its evaluations need."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    exact_products()
    reuse_memory()

    def work(errand: Errand) -> Returned:
        with lent.opened() as (journal, returned):
            problem.journal, problem.shares = journal, errand.shares
            with suppress(Exception):  # met again, and told, if its turn comes
                problem.evaluate_ahead(errand.ratios, errand.evaluated)
            return returned()

    return work
