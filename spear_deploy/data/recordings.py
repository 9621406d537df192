"""Files of events: one reader a suffix, our own and those of other packages.

Another package offers a reader by an entry point of the group `spear_deploy.data`, whose name is the suffix
without its dot and whose value is a function from a path to a `Recording`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spear_deploy.data.events import Recording
from spear_deploy.errors import DataError
from spear_deploy.system.outside.npz import read_npy_layout, read_npz
from spear_deploy.system.outside.plain import read_bytes
from spear_deploy.system.outside.refusal import READ_ERRORS, RefusedError, UnfitError, check_readable, first_line

GROUP = "spear_deploy.data"
"""Entry-point group under which another package offers readers."""

LARGEST_RECORDING = 1 << 30
"""Bytes of one recording; those of a gesture or a digit are kilobytes to megabytes."""

Reader = Callable[[Path], Recording]

_NAMES = {
    "x": ("x", "xs"),
    "y": ("y", "ys"),
    "time_us": ("t", "ts", "time", "timestamp"),
    "polarity": ("p", "ps", "polarity"),
}
"""How the columns of events are called."""

_NEEDED = {"time_us": "times are whole microseconds: of seconds, numpy.rint(1e6 * t)"}
"""What a message says of a column that holds other numbers."""

_LARGEST = np.iinfo(np.int64).max
_NMNIST_BYTES = 5
_LIBRARIES = {
    "aedat": "AEDAT 2 files are read by tonic.io, by sensor: read_dvs_128, read_dvs_346mini, read_dvs_ibm",
    "aedat4": "AEDAT 4 files are read where the package aedat is installed (pip install aedat), or by dv-processing",
    "dat": "Prophesee's files are read by the packages expelliarmus and metavision",
    "raw": "Prophesee's files are read by the packages expelliarmus and metavision",
}


def read_recording(path: Path) -> Recording:
    """The events of a file.

    Raises:
        DataError: no reader for its suffix, or it may not be read or is damaged.

    """
    suffix = _suffix(path)
    offered = {entry.name: entry for entry in entry_points(group=GROUP)}
    try:
        if suffix in offered:
            found = _offered(offered[suffix])(path)
            return recording_of({"x": found.x, "y": found.y, "t": found.time_us, "p": found.polarity}, str(path))
        readers = {**READERS, **{key: reader for key, (package, reader) in _THROUGH.items() if find_spec(package)}}
        if suffix not in readers:
            known = ", ".join(f".{each}" for each in sorted({*readers, *offered}))
            hint = (
                f"; {_LIBRARIES[suffix]}: write what they give as .npz with x, y, t (us) and p"
                if suffix in _LIBRARIES
                else ""
            )
            raise DataError(f"{path}: no reader for .{suffix}; known: {known}{hint}")
        return readers[suffix](path)
    except UnfitError as error:
        raise DataError(f"{path}: {error}") from None
    except (RefusedError, *READ_ERRORS) as error:
        check_readable(path, DataError)
        raise DataError(f"{path}: a damaged recording ({_cause(error)})") from None


def holds_events(path: Path) -> bool:
    """Whether a file is a recording, by its suffix, be it one that cannot be read here."""
    return _suffix(path) in {*READERS, *_LIBRARIES, *(entry.name for entry in entry_points(group=GROUP))}


def _suffix(path: Path) -> str:
    return path.suffix.removeprefix(".").lower()


def _cause(error: BaseException) -> str:
    return str(error) if isinstance(error, RefusedError) else first_line(error)


def _offered(entry: EntryPoint) -> Reader:
    """The reader of another package."""
    try:
        reader: Reader = entry.load()
    except Exception as error:  # whatever another package raises while it is imported
        package = "" if entry.dist is None else f" of {entry.dist.name}"
        fault = first_line(error)
        raise DataError(f"the reader of .{entry.name}{package} cannot be imported ({fault})") from error
    return reader


def _nmnist(path: Path) -> Recording:
    """Five bytes an event: x, y, then polarity in the highest of 24 bits and microseconds in the others.

    Source: Orchard et al., Converting static image datasets to spiking neuromorphic datasets using
    saccades, Front. Neurosci. 9, 2015.
    """
    content = np.frombuffer(read_bytes(path, LARGEST_RECORDING), dtype=np.uint8)
    if len(content) % _NMNIST_BYTES:
        raise DataError(
            f"{path}: truncated: {len(content)} bytes are no whole number of events of {_NMNIST_BYTES} bytes"
        )
    events = content.reshape(-1, _NMNIST_BYTES).astype(np.int64)
    time_us = ((events[:, 2] & 0x7F) << 16) | (events[:, 3] << 8) | events[:, 4]
    return Recording(events[:, 0], events[:, 1], time_us, events[:, 2] >> 7)


def _npy(path: Path) -> Recording:
    shape, dtype, offset = read_npy_layout(path)
    array = np.frombuffer(read_bytes(path, LARGEST_RECORDING)[offset:], dtype=dtype).reshape(shape)
    if array.dtype.names is None:
        raise DataError(
            f"{path}: needs fields x, y, t and p (a structured array), found {array.dtype} of shape {array.shape}"
        )
    return recording_of({name: array[name] for name in array.dtype.names}, str(path))


def _npz(path: Path) -> Recording:
    arrays, _ = read_npz(path, {name for names in _NAMES.values() for name in names})
    return recording_of(arrays, str(path))


def _hdf5(path: Path) -> Recording:
    import h5py

    from spear_deploy.system.outside.hdf5 import open_hdf5

    with open_hdf5(path) as file:
        held: Any = file.get("events", file)
        if isinstance(held, h5py.Dataset):
            array = held[()]
            return recording_of({name: array[name] for name in array.dtype.names or ()}, str(path))
        return recording_of(
            {name: item[()] for name, item in held.items() if isinstance(item, h5py.Dataset)}, str(path)
        )


def _aedat4(path: Path) -> Recording:
    """The events of all streams of events, through the package aedat."""
    aedat = import_module("aedat")
    if path.stat().st_size > LARGEST_RECORDING:
        raise DataError(f"{path}: larger than the {LARGEST_RECORDING >> 20} MiB of a recording")
    parts = []
    for packet in aedat.Decoder(str(path)):
        if "events" in packet:
            parts.append(np.asarray(packet["events"]))
        if sum(part.nbytes for part in parts) > LARGEST_RECORDING:
            raise DataError(f"{path}: more than {LARGEST_RECORDING >> 20} MiB of events")
    if not parts:
        raise DataError(f"{path}: holds no stream of events")
    events = np.concatenate(parts)
    return recording_of({name: events[name] for name in ("x", "y", "t", "p")}, str(path))


_THROUGH: dict[str, tuple[str, Reader]] = {"aedat4": ("aedat", _aedat4)}
"""Readers through a package that may be missing."""

READERS: dict[str, Reader] = {"bin": _nmnist, "npy": _npy, "npz": _npz, "h5": _hdf5, "hdf5": _hdf5}


def recording_of(columns: dict[str, NDArray[Any]], name: str) -> Recording:
    """A recording from its columns, however they are called.

    Raises:
        DataError: one is missing, or holds other numbers than whole ones, or they differ in length.

    """
    found: dict[str, Any] = {}
    for field, names in _NAMES.items():
        called = next((each for each in names if each in columns), None)
        if called is None:
            raise DataError(f"{name}: needs x, y, t (us) and p, found {', '.join(columns) or 'none of them'}")
        try:
            found[field] = _whole(columns[called], called)
        except ValueError as error:
            raise DataError(f"{name}: {error}; {_NEEDED.get(field, 'whole numbers are needed')}") from None
    if len({len(values) for values in found.values()}) > 1:
        lengths = ", ".join(f"{len(values)} of {field}" for field, values in found.items())
        raise DataError(f"{name}: truncated: {lengths}")
    return Recording(**found)


def _whole(column: NDArray[Any], called: str) -> NDArray[np.int64]:
    """A column as integers.

    Raises:
        ValueError: which event has which other value.

    """
    held = np.asarray(column)
    if held.ndim != 1:
        raise ValueError(f"{called} has the shape {held.shape}, not one number an event")
    if held.dtype.kind in "biu":
        if (held > _LARGEST).any():
            raise ValueError(f"{called} holds {held.max()}")
        return held.astype(np.int64)
    if held.dtype.kind != "f":
        raise ValueError(f"{called} holds {held.dtype}")
    values = held.astype(np.float64)
    wrong = np.flatnonzero(~((values == np.trunc(values)) & (np.abs(values) < 2.0**63)))
    if len(wrong):
        raise ValueError(f"event {wrong[0]} has {called} = {values[wrong[0]]}")
    return values.astype(np.int64)
