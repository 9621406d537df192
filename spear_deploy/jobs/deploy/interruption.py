"""Ctrl-C as a wish to end early with what there is; a second one as a wish to end at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from spear_deploy.system.temporary import folder_of_this_process


@dataclass
class Interruption:
    """Whether the user wants the work to end early, and during which stage the wish came.

    Attributes:
        running: the stage that runs now.
        stage: the one that ran when the wish came; empty where none came.
        mark: a file that is there once the wish came, for worker processes, which hear no signal; None where nobody
            could hear one.

    """

    running: str
    stage: str = ""
    mark: Path | None = None

    def wanted(self) -> bool:
        """Whether the wish came: in the process that hears it, and in those of this machine that it was given to."""
        return bool(self.stage) or (self.mark is not None and self.mark.exists())

    def note(self, stage: str) -> None:
        """Let the wish be known that came in a stage."""
        self.stage = stage
        if self.mark is not None:
            with suppress(OSError):  # without the mark, workers end what they are at
                self.mark.touch()


def finishing(stage: str) -> str:
    """What the user is told whose wish to end came in a stage."""
    return f"interrupted in {stage}: finishing with the best so far; once more ends at once"


@contextmanager
def first_interrupt_finishes(tell: Callable[[str], None], stage: str, before: str = "") -> Iterator[Interruption]:
    """Within the block, which begins with `stage`, the first Ctrl-C is only told and noted, for the work to look at.

    The second one raises. `before` is the stage that a first one came in before the block began, if one did.

    Off the main thread, where Python hears no signals, nothing changes; nor does it in a process that was told not to
    hear Ctrl-C, as workers are: who started it hears it for them.
    """
    deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if deaf or threading.current_thread() is not threading.main_thread():
        yield Interruption(stage, before)
        return
    with ExitStack() as folders:
        interruption = Interruption(stage)
        with suppress(OSError):  # no room for it: workers end what they are at
            interruption.mark = folders.enter_context(folder_of_this_process("spear-deploy-interruption-")) / "wanted"
        if before:
            interruption.note(before)

        def hear(number: int, frame: FrameType | None) -> None:
            if interruption.stage:
                raise KeyboardInterrupt
            interruption.note(interruption.running)
            tell(finishing(interruption.stage))

        handler = signal.signal(signal.SIGINT, hear)
        try:
            yield interruption
        finally:
            signal.signal(signal.SIGINT, handler)
