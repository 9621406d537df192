"""What other people's readers raise on a damaged file, and how we say it in one line."""

from __future__ import annotations

import struct
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile

import nir
import numpy as np

from spear_deploy.errors import ModelError

READ_ERRORS = (
    AssertionError,
    AttributeError,
    BadZipFile,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OSError,
    OverflowError,
    RecursionError,
    RuntimeError,
    TypeError,
    UnpicklingError,
    ValueError,
    struct.error,
)
"""What h5py, nir, pickle and torch raise on files that are truncated, damaged or of another kind."""

_NOT_NUMBERS = ("input_type", "output_type", "metadata")


def first_line(error: BaseException) -> str:
    """A foreign error's kind and the first line of its message."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def check_finite(node: nir.NIRNode, name: str) -> None:
    """Refuse a node that holds NaN or infinity.

    Raises:
        ModelError: names the parameter and the value found.

    """
    for key, value in vars(node).items():
        if key in _NOT_NUMBERS:
            continue
        array: Any = np.asarray(value)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            bad = array[~np.isfinite(array)].flat[0]
            raise ModelError(f"{name}: {key} must be finite, found {bad}")
