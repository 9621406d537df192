"""Data sets with splits that are made once and recorded by index."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spear_deploy.data.arrays import MOST_NAMES, NEEDED, USED, splits_of
from spear_deploy.data.folder import folders_in, holds_arrays, read_folder
from spear_deploy.data.given import as_array
from spear_deploy.data.split import UNLABELLED, Labels, Split, SplitName
from spear_deploy.data.stored import Given, Stored
from spear_deploy.errors import DataError, briefly
from spear_deploy.system.outside.npz import read_npz
from spear_deploy.system.outside.refusal import RefusedError, UnfitError, check_readable

DIGITS_SPLIT_SEED = 0
"""Which images of the digits are in which split is the same for everyone, always."""

DIGITS_SIZES = (1097, 300, 400)
HASHED_AT_ONCE = 256
"""Samples that are hashed at a time, as float32 whatever they are kept as."""


@dataclass(frozen=True)
class Dataset:
    """A data set in three splits.

    Attributes:
        name: as given: a known name or a path.
        train, validation, test: the splits.
        labels: where the labels come from; with none, every `y` is `UNLABELLED`.
        notices: what was doubted when it was read, one line each.

    """

    name: str
    train: Split
    validation: Split
    test: Split
    labels: Labels = Labels.DATA
    notices: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    @briefly
    def of_arrays(cls, name: str = "arrays", **arrays: object) -> Dataset:
        """A data set from arrays or tensors, under the names that an npz has; see `load_data`.

        Args:
            name: what messages and reports call it.
            arrays: x_train, y_train, x_test, y_test and optionally x_val, y_val.

        Raises:
            DataError: arrays are missing or unknown, or their shapes or values do not fit.

        """
        if not isinstance(name, str):
            raise DataError(f"arrays are given by name: x_train=..., x_test=...; found {type(name).__name__}")
        unknown = sorted(set(arrays) - set(USED))
        if unknown:
            raise DataError(f"{name}: {', '.join(unknown)}: no such array; known: {', '.join(sorted(USED))}")
        given = {key: values for key, values in arrays.items() if values is not None}
        return _dataset(name, {key: as_array(name, key, values) for key, values in given.items()})

    @cached_property
    def sha256(self) -> str:
        """Hash of all samples, labels and outputs."""
        digest = hashlib.sha256()
        for split in self.splits:
            for tensor in (split.x, split.y, *([] if split.outputs is None else [split.outputs])):
                digest.update(str(tuple(tensor.shape)).encode())
                for start in range(0, len(tensor), HASHED_AT_ONCE):
                    digest.update(_bytes_of(tensor, slice(start, start + HASHED_AT_ONCE)))
        return digest.hexdigest()

    @cached_property
    def given_sha256(self) -> str:
        """The same of what was given, without what a network put in place of missing labels."""
        if self.labels is not Labels.DENSE_NETWORK:
            return self.sha256
        train, validation, test = (
            replace(each, y=torch.full((len(each),), UNLABELLED), outputs=None) for each in self.splits
        )
        return Dataset(self.name, train, validation, test, Labels.NONE).sha256

    @property
    def splits(self) -> tuple[Split, Split, Split]:
        """Train, validation and test."""
        return self.train, self.validation, self.test

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.train.x.shape[1:])


def _bytes_of(x: Tensor | Stored, part: slice) -> bytes | memoryview:
    if isinstance(x, Stored):
        return x.bytes_of(part)
    found = x[part].numpy()
    return np.ascontiguousarray(found.astype(np.float32) if found.dtype == np.uint8 else found).data


def load_data(
    name: str | os.PathLike[str],
    *,
    input_shape: Sequence[int] | None = None,
    time_steps: int | None = None,
    binning: str = "time",
) -> Dataset:
    """A data set by name (`digits`), from an npz file, or from a folder of event recordings by class.

    A folder holds `train/<class>/`, `test/<class>/` and optionally `validation/<class>/`, or
    `<class>/`, with recordings that are binned into T frames of `input_shape`, as the network
    takes them; see `recordings`.

    An npz holds x_train, y_train, x_test, y_test and optionally x_val, y_val; without them 15 %
    of every class of train become validation, drawn from a fixed seed. Samples are
    `[N, *input_shape]` for static data (finite values; in [0, 1] where they are encoded as
    rates), or `[N, T, *input_shape]` of 0 and 1 for spikes; labels are integers from 0. All
    labels may be missing, not some of them.

    A folder may hold the same arrays as npy files (`x_train.npy`, ...). Their samples stay there and are read by the
    batch, so that they need not fit into memory. `x_train_bits.npy` instead holds zeros and ones as
    `numpy.packbits(x, axis=-1)` packs them; the last axis is a multiple of 8.

    Raises:
        DataError: unknown name, missing or damaged file, shapes or values that do not fit.

    """
    if str(name) in _KNOWN:
        return _KNOWN[str(name)]()
    path = Path(name)
    if holds_arrays(path):
        data, beside = _dataset(str(path), *read_folder(path)), ", ".join(folders_in(path)[:MOST_NAMES])
        told = [f"samples are those of its .npy files; folders in it are passed over: {beside}"]
        return replace(data, notices=(*told, *data.notices)) if beside else data
    if path.is_dir():
        if not folders_in(path):
            found = ", ".join(sorted(each.name for each in path.iterdir())[:MOST_NAMES]) or "nothing"
            raise DataError(
                f"{path}: holds neither {', '.join(f'{key}.npy' for key in NEEDED)} nor a folder a class with"
                f" recordings in it; found {found}"
            )
        from spear_deploy.data.classes import read_classes
        from spear_deploy.data.events import Frames

        if input_shape is None or time_steps is None:
            raise DataError(
                f"{path}: a folder of recordings is binned for a network: say its input_shape and time_steps"
            )
        arrays, passed_over = read_classes(path, Frames.asked(input_shape, time_steps, binning))
        data = Dataset.of_arrays(str(path), **arrays)
        return replace(data, notices=(*passed_over, *data.notices))
    if path.suffix.lower() != ".npz":
        what = f"{name}: no file of a data set" if path.is_file() else f"no data set called {str(name)!r}"
        raise DataError(
            f"{what}; known: {', '.join(sorted(_KNOWN))}, the path of an .npz file with {', '.join(NEEDED)}, or of a"
            " folder with these as .npy files, or with recordings of events by class"
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
    return Dataset("digits", train, validation, test)


_KNOWN: dict[str, Callable[[], Dataset]] = {"digits": _digits}


def is_known(name: str) -> bool:
    """Whether a data set comes by name, wherever one is."""
    return name in _KNOWN


def _load_npz(path: Path) -> Dataset:
    if not path.is_file():
        raise DataError(f"{path}: no such data file")
    check_readable(path, DataError)
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: not an npz file, or damaged (an npz is a zip archive, as numpy.savez writes it)")
    try:
        arrays, others = read_npz(path, USED)
    except UnfitError as error:
        raise DataError(f"{path}: {error}") from None
    except RefusedError as error:
        raise DataError(f"{path}: not an npz file, or damaged ({error})") from None
    return _dataset(str(path), arrays, others)


def _dataset(name: str, arrays: Mapping[str, Given], others: Sequence[str] = ()) -> Dataset:
    (train, validation, test), labels, notices = splits_of(name, arrays, others)
    return Dataset(name, train, validation, test, labels, notices)
