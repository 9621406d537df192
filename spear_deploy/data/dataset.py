"""Data sets with splits that are made once and recorded by index."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.data.folder import holds_arrays, read_folder
from spear_deploy.data.given import as_array
from spear_deploy.data.splitting import SPLIT_SEED, stratified
from spear_deploy.data.stored import Given, Index, Packed, Stored
from spear_deploy.errors import DataError, briefly
from spear_deploy.system.outside.npz import read_npz
from spear_deploy.system.outside.refusal import RefusedError

DIGITS_SPLIT_SEED = 0
"""Which images of the digits are in which split is the same for everyone, always."""

DIGITS_SIZES = (1097, 300, 400)
NPZ_VALIDATION_SHARE = 0.15
HASHED_AT_ONCE = 256
"""Samples that are hashed at a time, as float32 whatever they are kept as."""

MOST_CLASSES = 1 << 31
UNLABELLED = -1
"""Stands in `Split.y` where a file holds no labels; it is no class, and equal to none."""

_SAMPLES = ("x_train", "x_test")
_LABELS = ("y_train", "y_test")
_NEEDED = ("x_train", "y_train", "x_test", "y_test")
_USED = (*_NEEDED, "x_val", "y_val")
MOST_NAMES = 12
"""Names that a message lists."""


class SplitName(StrEnum):
    """What a part of the data may be used for.

    Training, recalibration and LRE samples use train; search, choice and repair use
    validation; test serves the final figures only.
    """

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class Labels(StrEnum):
    """Who said which class a sample is of."""

    DATA = "data"
    DENSE_NETWORK = "dense network"
    NONE = "none"


@dataclass(frozen=True)
class Split:
    """Samples `[N, *sample_shape]` (float32, uint8, or unpacked by the batch), labels `[N]` (int64) and their origin.

    `index` numbers the samples within `source`, so that a split can be told and made again.
    `outputs` `[N, classes]` (float32) are mean outputs over time that a network is to learn in
    place of the labels; without them it learns the labels.
    """

    name: SplitName
    x: Tensor | Stored
    y: Tensor
    source: str
    index: NDArray[np.int64]
    outputs: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def first(self, count: int) -> Split:
        """The first `count` samples."""
        return self.take(slice(0, count))

    def take(self, part: slice) -> Split:
        """Some of the samples."""
        outputs = None if self.outputs is None else self.outputs[part]
        return Split(self.name, _some(self.x, part), self.y[part], self.source, self.index[part], outputs)


@dataclass(frozen=True)
class Dataset:
    """A data set in three splits.

    Attributes:
        name: as given: a known name or a path.
        train, validation, test: the splits.
        labels: where the labels come from; with none, every `y` is `UNLABELLED`.

    """

    name: str
    train: Split
    validation: Split
    test: Split
    labels: Labels = Labels.DATA

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
        unknown = sorted(set(arrays) - set(_USED))
        if unknown:
            raise DataError(f"{name}: {', '.join(unknown)}: no such array; known: {', '.join(sorted(_USED))}")
        given = {key: values for key, values in arrays.items() if values is not None}
        return _from_arrays(name, {key: as_array(name, key, values) for key, values in given.items()})

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
            replace(each, y=torch.full_like(each.y, UNLABELLED), outputs=None) for each in self.splits
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


def _some(x: Tensor | Stored, index: Index) -> Tensor | Stored:
    return x.take(index) if isinstance(x, Stored) else x[index]


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

    A folder holds `train/<class>/` and `test/<class>/`, or `<class>/`, with recordings that are
    binned into T frames of `input_shape`, as the network takes them; see `recordings`.

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
        return _from_arrays(str(path), *read_folder(path))
    if path.is_dir():
        from spear_deploy.data.events import Binning, Frames
        from spear_deploy.data.recordings import load_folder

        if input_shape is None or time_steps is None:
            raise DataError(
                f"{path}: a folder of recordings is binned for a network: say its input_shape and time_steps"
            )
        return load_folder(path, Frames(time_steps, tuple(input_shape), Binning(binning)))
    if path.suffix != ".npz":
        raise DataError(
            f"no data set called {str(name)!r}; known: {', '.join(sorted(_KNOWN))}, the path of an .npz file with"
            f" {', '.join(_NEEDED)}, or of a folder with recordings of events by class"
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


def _load_npz(path: Path) -> Dataset:
    if not path.is_file():
        raise DataError(f"{path}: no such data file")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: not an npz file, or damaged (an npz is a zip archive, as numpy.savez writes it)")
    try:
        arrays, others = read_npz(path, _USED)
    except RefusedError as error:
        raise DataError(f"{path}: not an npz file, or damaged ({error})") from None
    return _from_arrays(str(path), arrays, others)


def _from_arrays(path: str, arrays: Mapping[str, Given], others: Sequence[str] = ()) -> Dataset:
    arrays = dict(arrays)
    labelled = any(key in arrays for key in (*_LABELS, "y_val"))
    missing = [key for key in (_NEEDED if labelled else _SAMPLES) if key not in arrays]
    if missing:
        found = ", ".join(sorted([*arrays, *others])[:MOST_NAMES]) or "nothing"
        way_out = (
            "; without any labels (no y_...), the network's own classes serve" if set(missing) <= {*_LABELS} else ""
        )
        raise DataError(f"{path}: needs {', '.join(_NEEDED)}; missing {', '.join(missing)}, found {found}{way_out}")
    if labelled and ("x_val" in arrays) != ("y_val" in arrays):
        raise DataError(f"{path}: x_val and y_val belong together, found only one of them")
    for key in ("train", "test", "val"):
        if f"x_{key}" in arrays:
            _check_samples(path, key, arrays[f"x_{key}"], arrays["x_train"])
            if labelled:
                _check_labels(path, key, np.asarray(arrays[f"y_{key}"]), len(arrays[f"x_{key}"]))
    train = _split(SplitName.TRAIN, "train", arrays)
    if "x_val" in arrays:
        validation = _split(SplitName.VALIDATION, "val", arrays)
    else:
        train, validation = _cut_validation(path, train)
    labels = Labels.DATA if labelled else Labels.NONE
    return Dataset(path, train, validation, _split(SplitName.TEST, "test", arrays), labels)


def _split(name: SplitName, key: str, arrays: dict[str, Given]) -> Split:
    x = _kept(arrays.pop(f"x_{key}"))
    labels = arrays.get(f"y_{key}")
    y = torch.full((len(x),), UNLABELLED) if labels is None else torch.from_numpy(np.asarray(labels).astype(np.int64))
    return Split(name, x, y, f"x_{key}", np.arange(len(x)))


def _kept(held: Given) -> Tensor | Stored:
    """Zeros and ones a bit each, other bytes as they are, all else in float32."""
    if isinstance(held, Stored):
        return held
    if held.dtype not in (np.uint8, np.bool_):
        return torch.from_numpy(held.astype(np.float32))
    small = held.view(np.uint8)
    return Packed.of(small) if int(small.max(initial=0)) <= 1 else torch.from_numpy(small)


def _cut_validation(path: str, train: Split) -> tuple[Split, Split]:
    if not round(len(train) * NPZ_VALIDATION_SHARE):
        raise DataError(f"{path}: {len(train)} training samples are too few to take validation from; give x_val")
    kept, held = (torch.from_numpy(part) for part in stratified(train.y.numpy(), NPZ_VALIDATION_SHARE))
    source = f"{train.source}, stratified by class, seed {SPLIT_SEED}"
    validation, rest = (
        Split(part, _some(train.x, taken), train.y[taken], source, train.index[taken.numpy()])
        for part, taken in ((SplitName.VALIDATION, held), (SplitName.TRAIN, kept))
    )
    return rest, validation


def _check_samples(path: str, key: str, x: Given, train: Given) -> None:
    if not isinstance(x, Stored) and x.dtype.kind not in "fiub":
        raise DataError(f"{path}: x_{key} must hold numbers, found {x.dtype}")
    if not x.ndim or not len(x):
        raise DataError(f"{path}: x_{key} holds no samples")
    if x.shape[1:] != train.shape[1:]:
        found, needed = times(x.shape[1:]), times(train.shape[1:])
        raise DataError(f"{path}: samples of x_{key} are {found}, those of x_train {needed}")
    if not _all_finite(x):
        raise DataError(f"{path}: x_{key} holds values that are not finite in float32 (NaN, infinite or too large)")


def _all_finite(x: Given) -> bool:
    """Whether all values are finite in float32."""
    if isinstance(x, Stored):
        return x.binary or all(part.dtype == torch.uint8 or bool(part.isfinite().all()) for part in x.parts())
    return x.dtype.kind != "f" or bool((np.abs(x) <= np.finfo(np.float32).max).all())


def _check_labels(path: str, key: str, y: NDArray[np.generic], samples: int) -> None:
    if y.dtype.kind not in "iu":
        raise DataError(f"{path}: y_{key} must hold integer labels, found {y.dtype}{_as_labels(y)}")
    if y.shape != (samples,):
        raise DataError(f"{path}: y_{key} needs one label a sample, {samples}, found shape {y.shape}")
    if int(y.min()) < 0:
        raise DataError(f"{path}: labels start at 0, y_{key} holds {int(y.min())}")
    if int(y.max()) >= MOST_CLASSES:
        raise DataError(f"{path}: labels number classes, y_{key} holds {int(y.max())}")


def _as_labels(y: NDArray[np.generic]) -> str:
    """How values that are no integers become labels, if they can."""
    if y.dtype.kind not in "fb":
        return ""
    if y.ndim == 2 and bool((np.sort(y, axis=1)[:, -2:] == [0, 1]).all()):
        return " of one-hot rows; write y.argmax(1)"
    if bool((y == np.trunc(y.astype(np.float64))).all()):
        return "; write y.astype(int)"
    return "; targets of a regression are not supported: leave all labels out, and the network's own classes serve"


def times(shape: tuple[int, ...]) -> str:
    """A shape as it stands in a message."""
    return " x ".join(map(str, shape)) or "single values"
