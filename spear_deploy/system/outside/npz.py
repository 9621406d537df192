"""npz archives: only the members that are asked for, each as large as its header says."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Container
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from spear_deploy.system.outside.refusal import READ_ERRORS, RefusedError, UnfitError, check_growth, first_line

_PART_BYTES = 1 << 24
_LARGEST_HEADER = 10_000
_MOST_DIMENSIONS = 32
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


def read_npz(path: Path, wanted: Container[str]) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """The arrays of an npz archive that are wanted, and the names of the others, which are not read.

    Args:
        path: the file.
        wanted: names of arrays.

    Raises:
        UnfitError: an array holds Python objects.
        RefusedError: no npz, damaged, or an array that is not what its header says.

    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [entry.filename.removesuffix(".npy") for entry in archive.infolist()]
            twice = next((name for name in names if names.count(name) > 1), None) if len(names) < 1000 else ""
            if twice is not None:
                raise RefusedError(f"{twice or 'a name'} stands in it twice, or it holds a thousand arrays")
            taken = [(name, entry) for name, entry in zip(names, archive.infolist(), strict=True) if name in wanted]
            file_bytes, total = path.stat().st_size, 0
            arrays = {}
            for name, entry in taken:
                total += entry.file_size
                check_growth(total, file_bytes, name)
                arrays[name] = _array(archive, entry, name)
    except RefusedError:
        raise
    except READ_ERRORS as error:
        raise RefusedError(first_line(error)) from None
    return arrays, tuple(name for name in names if name not in arrays)


def read_npy_layout(path: Path) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape and type of the array in an npy file, and the bytes before its first number; none of them is read.

    Raises:
        UnfitError: it holds Python objects, or columns instead of rows.
        RefusedError: no npy, or of another length than its header says.

    """
    try:
        with path.open("rb") as file:
            shape, fortran, dtype = _header(file, path.name)
            offset = file.tell()
    except RefusedError:
        raise
    except READ_ERRORS as error:
        raise RefusedError(first_line(error)) from None
    if fortran and len(shape) > 1:
        raise UnfitError(f"{path.name}: is in Fortran order; write it with numpy.save(..., numpy.ascontiguousarray(x))")
    expected, found = offset + math.prod(shape) * dtype.itemsize, path.stat().st_size
    if expected != found:
        raise RefusedError(f"{path.name}: its header says {expected:,} bytes, it holds {found:,}")
    return shape, dtype, offset


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> NDArray[Any]:
    if entry.compress_type not in _METHODS:
        raise RefusedError(f"{name}: packed in another way than numpy does")
    with archive.open(entry) as file:
        shape, fortran, dtype = _header(file, name)
        left = entry.file_size - file.tell()
        expected = math.prod(shape) * dtype.itemsize
        if expected != left:
            raise RefusedError(f"{name}: its header says {expected:,} bytes, it holds {left:,}")
        flat: NDArray[Any] = np.empty(math.prod(shape), dtype=dtype)
        room, there = flat.view(np.uint8), 0
        while there < expected and (part := file.read(min(_PART_BYTES, expected - there))):
            room[there : there + len(part)] = np.frombuffer(part, dtype=np.uint8)
            there += len(part)
    if there != expected:
        raise RefusedError(f"{name}: {there:,} bytes of {expected:,} are there")
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def _header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise RefusedError(f"{name}: of a version of numpy's format that is not known")
    shape, fortran, dtype = readers[version](file, max_header_size=_LARGEST_HEADER)
    if dtype.hasobject:
        raise UnfitError(
            f"{name}: holds Python objects, where numbers are needed: pad rows of unequal length to one, and name the"
            " kind of number, as in numpy.asarray(rows, dtype='float32')"
        )
    if dtype.subdtype is not None or dtype.itemsize == 0:
        raise RefusedError(f"{name}: holds nothing, where numbers are needed")
    if len(shape) > _MOST_DIMENSIONS or any(not isinstance(size, int) or size < 0 for size in shape):
        raise RefusedError(f"{name}: an impossible shape")
    return shape, fortran, dtype
