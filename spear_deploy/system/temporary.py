"""Temporary folders that do not outlive the processes they are for, even those that are killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def folder_of_this_process(prefix: str) -> Iterator[Path]:
    """A temporary folder, while the block runs; those that killed processes left under the prefix are removed."""
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}[0-9]*-*"):
        with suppress(PermissionError, ValueError):  # of another user, or not ours
            if _has_ended(int(left.name.removeprefix(prefix).partition("-")[0])):
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{prefix}{os.getpid()}-") as folder:
        yield Path(folder)


def _has_ended(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False
