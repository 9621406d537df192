"""A file that may not be read, for whomever the tests run as: root may read any."""

import builtins
import errno
import io
import os
from pathlib import Path

import pytest


def forbid(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Let no Python code open this path."""
    given = io.open

    def forbidden(file, *arguments, **named):
        if not isinstance(file, int) and Path(file) == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
        return given(file, *arguments, **named)

    monkeypatch.setattr(builtins, "open", forbidden)
    monkeypatch.setattr(io, "open", forbidden)
