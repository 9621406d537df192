"""What the terminal shows: progress and notices on stderr, results on stdout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.segment import Segment

from spear_deploy.jobs.progress import Advance


def visible(text: str) -> str:
    """The text with what a terminal would obey, or cannot show, written out: an escape becomes four letters."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in "\n\t\xa0" else _written_out(each) for each in text)


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode()


class VisibleConsole(Console):
    """Shows names from files of others as they are: [x] in one is no markup, and no terminal obeys them."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Segments in which only what Rich itself adds is obeyed."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


out = VisibleConsole(soft_wrap=True, markup=False, highlight=False)
err = VisibleConsole(stderr=True, soft_wrap=True, markup=False, highlight=False)


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
