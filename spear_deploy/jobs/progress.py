"""How long work tells where it is, without knowing who listens."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[..., None]
"""`advance()` tells that one more unit is done, `advance(done=n)` that n are; `detail=` puts words beside it."""


class Progress(Protocol):
    """Shows the stages of a run."""

    def stage(self, name: str, total: int) -> AbstractContextManager[Advance]:
        """Begin a stage of `total` units; the context gives the function that counts them."""
        ...

    def notice(self, text: str) -> None:
        """Tell the user something that is no error."""
        ...


class Silent:
    """Shows nothing."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        """A stage that nobody watches."""
        yield lambda done=None, detail=None: None

    def notice(self, text: str) -> None:
        """Say nothing."""


def once(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Tells the same, but no text a second time."""
    told: set[str] = set()

    def first(text: str) -> None:
        if text not in told:
            told.add(text)
            tell(text)

    return first


class Recorded:
    """Tells another of everything, and keeps what the user was told."""

    def __init__(self, progress: Progress, notices: Sequence[str] = ()) -> None:
        self.notices = list(notices)
        self._progress = progress

    def stage(self, name: str, total: int) -> AbstractContextManager[Advance]:
        """A stage of the other."""
        return self._progress.stage(name, total)

    def hint(self, text: str) -> None:
        """Tell the other what holds on this machine and at this time alone: it is not kept."""
        self._progress.notice(text)

    def keep(self, text: str) -> None:
        """Keep what the other was told as a hint, once it holds of the result."""
        self.notices.append(text)

    def notice(self, text: str) -> None:
        """Tell the other, and keep it."""
        self.keep(text)
        self._progress.notice(text)


class Clock:
    """Times the stages of a run and tells of them; `notices` are what the user was told on the way."""

    def __init__(
        self, progress: Progress, seconds: dict[str, float] | None = None, notices: Sequence[str] = ()
    ) -> None:
        self.progress = Recorded(progress, notices)
        self.seconds = dict(seconds or {})

    @property
    def notices(self) -> list[str]:
        """What the user was told so far, in order."""
        return list(self.progress.notices)

    @contextmanager
    def stage(self, name: str, total: int = 1) -> Iterator[Callable[..., None]]:
        """A stage of the run, in the progress and in `seconds`."""
        start = time.monotonic()
        with self.progress.stage(name, total) as advance:
            yield advance
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start


def peak_memory_mib() -> float:
    """The most memory that this process has held so far; macOS counts in bytes, others in KiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
