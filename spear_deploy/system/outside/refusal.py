"""What a file is refused with, and what other people's readers raise on a damaged one."""

from __future__ import annotations

import lzma
import struct
import tokenize
import zlib
from pathlib import Path
from pickle import UnpicklingError
from zipfile import BadZipFile

from spear_deploy.errors import SpearDeployError

READ_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BadZipFile,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    SyntaxError,
    TypeError,
    UnpicklingError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,
    zlib.error,
)
"""What h5py, nir, numpy, pickle, torch and zipfile raise on files that are truncated, damaged or of another kind.

numpy's headers are parsed as Python literals, whence SyntaxError and TokenError.
"""

LARGEST = 2 << 30
"""Bytes that a file may become in memory without being that large itself."""


class RefusedError(Exception):
    """A file that is not read any further: why, in one line and without its name."""


class UnfitError(RefusedError):
    """An array that cannot be used, in a file that is not damaged: of Python objects, or in columns."""


def first_line(error: BaseException) -> str:
    """A foreign error's kind and the first line of its message, of moderate length."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def check_readable(path: Path, fault: type[SpearDeployError]) -> None:
    """Raise `fault` where a file may not be read: nobody can say that it is damaged."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise fault(f"{path}: cannot be read ({error.strerror or error})") from None


def check_growth(bytes_in_memory: int, bytes_in_file: int, what: str) -> None:
    """Whether a file may become so large in memory.

    Raises:
        RefusedError: it is small and would fill the memory.

    """
    if bytes_in_memory > max(LARGEST, 4 * bytes_in_file):
        raise RefusedError(f"{what} would take {bytes_in_memory:,} bytes, the whole file is {bytes_in_file:,}")
