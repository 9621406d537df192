"""HDF5 files (NIR, netx): no data from elsewhere, and no more than the file can hold.

An HDF5 file may name other files: as raw storage of a dataset, behind a link, or as the source of
a virtual dataset. Whoever reads it reads those; none of the three has a place in a network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from spear_deploy.system.outside.refusal import RefusedError, check_growth

MAGIC = b"\x89HDF\r\n\x1a\n"
"""First bytes. Source: HDF5 file format specification, superblock."""

DEEPEST = 32
MOST_OBJECTS = 100_000
_INFLATION = 1100
"""No byte of a deflate stream becomes more than 1,032. Source: zlib technical details."""

_ALLOWANCE = 1 << 16
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file, open for reading, whose structure was checked; no value has been read yet.

    Raises:
        RefusedError: it points outside of itself, declares more than it holds, or is no tree.
        OSError: and others of `READ_ERRORS`: no HDF5 file, or damaged.

    """
    with h5py.File(path, "r") as file:
        _Walk(path.stat().st_size).group(file, "/", 0)
        yield file


class _Walk:
    """Visits everything in a file once, and counts."""

    def __init__(self, file_bytes: int) -> None:
        self.file_bytes = file_bytes
        self.objects = 0
        self.bytes = 0
        self.groups: set[object] = set()

    def group(self, group: h5py.Group, name: str, depth: int) -> None:
        key = h5py.h5o.get_info(group.id).addr
        if depth > DEEPEST or key in self.groups:
            raise RefusedError(f"{name}: the groups are no tree, or nested too deeply")
        self.groups.add(key)
        self._attributes(group, name)
        for each in group:
            self.objects += 1
            if self.objects > MOST_OBJECTS:
                raise RefusedError(f"more than {MOST_OBJECTS:,} objects")
            below = f"{name.rstrip('/')}/{each}"
            if not isinstance(group.get(each, getlink=True), h5py.HardLink):
                raise RefusedError(f"{below}: a link, which may lead to another file")
            found = group[each]
            if isinstance(found, h5py.Group):
                self.group(found, below, depth + 1)
            elif isinstance(found, h5py.Dataset):
                self._attributes(found, below)
                self._dataset(found, below)

    def _dataset(self, dataset: h5py.Dataset, name: str) -> None:
        how = dataset.id.get_create_plist()
        if dataset.is_virtual or how.get_external_count():
            raise RefusedError(f"{name}: its values lie in another file")
        filters = {how.get_filter(number)[0] for number in range(how.get_nfilters())}
        if not filters <= _FILTERS:
            raise RefusedError(f"{name}: packed by a filter that is not known ({sorted(filters - _FILTERS)[0]})")
        if how.get_layout() == h5py.h5d.CHUNKED and dataset.size:
            self._count(min(dataset.chunks, dataset.shape, key=_volume), dataset.dtype.itemsize, name)
        stored = dataset.id.get_storage_size()
        declared = dataset.size * dataset.dtype.itemsize if dataset.size is not None else 0
        if declared > _INFLATION * stored + _ALLOWANCE:
            raise RefusedError(f"{name}: declares {declared:,} bytes and holds {stored:,}")
        self._count(dataset.shape or (), dataset.dtype.itemsize, name)

    def _attributes(self, item: h5py.Group | h5py.Dataset, name: str) -> None:
        for key in item.attrs:
            self._count(item.attrs.get_id(key).shape, item.attrs.get_id(key).dtype.itemsize, f"{name}@{key}")

    def _count(self, shape: tuple[int, ...], item_bytes: int, name: str) -> None:
        self.bytes += _volume(shape) * item_bytes
        check_growth(self.bytes, self.file_bytes, name)


def _volume(shape: tuple[int, ...]) -> int:
    volume = 1
    for size in shape:
        volume *= size
    return volume
