"""What the terminal shows: progress and notices on stderr, results on stdout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from spear_deploy.progress import Advance

# Names of files and layers are shown as they are: [x] in one is no markup.
out = Console(soft_wrap=True, markup=False, highlight=False)
err = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)


class TerminalProgress:
    """A bar for each stage, on stderr."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        """Show a bar while the stage lasts, and leave it there."""
        columns = (
            TextColumn("{task.description:<14}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
        )
        with Bars(*columns, console=err) as bars:
            task = bars.add_task(name, total=total, detail="")

            def advance(done: int | None = None, detail: str | None = None) -> None:
                if detail is not None:
                    bars.update(task, detail=detail)
                if done is None:
                    bars.advance(task)
                else:
                    bars.update(task, completed=done)

            yield advance
            bars.update(task, completed=total)

    def notice(self, text: str) -> None:
        """A line on stderr."""
        err.print(f"note: {text}", style="yellow")
