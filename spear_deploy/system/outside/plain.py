"""Ordinary files and texts: no pipe that never ends, no device, nothing nested beyond all measure."""

from __future__ import annotations

import errno
import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

from spear_deploy.system.outside.refusal import RefusedError, first_line

LARGEST_TEXT = 64 << 20
LARGEST_TOML = 4 << 20
"""Bytes; ours are kilobytes, and a parser takes up to a hundred times the text."""


def read_bytes(path: Path, largest: int) -> bytes:
    """The content of an ordinary file.

    Raises:
        OSError: it cannot be read.
        RefusedError: it is a pipe, a device or a folder, or larger than `largest` bytes.

    """
    with open(path, "rb", opener=_without_waiting) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise RefusedError("no ordinary file")
        if found.st_size > largest:
            raise RefusedError(f"{found.st_size:,} bytes are more than the {largest:,} that such a file may have")
        return file.read(largest)


def _without_waiting(name: str, flags: int) -> int:
    """Open; a pipe that nobody writes to would be waited for otherwise."""
    number = os.open(name, flags | os.O_NONBLOCK)
    if stat.S_ISDIR(os.fstat(number).st_mode):
        os.close(number)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    return number


def read_text(path: Path, largest: int = LARGEST_TEXT) -> str:
    """The text of a file in UTF-8, without the mark that some editors put before it.

    Raises:
        OSError: it cannot be read.
        RefusedError: it is no ordinary file, too large, or no text.

    """
    try:
        return read_bytes(path, largest).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedError(f"no text in UTF-8 ({error.reason} at byte {error.start})") from None


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        OSError: it cannot be read.
        RefusedError: it is no JSON, or nested too deeply.

    """
    return parse_json(read_text(path))


def parse_json(text: str) -> Any:
    """The content of a JSON text.

    Raises:
        RefusedError: it is no JSON, or nested too deeply.

    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"no valid JSON: {_reason(error)}") from None


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        OSError: it cannot be read.
        RefusedError: it is no TOML, or nested too deeply.

    """
    return parse_toml(read_text(path, LARGEST_TOML))


def parse_toml(text: str) -> dict[str, Any]:
    """The content of a TOML text.

    Raises:
        RefusedError: it is no TOML, or nested too deeply.

    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"not valid TOML: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error).splitlines()[0][:200] if isinstance(error, ValueError) and str(error) else first_line(error)
