"""Samples that do not stand in memory as numbers: packed to bits, or left in a file and read by the batch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.errors import DataError

Index = slice | Tensor | NDArray[np.int64]

AT_ONCE = 64
"""Samples that are packed, read or looked at together."""


def pieces(count: int) -> Iterator[slice]:
    """Slices of at most `AT_ONCE` that cover `count` samples."""
    return (slice(start, min(start + AT_ONCE, count)) for start in range(0, count, AT_ONCE))


class Stored(ABC):
    """Samples `[N, *sample_shape]`; indexing gives some of them as a tensor, uint8 or float32.

    A reader of another kind of file is a subclass: what it selects is not read before it is asked for.

    """

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """`(N, *sample_shape)`."""

    @abstractmethod
    def take(self, index: Index) -> Stored:
        """Some of the samples, none of which is read."""

    @abstractmethod
    def tensor(self) -> Tensor:
        """All of them."""

    @abstractmethod
    def bytes_of(self, part: slice) -> bytes | memoryview:
        """What tells some of the samples from others, for a hash."""

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Index) -> Tensor:
        return self.take(index).tensor()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.tensor().numpy().astype(dtype or self.tensor().numpy().dtype)

    @property
    @abstractmethod
    def binary(self) -> bool:
        """Whether they are known to be zeros and ones, without a look at them."""

    @property
    def ndim(self) -> int:
        """Axes, that of the samples among them."""
        return len(self.shape)

    def parts(self) -> Iterator[Tensor]:
        """All samples, some at a time."""
        for piece in pieces(len(self)):
            yield self[piece]

    def numbers(self) -> Iterator[NDArray[Any]]:
        """All samples, some at a time, in the numbers that they are given in; float32 may not hold these."""
        for part in self.parts():
            yield part.numpy()


Given = NDArray[np.generic] | Stored
"""What a reader finds: an array in memory, or samples to be read by the batch."""


@dataclass(frozen=True, eq=False)
class Packed(Stored):
    """Zeros and ones in memory, a bit each: `bits` are `[N, ceil(size / 8)]`."""

    bits: NDArray[np.uint8]
    sample_shape: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """`(N, *sample_shape)`."""
        return (len(self.bits), *self.sample_shape)

    @property
    def binary(self) -> bool:
        """Whether they are known to be zeros and ones."""
        return True

    @classmethod
    def of(cls, values: NDArray[Any]) -> Packed:
        """Pack zeros and ones `[N, *sample_shape]`."""
        packed = cls.room(values.shape)
        for piece in pieces(len(values)):
            packed.fill(piece, values[piece])
        return packed

    @classmethod
    def room(cls, shape: tuple[int, ...]) -> Packed:
        """Room for so many, filled part by part."""
        return cls(np.empty((shape[0], -(-math.prod(shape[1:]) // 8)), np.uint8), shape[1:])

    def fill(self, part: slice, values: NDArray[Any]) -> None:
        """Pack zeros and ones `[n, *sample_shape]` into their places."""
        self.bits[part] = np.packbits(values.reshape(len(values), -1) != 0, axis=1)

    def take(self, index: Index) -> Packed:
        """Some of the samples."""
        return replace(self, bits=self.bits[index.numpy() if isinstance(index, Tensor) else index])

    def tensor(self) -> Tensor:
        """All of them, unpacked."""
        size = math.prod(self.shape[1:])
        return torch.from_numpy(np.unpackbits(self.bits, axis=1, count=size).reshape(self.shape))

    def bytes_of(self, part: slice) -> bytes | memoryview:
        """As float32, whatever they are kept as."""
        return self[part].numpy().astype(np.float32).data


@dataclass(frozen=True, eq=False)
class InFile(Stored):
    """Samples that lie one after the other in a file; a batch of them is read when it is asked for.

    The file is not mapped into memory: what was read would count as memory in use as long as there is room for it.

    Attributes:
        path: the file.
        offset: bytes before the first sample.
        dtype: of the numbers in the file.
        sample_shape: of a sample, unpacked.
        rows: places of the samples in the file, `[N]`.
        packed: whether a byte holds eight zeros and ones along the last axis, as `numpy.packbits` writes them.

    """

    path: Path
    offset: int
    dtype: np.dtype[Any]
    sample_shape: tuple[int, ...]
    rows: NDArray[np.int64]
    packed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """`(N, *sample_shape)`."""
        return (len(self.rows), *self.sample_shape)

    @property
    def binary(self) -> bool:
        """Whether they are known to be zeros and ones."""
        return self.packed

    def take(self, index: Index) -> InFile:
        """Some of the samples, none of which is read."""
        return replace(self, rows=self.rows[index.numpy() if isinstance(index, Tensor) else index])

    def tensor(self) -> Tensor:
        """All of them, read and unpacked."""
        held = self._read()
        if self.packed:
            return torch.from_numpy(np.unpackbits(held, axis=-1).reshape(self.shape))
        held = held.reshape(self.shape)
        return torch.from_numpy(held.view(np.uint8) if held.dtype in (np.uint8, np.bool_) else held.astype(np.float32))

    def numbers(self) -> Iterator[NDArray[Any]]:
        """All samples, some at a time, as they lie in the file."""
        if self.packed:
            yield from super().numbers()
            return
        for piece in pieces(len(self)):
            some = self.take(piece)
            yield some._read().reshape(some.shape)

    def bytes_of(self, part: slice) -> bytes | memoryview:
        """As they lie in the file."""
        return self.take(part)._read().data

    def _read(self) -> NDArray[Any]:
        """Numbers as they lie in the file, `[N, numbers of a sample]`; neighbours are read together."""
        numbers = math.prod(self.sample_shape) // (8 if self.packed else 1)
        room = np.empty((len(self.rows), numbers), dtype=self.dtype)
        size = numbers * self.dtype.itemsize
        breaks = np.flatnonzero(np.diff(self.rows) != 1) + 1
        try:
            with self.path.open("rb", buffering=0) as file:
                for start, end in zip([0, *breaks], [*breaks, len(self.rows)], strict=True):
                    file.seek(self.offset + int(self.rows[start]) * size if end > start else 0)
                    view, there = room[start:end].reshape(-1).view(np.uint8).data, 0
                    while there < len(view) and (found := file.readinto(view[there:])):
                        there += found
                    if there < len(view):
                        raise DataError(f"{self.path}: ends before sample {int(self.rows[end - 1])}")
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read any more ({error.strerror})") from None
        return room
