"""Folders that one process of ours works for at a time, and names that no two of them choose.

The lock of a folder lies beside it, in the folder above, which is made where it is missing: wherever
two processes begin, and whatever a third one makes meanwhile, they look at the same file. The lock
itself dies with its holder.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

from spear_deploy.errors import OutputError
from spear_deploy.system.files import short_name

TRIES = 100
"""How often a folder above is made again that others remove meanwhile."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Within the block no other process of ours works for this folder.

    Raises:
        OutputError: another one does; names its process id and host.

    """
    with claimed(folder) as holder:
        if holder:
            raise OutputError(
                f"{folder}: {holder} is at work for this folder; wait for it, or choose another folder (`folder`)"
            )
        yield


@contextmanager
def claimed(folder: Path) -> Iterator[str]:
    """Within the block the folder is ours, which gives an empty text; or another process's: who that is, in words."""
    with _holding(folder, ".lock") as holder:
        yield holder


@contextmanager
def own_name(folder: Path) -> Iterator[Path]:
    """A folder that is not there yet and that nobody else gets here: as it is called, or with -2, -3, ... after it.

    The name is ours until the block ends; whoever asks for the same meanwhile gets the next one.
    """
    for number in count(1):
        named = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        with ExitStack() as held:
            if held.enter_context(_holding(named, ".name")) or os.path.lexists(named):
                continue
            yield named
            return


@contextmanager
def _holding(folder: Path, kind: str) -> Iterator[str]:
    """Within the block we hold a lock of this kind beside a folder: empty; or who holds it, in words."""
    path = folder.absolute().parent / f".spear-deploy-{short_name(folder)}{kind}"
    made: list[Path] = []
    try:
        lock = _lock(path, made)
    except _HeldError as error:
        yield str(error)
        return
    except OSError:  # a place without locks, or none to write to: `check_writable` tells
        _remove(made)
        yield ""
        return
    try:
        yield ""
    finally:
        path.unlink(missing_ok=True)
        os.close(lock)
        _remove(made)


def _lock(path: Path, made: list[Path]) -> int:
    """The descriptor of a lock file that is ours; adds the folders that were made for it.

    Raises:
        _HeldError: another process has it.
        OSError: there can be no lock here.

    """
    for _ in range(TRIES):
        try:
            _make(path.parent, made)
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        except FileNotFoundError:  # whoever made the folder has removed it meanwhile
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 200).decode(errors="replace").partition("\n")[0]
            os.close(lock)
            raise _HeldError(holder or "another process") from None
        except OSError:
            os.close(lock)
            path.unlink(missing_ok=True)
            raise
        found = os.fstat(lock)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:  # somebody else's file, put here under our name
            os.close(lock)
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        if path.exists() and os.path.samestat(found, path.stat()):
            made += _left_by_the_dead(lock, path)
            with suppress(OSError):  # a full disk: without our name the lock is one all the same
                os.ftruncate(lock, 0)
                os.pwrite(lock, f"process {os.getpid()} on {socket.gethostname()}\n{len(made)}".encode(), 0)
            return lock
        os.close(lock)  # whoever held it has removed it meanwhile
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def _left_by_the_dead(lock: int, path: Path) -> list[Path]:
    """The folders that a holder made which was killed: its lock file says how many."""
    levels = os.pread(lock, 200, 0).decode(errors="replace").partition("\n")[2]
    return list(reversed(path.parents[: int(levels)])) if levels.isdecimal() else []


def _make(folder: Path, made: list[Path]) -> None:
    """Make a folder with those above it; adds each that was made, the highest first."""
    for place in reversed([folder, *folder.parents]):
        if not os.path.exists(place):
            with suppress(FileExistsError):  # somebody else was faster, or it leads nowhere
                place.mkdir()
                made.append(place)


def _remove(made: list[Path]) -> None:
    """Remove folders that were made, but those that hold something."""
    for place in reversed(made):
        with suppress(OSError):
            place.rmdir()


class _HeldError(Exception):
    """Another process holds a lock; says who, in words."""
