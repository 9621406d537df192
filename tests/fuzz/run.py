"""Reads mutated files, each in a process forked from this one, with limits of time and memory."""

import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from spear_deploy.errors import SpearDeployError
from tests.fuzz.kinds import Kind, sound_file

SECONDS = 10
"""Of the processor's time."""

WAIT_S = 120
"""Of the clock's, for one that waits for something."""

MEMORY_BYTES = 2 << 30
LONGEST_MESSAGE = 2000
FORBIDDEN = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "socket.", "shutil.")
"""Events that no reader raises. Source: Python's table of audit events."""


def fuzz(
    kind: Kind, inputs: int, seed: int, read: Callable[[Kind, Path], str] | None = None
) -> tuple[Counter[str], list[str]]:
    """How often each outcome came, and what was wrong with the others than `read` and `refused`.

    `read` reads a file and says in a word what came of it; without it a fork of this process does.
    """
    outcomes: Counter[str] = Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        sound = sound_file(kind, folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind.read(folder / kind.name)  # what it imports is there for all that are forked
        (folder / kind.name).unlink()
        for number in range(inputs):
            rng = random.Random(f"{seed} {number}")
            place = folder / str(number)
            place.mkdir()
            (place / kind.name).write_bytes(kind.mutate(sound, rng) if number else sound)
            kind.beside(place / kind.name)
            outcome = (read or in_a_process)(kind, place / kind.name)
            word = outcome.partition(":")[0]
            outcomes[word] += 1
            if word not in ("read", "refused"):
                faults.append(f"input {number}: {outcome}")
            if number == 0 and word != "read":
                faults.append(f"the sound file is not read: {outcome}")
            shutil.rmtree(place)
    return outcomes, faults


def in_a_process(kind: Kind, path: Path) -> str:
    """What reading a file comes to, in a word and its reason."""
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        os.close(reads)
        outcome = "traceback: none"
        try:
            outcome = _read(kind, path)
        except BaseException as error:
            outcome = f"traceback: {type(error).__name__}: {str(error)[:200]}"
        finally:
            os.write(writes, outcome.encode(errors="backslashreplace")[:4000])
            os._exit(0)
    os.close(writes)
    said = _said(reads, WAIT_S)
    if said is None:
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if said is None or (os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)):
        return "slow: it was ended"
    return f"crash: signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else said or "crash: no answer"


def _said(descriptor: int, seconds: float) -> str | None:
    """All that comes through a pipe until it is closed; None where that takes too long.

    The parent keeps the time: a child that waits for a lock from its first step on never looks at a clock.
    """
    deadline = time.monotonic() + seconds
    said = b""
    with os.fdopen(descriptor, "rb", buffering=0) as answer:
        while select.select([answer], [], [], max(0.0, deadline - time.monotonic()))[0]:
            part = answer.read(1 << 16)
            if not part:
                return said.decode(errors="replace")
            said += part
    return None


def used_bytes() -> int:
    """Of this process's address space."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _read(kind: Kind, path: Path) -> str:
    forbidden: list[str] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith(FORBIDDEN):
            forbidden.append(event)
        if event == "open" and isinstance(arguments[0], str | bytes):
            name = os.path.abspath(os.fsdecode(arguments[0]))
            flags = arguments[2]
            outside = not name.startswith((str(path.parent), "/dev/null"))
            if outside and isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                forbidden.append(f"writes {name}")

    sys.addaudithook(watch)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    used = used_bytes()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, used + MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    spent = int(time.process_time())
    resource.setrlimit(resource.RLIMIT_CPU, (spent + SECONDS, spent + SECONDS + 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = kind.read(path)
            wrong = kind.differs(path, found)
            outcome = f"wrong: {wrong}" if wrong else "read"
        except SpearDeployError as error:
            text = str(error)
            outcome = f"refused: {text}"
            if len(text) > LONGEST_MESSAGE:
                outcome = f"long: {len(text)} characters"
            if "MemoryError" in text or "allocate" in text:
                outcome = f"memory: {text}"
    if forbidden:
        return f"code: {forbidden[0]}"
    return outcome
