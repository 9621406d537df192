"""A folder of npy files: labels are read, samples stay there and are read by the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spear_deploy.data.stored import Given, InFile
from spear_deploy.errors import DataError
from spear_deploy.system.outside.npz import read_npy_layout
from spear_deploy.system.outside.refusal import RefusedError, UnfitError, check_readable

PACKED = "_bits"
"""Ends the name of an array whose bytes hold eight zeros and ones along the last axis."""


def holds_arrays(path: Path) -> bool:
    """Whether a path is a folder of npy files that are named as a data set's arrays are."""
    return path.is_dir() and any(path.glob("[xy]_*.npy"))


def folders_in(path: Path) -> list[str]:
    """The names of the folders in another, hidden ones left out."""
    return sorted(each.name for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))


def read_folder(path: Path) -> tuple[dict[str, Given], list[str]]:
    """The arrays in a folder by name, and the names of the other npy files in it.

    Raises:
        DataError: a file is damaged, or no array of numbers.

    """
    found: dict[str, Given] = {}
    others = []
    for file in sorted(path.glob("*.npy")):
        kind, _, part = file.stem.removesuffix(PACKED).partition("_")
        name = file.stem.removesuffix(PACKED)
        if kind not in ("x", "y") or part not in ("train", "val", "test"):
            others.append(name)
        elif name in found:
            raise DataError(f"{path}: holds both {name}.npy and {name}{PACKED}.npy; keep one of them")
        else:
            found[name] = _array(file)
    return found, others


def _array(file: Path) -> Given:
    check_readable(file, DataError)
    try:
        shape, dtype, offset = read_npy_layout(file)
    except UnfitError as error:
        raise DataError(f"{file.parent}: {error}") from None
    except RefusedError as error:
        raise DataError(f"{file}: not an npy file, or damaged ({error})") from None
    packed = file.stem.endswith(PACKED)
    labels = file.stem.startswith("y_")
    if (dtype.kind not in "fiub" and not labels) or (packed and dtype != np.uint8):
        raise DataError(f"{file}: must hold {'bytes' if packed else 'numbers'}, found {dtype}")
    if not shape or (packed and len(shape) < 2):
        raise DataError(f"{file}: holds no samples")
    sample_shape = (*shape[1:-1], 8 * shape[-1]) if packed else shape[1:]
    rows = InFile(file, offset, dtype, sample_shape, np.arange(shape[0]), packed)
    if not labels:
        return rows
    return np.fromfile(file, dtype, int(np.prod(shape)), offset=offset).reshape(shape)
