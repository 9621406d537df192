"""How the command line ends: by signal or at a limit of the machine, and where its streams are closed or odd."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TextIO

from spear_deploy.errors import bounded
from spear_deploy.system.installing import how_to_install
from spear_deploy.system.lazy import is_ours, missing_package


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP: what Ctrl-C is, from somebody else."""


class InterruptedVerb(Exception):  # noqa: N818
    """Carries an interrupt past Typer, which would lose what was added to it."""

    def __init__(self, interrupt: KeyboardInterrupt) -> None:
        super().__init__()
        self.interrupt = interrupt


_NO_MEMORY = ("allocate memory", "out of memory", "OutOfMemory", "bad_alloc", "bad allocation", "start new thread")
"""What torch, CUDA, C++ and Python's threads say of too little memory, none of them as a MemoryError."""


def machine_limit(error: BaseException) -> str:
    """What of the machine is too small or missing, in words; nothing where the fault is another."""
    words = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or any(each in words for each in _NO_MEMORY):
        return "out of memory"
    if package := missing_package(error):
        return f"{package} is not installed; install it with: {how_to_install(package)}"
    if isinstance(error, OSError) and error.strerror:
        if error.errno == errno.ENOENT and not error.filename:  # "No usable temporary directory found in ..."
            return f"{error.strerror}; set TMPDIR to a folder that can be written to"
        return bounded(f"{error.filename or 'the output'}: {error.strerror}")
    ours = isinstance(error, ImportError) and is_ours(error)
    if isinstance(error, ImportError | OSError) and not isinstance(error, ModuleNotFoundError) and not ours:
        line = (str(error).splitlines() or [type(error).__name__])[0][:300]
        return f"a library cannot be loaded, which may be for want of memory ({line})"
    return ""


@contextmanager
def ending_by_signal() -> Iterator[None]:
    """Within the block SIGTERM and SIGHUP raise `Terminated`, so that workers and half-written files go."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # once is enough; what is open is closed now
        with suppress(OSError):  # at once, whatever holds the streams
            os.write(2, f"\nspear-deploy: {signal.Signals(number).name}: ending\n".encode())
        raise Terminated

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def usable_streams() -> Iterator[None]:
    """Streams that can be written whatever the user closed and whatever his locale has letters for."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:  # closed: the next file that is opened would get its number
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115
    streams = [stream for stream in (sys.stdout, sys.stderr) if hasattr(stream, "reconfigure")]
    before = [stream.errors for stream in streams]
    _reconfigure(streams, ["backslashreplace"] * len(streams))
    try:
        yield
    finally:
        _reconfigure(streams, before)


def _reconfigure(streams: list[TextIO], errors: list[str | None]) -> None:
    for stream, each in zip(streams, errors, strict=True):
        stream.reconfigure(errors=each)  # type: ignore[attr-defined]
