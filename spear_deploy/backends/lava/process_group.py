"""A worker in a process group of its own, ended whole whatever happens to it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

TERM_GRACE_S = 5.0
"""How long a group may take to end after SIGTERM. Python's resource tracker, which removes
shared memory, outlives SIGTERM and ends by itself when all others are gone."""

_PROC = Path("/proc")


@contextmanager
def worker_group(
    command: list[str], log: Path, env: Mapping[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command in its own session and in a folder; on leaving, nothing of its group is left.

    The folder must hold files of ours alone: Python imports from where it is started. Its stdin
    stays open as long as this process is there, so that it can see whether it is.

    The session also keeps Ctrl-C on the terminal from reaching the workers before their parent.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=folder,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the whole group, then SIGKILL to what is left; reaps the leader."""
    group = process.pid
    try:
        _signal_group(group, signal.SIGTERM)
        _signal_group(group, signal.SIGCONT)  # a stopped process takes SIGTERM only when it goes on
        if not _gone_within(process, TERM_GRACE_S):
            for pid in _members(group):
                if not _tracks_resources(pid):
                    _signal(pid, signal.SIGKILL)
            _gone_within(process, TERM_GRACE_S)
    finally:  # also after a second Ctrl-C: nothing stays behind
        _signal_group(group, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _signal_group(group: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _gone_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        process.poll()
        if not _members(process.pid):
            return True
        time.sleep(0.02)
    return False


def _members(group: int) -> list[int]:
    """The processes of a group that still run; zombies that nobody reaps do not count.

    Without /proc only the leader is known.
    """
    if not (_PROC / "self" / "stat").exists():
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return []
        return [group]
    return [int(entry.name) for entry in _PROC.glob("[0-9]*") if _group_if_running(entry) == group]


def _group_if_running(entry: Path) -> int | None:
    try:
        stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, _parent, group = stat.rpartition(")")[2].split()[:3]
    return None if state in "ZX" else int(group)


def _tracks_resources(pid: int) -> bool:
    """Whether this is Python's resource tracker, which removes the shared memory of the others."""
    try:
        return b"resource_tracker" in (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False
