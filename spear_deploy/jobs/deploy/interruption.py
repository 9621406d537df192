"""Ctrl-C as a wish to end early with what there is; a second one as a wish to end at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from spear_deploy.jobs.progress import Progress


@dataclass
class Interruption:
    """Whether the user wants the work to end early, and during which stage the wish came.

    Attributes:
        running: the stage that runs now.
        stage: the one that ran when the wish came; empty where none came.

    """

    running: str
    stage: str = ""

    @property
    def wanted(self) -> bool:
        """Whether the wish came."""
        return bool(self.stage)


@contextmanager
def first_interrupt_finishes(progress: Progress, stage: str) -> Iterator[Interruption]:
    """Within the block, which begins with `stage`, the first Ctrl-C is only noted, for the work to look at.

    The second one raises.

    Off the main thread, where Python hears no signals, nothing changes; nor does it in a process that was told not to
    hear Ctrl-C, as workers are: who started it hears it for them.
    """
    interruption = Interruption(stage)
    deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if deaf or threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def note(number: int, frame: FrameType | None) -> None:
        if interruption.wanted:
            raise KeyboardInterrupt
        interruption.stage = interruption.running
        progress.notice(f"interrupted in {interruption.stage}: finishing with the best so far; once more ends at once")

    before = signal.signal(signal.SIGINT, note)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, before)
