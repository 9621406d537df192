"""The folder of a run: written beside its final place and moved there when it is complete."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from spear_deploy.errors import OutputError

PLAIN = "plain.pt"
"""The winner after the plain fine-tune, which LRE's prediction is of."""


def default_folder(model: Path, targets: list[str], now: datetime) -> Path:
    """`runs/<model>-<target>-<time>`."""
    target = targets[0] if len(targets) == 1 else f"{len(targets)}-targets"
    return Path("runs") / f"{model.stem}-{target}-{now:%Y%m%d-%H%M%S}"


def check_writable(folder: Path, *, force: bool) -> None:
    """Find out before the long work whether a run can be written.

    Raises:
        OutputError: the folder exists already (without `force`), or its parent is not writable.

    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; results need a folder (--out)")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise OutputError(f"{folder}: exists and is not empty; choose another folder with --out, or --force")
    parent = folder.parent
    existing = next(place for place in (parent, *parent.absolute().parents) if place.exists())
    if not existing.is_dir():
        raise OutputError(f"{existing}: is a file; results need a folder (--out)")
    probe = existing / f".spear-deploy-{os.getpid()}"
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"{existing}: cannot write there ({error.strerror}); choose another folder with --out"
        ) from None


@contextmanager
def complete_or_nothing(folder: Path, *, force: bool) -> Iterator[Path]:
    """A working folder that becomes `folder` when the block ends well, and vanishes when not.

    Raises:
        OutputError: the folder cannot be written.

    """
    check_writable(folder, force=force)
    working = folder.parent / f".{folder.name}.partial-{os.getpid()}"
    try:
        shutil.rmtree(working, ignore_errors=True)
        working.mkdir(parents=True)
        yield working
        if folder.is_dir():
            shutil.rmtree(folder)
        working.rename(folder)
    except OSError as error:
        raise OutputError(f"{error.filename or folder}: cannot be written ({error.strerror or error})") from None
    finally:
        shutil.rmtree(working, ignore_errors=True)


@contextmanager
def replaced_when_complete(path: Path) -> Iterator[Path]:
    """A working file that becomes `path` when the block ends well, and vanishes when not.

    Raises:
        OutputError: the file cannot be written.

    """
    working = path.parent / f".{path.stem}.partial-{os.getpid()}{path.suffix}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield working
        working.replace(path)
    except OSError as error:
        raise OutputError(f"{error.filename or path}: cannot be written ({error.strerror or error})") from None
    finally:
        if working.parent.is_dir():
            working.unlink(missing_ok=True)
