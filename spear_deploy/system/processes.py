"""Worker processes: they import nothing from the current folder, and end with whoever started them.

A process that is killed while it starts, works or waits is noticed at once, and its job is given
to another one once. Nothing here needs shared memory or semaphores, nor the process that
`multiprocessing` has watch over them, which outlives its parent. Scripts that start workers need no
`if __name__ == "__main__"`: none of them runs again.
"""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, Generic, TypeVar

from spear_deploy.errors import WorkerError
from spear_deploy.system.lazy import uncollected

Job = TypeVar("Job")
Result = TypeVar("Result")

ATTEMPTS = 2
"""How often a job is tried whose worker died."""

END_GRACE_S = 2.0
"""How long an idle worker may take to end before it is killed."""


@contextmanager
def safe_path() -> Iterator[None]:
    """Python processes that are started within do not look for modules in the current folder."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


class Child:
    """A process and the connection to it.

    Args:
        start: the file that it reads what it needs from.
        module: whose `serve` is its life; it is given the connection's descriptor and `start`.
        cwd: its current folder; by default this process's.
        log: a file for all that it says; by default it says it where this process does.

    """

    def __init__(
        self, start: Path, module: str = __name__, *, cwd: Path | None = None, log: Path | None = None
    ) -> None:
        self.connection, theirs = Pipe()
        with theirs, nullcontext() if log is None else log.open("wb") as said:
            self.process = subprocess.Popen(
                [*_interpreter(), "-c", _LIFE, str(theirs.fileno()), str(start), module, *_import_path()],
                stdin=subprocess.PIPE,  # says nothing, and ends when this process does
                stdout=said,
                stderr=None if said is None else subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                cwd=cwd,
            )

    def end(self, grace_s: float) -> None:
        """Let it end, or end it."""
        self.connection.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(grace_s)
        self.kill()

    def kill(self) -> None:
        """End it at once, and wait until it is gone."""
        self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()

    @property
    def last_words(self) -> str:
        """How a worker that is gone ended."""
        code = self.process.returncode or 0
        return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


_LIFE = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it hears Ctrl-C and ends it
sys.path[:] = sys.argv[4:]
from importlib import import_module
import_module(sys.argv[3]).serve(int(sys.argv[1]), sys.argv[2])
"""


def _interpreter() -> list[str]:
    """Python as it runs here, but that it never looks into the current folder."""
    return [sys.executable, "-P", *(f"-W{each}" for each in sys.warnoptions)]


def _import_path() -> list[str]:
    """Where workers find modules: where this process does, but not in the current folder."""
    return [*map(os.path.abspath, filter(None, sys.path)), str(Path(__file__).parents[2])]


class WorkerPool(Generic[Job, Result]):
    """Processes that each hold what `begin` made there; see `worker_pool`."""

    def __init__(self, count: int, start: Path) -> None:
        self._count, self._start = count, start
        self._idle: list[Child] = []
        self._busy: dict[Child, int] = {}
        self._last_end = ""

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Result]]:
        """Do jobs; gives each one's number and result as it ends, in any order.

        Raises:
            WorkerError: a worker died of the same job twice.
            Exception: what a job raised.

        """
        waiting = deque(range(len(jobs)))
        deaths: Counter[int] = Counter()
        while waiting or self._busy:
            while waiting and len(self._busy) < self._count:
                number = waiting.popleft()
                worker = self._idle.pop() if self._idle else Child(self._start)
                self._busy[worker] = number
                with suppress(OSError):  # a worker that is gone is noticed below
                    say(worker.connection, jobs[number])
            for number, answer in self._answers(None):
                if answer is None:
                    deaths[number] += 1
                    if deaths[number] == ATTEMPTS:
                        raise WorkerError(f"a worker process {self._last_end}, for the second time at the same work")
                    waiting.appendleft(number)
                else:
                    yield number, answer[0]

    def late(self, seconds: float) -> Iterator[tuple[int, Result]]:
        """What the jobs in flight still give within some seconds, after `run` was left."""
        deadline = time.monotonic() + seconds
        while self._busy and (left := deadline - time.monotonic()) > 0:
            with suppress(Exception):  # a job that fails now gives nothing
                for number, answer in self._answers(left):
                    if answer is not None:
                        yield number, answer[0]

    def _answers(self, timeout: float | None) -> Iterator[tuple[int, tuple[Result] | None]]:
        """What busy workers have to say: a result, or None of one that died."""
        said = wait([each.connection for each in self._busy], timeout)
        for worker in [each for each in self._busy if each.connection in said]:
            number = self._busy.pop(worker)
            try:
                done, content = heard(worker.connection)
            except (EOFError, OSError):
                worker.end(END_GRACE_S)
                self._last_end = worker.last_words
                yield number, None
                continue
            self._idle.append(worker)
            if not done:
                raise content
            yield number, (content,)

    def abandon(self) -> None:
        """End the workers that are still at jobs which nobody waits for, after `run` was left."""
        for worker in list(self._busy):
            worker.end(0.0)
            del self._busy[worker]

    def end(self) -> None:
        """End all workers: those that wait on their own, those that work at once."""
        try:
            for worker in self._busy:
                worker.end(0.0)
            for worker in self._idle:
                worker.connection.close()
            for worker in self._idle:
                worker.end(END_GRACE_S)
        finally:
            for worker in (*self._busy, *self._idle):
                worker.kill()


@contextmanager
def worker_pool(
    count: int, begin: Callable[..., Callable[[Job], Result]], *start: object
) -> Iterator[WorkerPool[Job, Result]]:
    """Processes that share work; when the block ends, however it ends, none of them is left.

    Args:
        count: how many at most; they are started when there is work for them.
        begin: called once in each, gives the function that does a job.
        start: its arguments, handed over in files: a pipe would block on a worker that died.

    """
    with tempfile.TemporaryDirectory(prefix="spear-deploy-workers-") as folder:
        path = Path(folder) / "start"
        from spear_deploy.system.handing import hand_over  # imports torch, which few commands need

        hand_over((begin, start), path)
        pool: WorkerPool[Job, Result] = WorkerPool(count, path)
        try:
            yield pool
        finally:
            pool.end()


def serve(descriptor: int, start: str) -> None:
    """A worker's life: until the connection is closed, or the process at its other end is gone."""
    threading.Thread(target=end_with_parent, args=(Path(start).parent,), daemon=True).start()
    connection: Connection[Any, Any] = Connection(descriptor)
    work: Callable[[Any], Any] | None = None
    with suppress(EOFError, BrokenPipeError):
        while True:
            job = heard(connection)
            try:
                if work is None:
                    with uncollected():
                        from spear_deploy.system.handed import handed_over

                        begin, arguments = handed_over(Path(start))
                        work = begin(*arguments)
                answer = True, work(job)
            except Exception as error:
                answer = False, sendable(error)
            say(connection, answer)


def say(connection: Connection[Any, Any], value: object) -> None:
    """Send a value as it is: `Connection.send` would share the memory of its tensors instead."""
    connection.send_bytes(pickle.dumps(value))


def heard(connection: Connection[Any, Any]) -> Any:
    """The next value that was sent with `say`."""
    return pickle.loads(connection.recv_bytes())


def sendable(error: Exception) -> Exception:
    """An error with what led to it, in a form that another process can read."""
    words = traceback.format_exc()
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(words)
    error.add_note(f"in a worker process:\n{words}")
    return error


def end_with_parent(folder: Path) -> None:
    """Once whoever started this process is gone: remove what it would have removed, and go."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
