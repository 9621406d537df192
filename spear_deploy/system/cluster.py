"""The machines of a Ray cluster: they share work as worker processes do, and give the same results.

Ray is spoken to by one process of ours, `ray_driver`: it takes over signals, prints to stdout, and lets
the machines import from the current folder of whoever connects, which here is an empty one. Jobs and results
it passes on unread: torch, which most of them need, takes seconds to import.
"""

from __future__ import annotations

import pickle
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Generic, TypeVar

from spear_deploy.errors import ClusterError
from spear_deploy.system.installing import how_to_install
from spear_deploy.system.processes import Child, heard, say

Job = TypeVar("Job")
Result = TypeVar("Result")

AUTO = "auto"
"""The cluster that this machine belongs to."""

ANSWER_S = 5.0
"""How long a machine may take to take a connection."""

CONNECT_S = 60.0
"""How long Ray may take to join the cluster, which starts processes here."""

END_GRACE_S = 5.0
"""How long Ray may take to leave the cluster."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that was joined.

    Attributes:
        address: as it was given.
        slots: how many jobs run at a time: the processors of all machines.

    """

    address: str
    slots: int
    _driver: Child = field(repr=False)
    _folder: Path = field(repr=False)
    _numbers: Iterator[int] = field(default_factory=count, repr=False)

    @property
    def elsewhere(self) -> bool:
        """They are other machines."""
        return True

    @contextmanager
    def pool(self, begin: Callable[..., Callable[[Job], Result]], *start: object) -> Iterator[ClusterPool[Job, Result]]:
        """Let the machines do jobs; each process of theirs calls `begin` with `start` once, and holds what that gives.

        Both are pickled, and what they need has to be installed on every machine.
        """
        from spear_deploy.system.handing import hand_over  # imports torch, which few commands need

        path = self._folder / f"start-{next(self._numbers)}"
        hand_over((begin, start), path)
        yield ClusterPool(self._driver, path)


class ClusterPool(Generic[Job, Result]):
    """Gives jobs to the machines; as `processes.WorkerPool`."""

    def __init__(self, driver: Child, start: Path) -> None:
        self._driver, self._start = driver, start
        self._open = 0

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Result]]:
        """Do jobs; gives each one's number and result as it ends, in any order.

        A job whose machine is gone is done by another one.

        Raises:
            ClusterError: the cluster is gone, or its machines have not installed what is needed.
            Exception: what a job raised.

        """
        self._open = len(jobs)
        if jobs:
            _send(self._driver, (str(self._start), [pickle.dumps(each) for each in jobs]))
        while self._open:
            yield self._answer()

    def late(self, seconds: float) -> Iterator[tuple[int, Result]]:
        """What the jobs in flight still give within some seconds, after `run` was left."""
        deadline = time.monotonic() + seconds
        while self._open and (left := deadline - time.monotonic()) > 0:
            if self._driver.connection.poll(left):
                try:
                    answer: tuple[int, Result] = self._answer()
                except Exception:  # a job that fails now gives nothing
                    continue
                yield answer

    def abandon(self) -> None:
        """End the jobs that nobody waits for any more, after `run` was left."""
        if not self._open:
            return
        self._open = 0
        with suppress(ClusterError):  # with the cluster its jobs are gone
            _send(self._driver, None)
            while _received(self._driver) is not None:  # answers that were on their way
                pass

    def _answer(self) -> tuple[int, Result]:
        number, answer = _received(self._driver)
        self._open -= 1
        done, content = pickle.loads(answer)
        if not done:
            raise content
        return number, content


@contextmanager
def joined(address: str) -> Iterator[Cluster]:
    """A Ray cluster, as long as the block runs.

    Args:
        address: `auto` for the one that this machine belongs to, or `HOST:PORT`, or `ray://HOST:PORT`.

    Raises:
        ClusterError: Ray is not installed, or no cluster answers there.

    """
    if find_spec("ray") is None:
        raise ClusterError(f"a cluster needs Ray, which is not installed: {how_to_install('ray')}")
    _check_answers(address)
    with tempfile.TemporaryDirectory(prefix="spear-deploy-cluster-") as folder:
        start, empty, log = (Path(folder) / name for name in ("address", "empty", "log"))
        start.write_text(address, encoding="utf-8")
        empty.mkdir()
        driver = Child(start, "spear_deploy.system.ray_driver", cwd=empty, log=log)
        try:
            if not driver.connection.poll(CONNECT_S):
                raise ClusterError(f"{address}: no Ray cluster answered within {CONNECT_S:g} s")
            slots, refusal = _received(driver)
            if refusal:
                raise ClusterError(f"{address}: no Ray cluster to join ({refusal})")
            yield Cluster(address, slots, driver, Path(folder))
        finally:
            driver.end(END_GRACE_S)


def _received(driver: Child) -> Any:
    try:
        return heard(driver.connection)
    except (EOFError, OSError):
        raise _gone(driver) from None


def _send(driver: Child, value: object) -> None:
    try:
        say(driver.connection, value)
    except OSError:
        raise _gone(driver) from None


def _gone(driver: Child) -> ClusterError:
    driver.end(END_GRACE_S)
    return ClusterError(f"the process that speaks to the Ray cluster {driver.last_words}")


def _check_answers(address: str) -> None:
    """Ask whether anything listens there, which Ray needs a minute to find out.

    Raises:
        ClusterError: nothing does.

    """
    if address == AUTO:
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise ClusterError(
            f"{address}: is no address of a Ray cluster, such as auto, 10.0.0.1:6379 or ray://head:10001"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_S).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise ClusterError(f"{address}: no Ray cluster answers there ({error})") from None
