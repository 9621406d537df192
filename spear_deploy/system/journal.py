"""Steps of a run that are finished, kept until the whole run is: what a killed run need not do twice.

A step has a key of all that its result depends on within the run. A file for each step lies in one
folder and is replaced as a whole, so that whenever the run ends, each is there or is not. Files are
checksummed and hold tensors and plain values: what reads them back runs nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, TypeVar

import torch

from spear_deploy.system.outside.refusal import READ_ERRORS, first_line
from spear_deploy.system.outside.torch_archive import read_torch
from spear_deploy.system.values import from_plain, to_plain

Value = TypeVar("Value")

Key = tuple[str | int | float | bool | None, ...]

SUFFIX = ".step"


@dataclass
class Recalled:
    """Finished steps that were read instead of done again, and how long they took when they were done."""

    steps: int = 0
    seconds: float = 0.0


def _nobody_hears(text: str) -> None:
    """What a journal tells by default; by name, as another process can be given it."""


@dataclass(frozen=True)
class Journal:
    """The finished steps of one run.

    Attributes:
        folder: where they are kept; None to keep none.
        notice: told what cannot be read or kept.
        scope: what keys begin with.
        recalled: by kind of step, what was read back; shared by all scopes.
        faults: why a step could not be kept; shared too.
        own: steps that were kept here and now, which are not recalled when they are read; shared too.

    """

    folder: Path | None = None
    notice: Callable[[str], None] = field(default=_nobody_hears, repr=False)
    scope: Key = ()
    recalled: dict[str, Recalled] = field(default_factory=dict, repr=False)
    faults: list[str] = field(default_factory=list, repr=False)
    own: set[Key] = field(default_factory=set, repr=False)

    def within(self, *scope: str | float | None) -> Journal:
        """The same journal for steps of which these words are part of the key."""
        return replace(self, scope=(*self.scope, *scope))

    def remember(self, kind: type[Value], what: str, *key: str | float | None, make: Callable[[], Value]) -> Value:
        """The step's value: as it was made, or made now and kept.

        Args:
            kind: type of the value: see `values`.
            what: kind of step, such as "evaluation".
            key: all that the value depends on, beside the scope.
            make: makes it.

        """
        step = self.step(what, *key)
        kept = step.read(kind)
        if kept is not None:
            return kept
        start = time.monotonic()
        made = make()
        step.keep(made, time.monotonic() - start)
        return made

    def step(self, what: str, *key: str | float | None) -> Step:
        """One step, for work that keeps what it has more than once; see `remember`."""
        return Step(self, what, (*self.scope, what, *key))

    @property
    def keeps(self) -> bool:
        """Whether steps are kept at all."""
        return self.folder is not None

    def __len__(self) -> int:
        return 0 if self.folder is None or not self.folder.is_dir() else sum(1 for _ in self._files(self.folder))

    def copies(self) -> dict[str, bytes]:
        """All steps as files by name, for a machine that does not see the folder; see `keep_copies`."""
        if self.folder is None or not self.folder.is_dir():
            return {}
        return {path.name: path.read_bytes() for path in self._files(self.folder)}

    def keep_copies(self, copies: Mapping[str, bytes]) -> None:
        """Keep steps that another machine made; a folder that cannot be written is told once."""
        if self.folder is None or not copies:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name, content in copies.items():
                with _replacing(self.folder / name) as file:
                    file.write(content)
        except OSError as error:
            self._not_kept(error)

    def _not_kept(self, error: Exception) -> None:
        if not self.faults:
            self.faults.append(first_line(error))
            self.notice(f"{self.folder}: finished steps cannot be kept ({first_line(error)})")

    def remove(self) -> None:
        """Forget all steps: the run is complete."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _files(folder: Path) -> Iterator[Path]:
        return folder.glob(f"*{SUFFIX}")


NOTHING = Journal()
"""Keeps nothing, finds nothing, and counts for nobody."""


@dataclass(frozen=True)
class Step:
    """A step of a journal: which kind, and its whole key."""

    journal: Journal
    what: str
    key: Key

    def read(self, kind: type[Value]) -> Value | None:
        """What is kept; None where nothing is, or what cannot be used, which is told."""
        if self.journal.folder is None:
            return None
        path = self._path(self.journal.folder)
        try:
            content = _read(path, repr(self.key))
            value: Value = from_plain(kind, content["value"])
            seconds = float(content["seconds"])
        except FileNotFoundError:
            return None
        except READ_ERRORS as error:
            self.journal.notice(f"{path}: cannot be used ({first_line(error)}); this step is done again")
            return None
        if self.key not in self.journal.own:
            tally = self.journal.recalled.setdefault(self.what, Recalled())
            tally.steps, tally.seconds = tally.steps + 1, tally.seconds + seconds
        return value

    def keep(self, value: object, seconds: float) -> None:
        """Keep a value in place of an earlier one; a folder that cannot be written is told once."""
        folder = self.journal.folder
        if folder is None:
            return
        content = {"key": repr(self.key), "seconds": seconds, "value": to_plain(value)}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _replacing(self._path(folder)) as file:
                torch.save(content, file)
            self.journal.own.add(self.key)
        except (OSError, RuntimeError) as error:  # torch raises RuntimeError where the disk is full
            self.journal._not_kept(error)

    def forget(self) -> None:
        """Drop what is kept: another step holds all of it."""
        if self.journal.folder is not None:
            with suppress(OSError):
                self._path(self.journal.folder).unlink()

    def _path(self, folder: Path) -> Path:
        return folder / f"{hashlib.sha256(repr(self.key).encode()).hexdigest()[:32]}{SUFFIX}"


def _read(path: Path, key: str) -> dict[str, Any]:
    """A step's content, if the file is as it was written.

    Raises:
        FileNotFoundError: there is none.
        ValueError: and others of `READ_ERRORS`: damaged, or another step's.

    """
    if not path.is_file():
        raise FileNotFoundError(path)
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"{damaged} does not have its checksum")
    content = read_torch(path)
    if not isinstance(content, dict) or content.get("key") != key:
        raise ValueError("it is of another step")
    return content


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` once it is whole."""
    number, working = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            yield file
        os.replace(working, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(working)
