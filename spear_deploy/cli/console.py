"""What the terminal shows: progress and notices on stderr, results on stdout."""

from __future__ import annotations

import re
import textwrap
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import rich.table
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.segment import Segment
from rich.text import Text

from spear_deploy.cli.spelling import FLAGS, spelled, spelled_text
from spear_deploy.jobs.progress import Advance


def visible(text: str) -> str:
    """The text with what a terminal would obey, or cannot show, written out: an escape becomes four letters."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in "\n\t\xa0" else _written_out(each) for each in text)


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode()


_LABEL = re.compile(r"\S+(?: \S+)* {2,}(?=\S)")
"""What some lines begin with: a word or two, and as many spaces as set what follows apart."""


def wrapped(text: str, width: int) -> str:
    """The text as it is typed, each line broken between words; a longer word, such as a path, stays whole.

    What is broken goes on below where its line began, behind spaces and a label.
    """
    found: list[str] = []
    for line in spelled(text, FLAGS).splitlines():
        label = _LABEL.match(line)
        indent = len(line) - len(line.lstrip()) if label is None else label.end()
        found += textwrap.wrap(
            line,
            width,
            subsequent_indent=" " * min(indent, width // 2),
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        ) or [line]
    return "\n".join(found)


class VisibleConsole(Console):
    """Shows names from files of others as they are, and options as they are typed.

    [x] in a name is no markup, and no terminal obeys it.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; on a terminal lines break between words, elsewhere each stays whole for whoever reads them."""
        if self.is_terminal:
            objects = tuple(wrapped(each, self.width) if isinstance(each, str) else each for each in objects)
        super().print(*objects, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Styled text of a string, such as a cell of a table."""
        return super().render_str(spelled(text, FLAGS), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Segments in which only what Rich itself adds is obeyed."""
        if isinstance(renderable, Text):
            line = (options or self.options).overflow == "ignore"  # set for soft wrapping, and by no cell of a table
            if self.is_terminal and line and not renderable.spans:
                renderable = Text(wrapped(renderable.plain, self.width), renderable.style)
            else:
                renderable = spelled_text(renderable, FLAGS)
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


out = VisibleConsole(soft_wrap=True, markup=False, highlight=False)
err = VisibleConsole(stderr=True, soft_wrap=True, markup=False, highlight=False)


WIDE = 120
"""Columns of a terminal from which on a bar is a long one."""


class _Lines:
    """Tells of a stage in lines, as a log wants them."""

    def __init__(self, name: str, total: int) -> None:
        self.name, self.total = name, total
        self.start, self.done, self.tenths, self.detail = time.monotonic(), 0, 0, ""

    def __call__(self, done: int | None = None, detail: str | None = None) -> None:
        self.done = self.done + 1 if done is None else done
        self.detail = self.detail if detail is None else detail
        tenths = 10 * self.done // max(self.total, 1)
        if tenths > self.tenths and self.done < self.total:
            self.tenths = tenths
            self._tell()

    def end(self) -> None:
        """The stage is over, at what was done of it; one that counted nothing is done as a whole."""
        self.done = self.done or self.total
        self._tell(over=True)

    def _tell(self, *, over: bool = False) -> None:
        passed = time.monotonic() - self.start
        left = passed / self.done * (self.total - self.done) if self.done else 0.0
        ahead = f", about {_duration(left)} left" if self.done < self.total and not over else ""
        detail = f", {self.detail}" if self.detail else ""
        err.print(
            f"{self.name:<14} {self.done}/{max(self.done, self.total)}, {_duration(passed)} passed{ahead}{detail}"
        )


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


class _Detail(ProgressColumn):
    """Words beside a bar, cut where the line ends: of all columns this one alone gives way."""

    def render(self, task: Task) -> Text:
        """In one line."""
        return Text(task.fields["detail"], no_wrap=True, overflow="ellipsis")


class TerminalProgress:
    """A bar for each stage, on stderr; where that is no terminal, a line for every tenth of it."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        """Show how far the stage is while it lasts, and leave it there."""
        if not err.is_terminal:
            lines = _Lines(name, total)
            yield lines
            lines.end()
            return
        columns = (
            TextColumn("{task.description:<14}"),
            BarColumn(40 if err.width >= WIDE else 12, table_column=rich.table.Column(no_wrap=True)),
            MofNCompleteColumn(table_column=rich.table.Column(no_wrap=True)),
            TimeElapsedColumn(table_column=rich.table.Column(no_wrap=True)),
            TextColumn("left"),
            TimeRemainingColumn(table_column=rich.table.Column(no_wrap=True)),
            _Detail(),
        )
        with Bars(*columns, console=err) as bars:
            task = bars.add_task(name, total=total, detail="")
            (shown,) = bars.tasks

            def advance(done: int | None = None, detail: str | None = None) -> None:
                if detail is not None:
                    bars.update(task, detail=detail)
                if done is None:
                    bars.advance(task)
                else:
                    bars.update(task, completed=done)
                bars.update(task, total=max(total, shown.completed))

            yield advance
            bars.update(task, completed=shown.completed or total)

    def notice(self, text: str) -> None:
        """A line on stderr."""
        err.print(f"note: {text}", style="yellow")
