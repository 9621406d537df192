"""What lies in /dev/shm, told apart by the processes that use it: tests beside these make and end segments too."""

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOM = Path("/dev/shm")
_MAPPED = re.compile(rf"{ROOM}/(\S+)")
_LOOK_EVERY_S = 0.05


def mapped_by(pids: Iterable[int]) -> set[str]:
    """Names of the segments that these processes map now."""
    found: set[str] = set()
    for pid in pids:
        with suppress(OSError):  # it has just ended
            found.update(_MAPPED.findall(Path(f"/proc/{pid}/maps").read_text()))
    return found


@contextmanager
def watched(pids: Callable[[], Iterable[int]]) -> Iterator[set[str]]:
    """Gives the set that grows by all segments which the processes of `pids()` map while the block runs."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_EVERY_S):
            seen.update(mapped_by(pids()))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def left_of(names: Iterable[str]) -> set[str]:
    """Those of the segments that still lie there."""
    return {name for name in names if (ROOM / name).exists()}
