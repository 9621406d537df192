"""Who does work beside this process: worker processes of this machine, or the machines of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from spear_deploy.system.processes import worker_pool

Job = TypeVar("Job")
Result = TypeVar("Result")
Job_in = TypeVar("Job_in", contravariant=True)
Result_out = TypeVar("Result_out", covariant=True)


class Pool(Protocol[Job_in, Result_out]):
    """Does jobs, several at a time."""

    def run(self, jobs: Sequence[Job_in]) -> Iterator[tuple[int, Result_out]]:
        """Each one's number and result as it ends, in any order; raises what a job raised."""
        ...

    def late(self, seconds: float) -> Iterator[tuple[int, Result_out]]:
        """What the jobs in flight still give within some seconds, after `run` was left."""
        ...

    def abandon(self) -> None:
        """End the jobs that nobody waits for any more, after `run` was left."""
        ...


class Executor(Protocol):
    """Does jobs in processes, several at a time."""

    @property
    def slots(self) -> int:
        """How many at a time."""
        ...

    @property
    def elsewhere(self) -> bool:
        """Whether they are other machines: running already, and without this one's files."""
        ...

    def pool(
        self, begin: Callable[..., Callable[[Job], Result]], *start: object
    ) -> AbstractContextManager[Pool[Job, Result]]:
        """Processes that each call `begin` with `start` once, and do jobs by what that gives, while the block runs."""
        ...


@dataclass(frozen=True)
class Processes:
    """Worker processes of this machine; where it is one, this process, which starts no other."""

    slots: int = 1

    @property
    def elsewhere(self) -> bool:
        """They are here."""
        return False

    def pool(
        self, begin: Callable[..., Callable[[Job], Result]], *start: object
    ) -> AbstractContextManager[Pool[Job, Result]]:
        """See `worker_pool`."""
        return worker_pool(self.slots, begin, *start)


HERE = Processes(1)
"""This process alone."""
