"""Data sets with splits that are made once and recorded by index."""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.errors import DataError

DIGITS_SPLIT_SEED = 0
"""Which images of the digits are in which split is the same for everyone, always."""

DIGITS_SIZES = (1097, 300, 400)
NPZ_VALIDATION_SHARE = 0.15
_NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")
_READ_ERRORS = (OSError, ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error)
"""What numpy and zipfile raise on archives that are truncated or damaged."""


class SplitName(StrEnum):
    """What a part of the data may be used for.

    Training, recalibration and LRE samples use train; search, choice and repair use
    validation; test serves the final figures only.
    """

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True)
class Split:
    """Samples `[N, *sample_shape]` (float32), labels `[N]` (int64) and where they came from.

    `index` numbers the samples within `source`, so that a split can be told and made again.
    """

    name: SplitName
    x: Tensor
    y: Tensor
    source: str
    index: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.x)

    def first(self, count: int) -> Split:
        """The first `count` samples."""
        return self.take(slice(0, count))

    def take(self, part: slice) -> Split:
        """Some of the samples."""
        return Split(self.name, self.x[part], self.y[part], self.source, self.index[part])


@dataclass(frozen=True)
class Dataset:
    """A data set in three splits.

    Attributes:
        name: as given: a known name or a path.
        train, validation, test: the splits.
        sha256: hash of all samples and labels.

    """

    name: str
    train: Split
    validation: Split
    test: Split
    sha256: str

    @property
    def splits(self) -> tuple[Split, Split, Split]:
        """Train, validation and test."""
        return self.train, self.validation, self.test

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.train.x.shape[1:])


def load_data(name: str | os.PathLike[str]) -> Dataset:
    """A data set by name (`digits`) or from an npz file.

    An npz holds x_train, y_train, x_test, y_test and optionally x_val, y_val; without them the
    last 15 % of train become validation. Samples are `[N, *input_shape]` for static data (finite
    values; in [0, 1] where they are encoded as rates), or `[N, T, *input_shape]` of 0 and 1 for
    spikes; labels are integers from 0.

    Raises:
        DataError: unknown name, missing or damaged file, shapes or values that do not fit.

    """
    if str(name) in _KNOWN:
        return _KNOWN[str(name)]()
    path = Path(name)
    if path.suffix != ".npz":
        raise DataError(
            f"no data set called {str(name)!r}; known: {', '.join(sorted(_KNOWN))}, or the path of an .npz file"
            f" with {', '.join(_NPZ_KEYS)}"
        )
    return _load_npz(path)


def _digits() -> Dataset:
    """The 1,797 images of 8x8 handwritten digits that come with scikit-learn, values in [0, 1]."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    x = torch.from_numpy((images / 16.0).astype(np.float32)).reshape(-1, 1, 8, 8)
    y = torch.from_numpy(labels.astype(np.int64))
    order = np.random.default_rng(DIGITS_SPLIT_SEED).permutation(len(x))
    parts = np.split(order, np.cumsum(DIGITS_SIZES)[:-1])
    train, validation, test = (
        Split(part, x[index], y[index], "digits", index) for part, index in zip(SplitName, parts, strict=True)
    )
    return _dataset("digits", train, validation, test)


_KNOWN: dict[str, Callable[[], Dataset]] = {"digits": _digits}


def _load_npz(path: Path) -> Dataset:
    if not path.is_file():
        raise DataError(f"{path}: no such data file")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: not an npz file, or damaged (an npz is a zip archive, as numpy.savez writes it)")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except _READ_ERRORS as error:
        raise DataError(f"{path}: not an npz file, or damaged ({str(error).splitlines()[0]})") from None
    missing = [key for key in _NPZ_KEYS if key not in arrays]
    if missing:
        found = ", ".join(sorted(arrays)) or "nothing"
        raise DataError(f"{path}: needs {', '.join(_NPZ_KEYS)}; missing {', '.join(missing)}, found {found}")
    if ("x_val" in arrays) != ("y_val" in arrays):
        raise DataError(f"{path}: x_val and y_val belong together, found only one of them")
    for key in ("train", "test", "val"):
        if f"x_{key}" in arrays:
            _check(path, key, arrays[f"x_{key}"], arrays[f"y_{key}"], arrays["x_train"])
    train = _split(SplitName.TRAIN, "train", arrays)
    if "x_val" in arrays:
        validation = _split(SplitName.VALIDATION, "val", arrays)
    else:
        train, validation = _cut_validation(path, train)
    return _dataset(str(path), train, validation, _split(SplitName.TEST, "test", arrays))


def _split(name: SplitName, key: str, arrays: dict[str, NDArray[np.generic]]) -> Split:
    x = torch.from_numpy(arrays[f"x_{key}"].astype(np.float32))
    y = torch.from_numpy(arrays[f"y_{key}"].astype(np.int64))
    return Split(name, x, y, f"x_{key}", np.arange(len(x)))


def _cut_validation(path: Path, train: Split) -> tuple[Split, Split]:
    held_out = round(len(train) * NPZ_VALIDATION_SHARE)
    if not held_out:
        raise DataError(f"{path}: {len(train)} training samples are too few to take validation from; give x_val")
    kept = len(train) - held_out
    validation = Split(SplitName.VALIDATION, train.x[kept:], train.y[kept:], train.source, train.index[kept:])
    return train.first(kept), validation


def _check(path: Path, key: str, x: NDArray[np.generic], y: NDArray[np.generic], train: NDArray[np.generic]) -> None:
    if x.dtype.kind not in "fiub":
        raise DataError(f"{path}: x_{key} must hold numbers, found {x.dtype}")
    if y.dtype.kind not in "iu":
        raise DataError(f"{path}: y_{key} must hold integer labels, found {y.dtype}")
    if not x.ndim or not len(x):
        raise DataError(f"{path}: x_{key} holds no samples")
    if y.shape != (len(x),):
        raise DataError(f"{path}: y_{key} needs one label a sample, {len(x)}, found shape {y.shape}")
    if x.shape[1:] != train.shape[1:]:
        found, needed = times(x.shape[1:]), times(train.shape[1:])
        raise DataError(f"{path}: samples of x_{key} are {found}, those of x_train {needed}")
    if x.dtype.kind == "f" and not (np.abs(x) <= np.finfo(np.float32).max).all():
        raise DataError(f"{path}: x_{key} holds values that are not finite in float32 (NaN, infinite or too large)")
    if int(y.min()) < 0:
        raise DataError(f"{path}: labels start at 0, y_{key} holds {int(y.min())}")


def _dataset(name: str, train: Split, validation: Split, test: Split) -> Dataset:
    digest = hashlib.sha256()
    for split in (train, validation, test):
        for array in (split.x.numpy(), split.y.numpy()):
            digest.update(str(array.shape).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return Dataset(name, train, validation, test, digest.hexdigest())


def times(shape: tuple[int, ...]) -> str:
    """A shape as it stands in a message."""
    return " x ".join(map(str, shape)) or "single values"
