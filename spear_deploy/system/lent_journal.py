"""A journal lent to other processes.

Those of this machine see its folder; other machines are given copies of its steps, and send back those of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from spear_deploy.system.journal import Journal, Key, Recalled
from spear_deploy.system.temporary import folder_of_this_process


@dataclass(frozen=True)
class Returned:
    """What a piece of work elsewhere did to a journal.

    Attributes:
        recalled: steps that it found there, by kind.
        own: those that it kept there.
        copies: of these, where the folder is not seen from there.

    """

    recalled: dict[str, Recalled]
    own: frozenset[Key]
    copies: dict[str, bytes] = field(default_factory=dict)

    def count_in(self, journal: Journal) -> None:
        """Let a journal know what was found and kept in it."""
        for what, found in self.recalled.items():
            tally = journal.recalled.setdefault(what, Recalled())
            tally.steps, tally.seconds = tally.steps + found.steps, tally.seconds + found.seconds
        journal.own.update(self.own)


@dataclass(frozen=True)
class LentJournal:
    """What another process needs to go on in a journal: its folder or copies of its steps, and what keys begin with."""

    steps: Path | Mapping[str, bytes] | None
    scope: Key

    @classmethod
    def of(cls, journal: Journal, *, elsewhere: bool) -> LentJournal:
        """A journal for processes of this machine, or `elsewhere`."""
        return cls(journal.copies() if elsewhere and journal.keeps else journal.folder, journal.scope)

    @contextmanager
    def opened(
        self, notice: Callable[[str], None] = lambda text: None
    ) -> Iterator[tuple[Journal, Callable[[], Returned]]]:
        """The journal there, and what gives what was done to it, to be asked before the block ends."""
        with self._folder() as folder:
            journal = Journal(folder, notice, self.scope)
            yield journal, lambda: Returned(journal.recalled, frozenset(journal.own), self._new(journal))

    @contextmanager
    def _folder(self) -> Iterator[Path | None]:
        """The folder of finished steps; on another machine one that holds copies of them, as long as work goes on."""
        if not isinstance(self.steps, Mapping):
            yield self.steps
            return
        with folder_of_this_process("spear-deploy-steps-") as folder:
            Journal(folder).keep_copies(self.steps)
            yield folder

    def _new(self, journal: Journal) -> dict[str, bytes]:
        """The steps that were kept since, as copies where they are needed."""
        if not isinstance(self.steps, Mapping):
            return {}
        return {name: content for name, content in journal.copies().items() if self.steps.get(name) != content}
