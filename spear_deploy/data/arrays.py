"""From arrays, as a file or a user gives them, to splits: what is missing, what does not fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.data.labels import check_labels, check_together, labels_of
from spear_deploy.data.rounding import Columns
from spear_deploy.data.split import UNLABELLED, VALIDATION_NAMES, Labels, Split, SplitName, some, times
from spear_deploy.data.splitting import SPLIT_SEED, held_out, stratified
from spear_deploy.data.stored import Given, Packed, Stored
from spear_deploy.errors import DataError

NPZ_VALIDATION_SHARE = 0.15
LEAST_OF_BYTES = 100
"""Where the samples of one split reach this and those of another at most 1, only some are likely to be scaled."""

MOST_NAMES = 12
"""Names that a message lists."""

_SAMPLES = ("x_train", "x_test")
_LABELS = ("y_train", "y_test")
NEEDED = ("x_train", "y_train", "x_test", "y_test")
USED = (*NEEDED, "x_val", "y_val")
"""Names of arrays that a data set is made of."""

_VALIDATION = re.compile(f"[xy]_({'|'.join(VALIDATION_NAMES)})", re.IGNORECASE)
"""Other names that samples for validation are likely to have."""


def splits_of(
    path: str, arrays: Mapping[str, Given], others: Sequence[str] = ()
) -> tuple[tuple[Split, Split, Split], Labels, tuple[str, ...]]:
    """Train, validation and test from arrays under the names that an npz has, who said what is right, and notices.

    Args:
        path: what messages call them.
        arrays: samples and labels; see `load_data`.
        others: names that were found beside them.

    Raises:
        DataError: arrays are missing, or their shapes or values do not fit.

    """
    arrays = dict(arrays)
    misnamed = [name for name in others if _VALIDATION.fullmatch(name)]
    if misnamed and "x_val" not in arrays:
        raise DataError(
            f"{path}: {misnamed[0]} is read by no one: samples for validation are x_val, their labels y_val"
        )
    labelled = any(key in arrays for key in (*_LABELS, "y_val"))
    missing = [key for key in (NEEDED if labelled else _SAMPLES) if key not in arrays]
    if missing:
        found = ", ".join(sorted([*arrays, *others])[:MOST_NAMES]) or "nothing"
        way_out = (
            "; without any labels (no y_...), the network's own classes serve" if set(missing) <= {*_LABELS} else ""
        )
        raise DataError(f"{path}: needs {', '.join(NEEDED)}; missing {', '.join(missing)}, found {found}{way_out}")
    if labelled and ("x_val" in arrays) != ("y_val" in arrays):
        raise DataError(f"{path}: x_val and y_val belong together, found only one of them")
    seen: list[Columns] = []
    for key in [key for key in ("train", "test", "val") if f"x_{key}" in arrays]:
        seen.append(_check_samples(path, key, arrays[f"x_{key}"], arrays["x_train"]))
        if labelled:
            check_labels(path, key, np.asarray(arrays[f"y_{key}"]), arrays[f"x_{key}"].shape)
    if labelled:
        check_together(path, {key: np.asarray(array) for key, array in arrays.items() if key.startswith("y_")})
    notices = _doubts(seen, [np.asarray(array) for key, array in arrays.items() if key.startswith("y_")])
    train = _split(SplitName.TRAIN, "train", arrays)
    if "x_val" in arrays:
        validation = _split(SplitName.VALIDATION, "val", arrays)
    else:
        train, validation = _cut_validation(path, train)
    labels = Labels.DATA if labelled else Labels.NONE
    return (train, validation, _split(SplitName.TEST, "test", arrays)), labels, notices


def _doubts(seen: Sequence[Columns], labels: Sequence[NDArray[Any]]) -> tuple[str, ...]:
    """What a user hears: what float32 rounds first, in one split, whether these are scaled alike, and class 0."""
    faults = [fault for each in seen if (fault := each.rounded(seen[0])) is not None]
    rounded = [f"{fault} (x - x_train.min(0)), in training too" for fault in faults[:1]]
    least, *_, most = sorted(seen, key=lambda each: each.largest)
    apart = 0 < least.largest <= 1 and most.largest >= LEAST_OF_BYTES
    scaled = [
        f"{most.name} goes up to {most.largest:g}, {least.name} to {least.largest:g}: scale both alike, as by x / 255"
    ]
    from_one = bool(labels) and all(y.dtype.kind in "iu" for y in labels) and min(int(y.min()) for y in labels) == 1
    numbered = ["labels start at 1, and no sample is of class 0: where they number classes from 1 on, write y - 1"]
    return (*rounded, *(scaled if apart else ()), *(numbered if from_one else ()))


def _split(name: SplitName, key: str, arrays: dict[str, Given]) -> Split:
    x = _kept(arrays.pop(f"x_{key}"))
    labels = arrays.get(f"y_{key}")
    y = torch.full((len(x),), UNLABELLED) if labels is None else labels_of(np.asarray(labels))
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
    if train.y.is_floating_point():
        parts, how = held_out(len(train), NPZ_VALIDATION_SHARE), "at random"
    else:
        parts, how = stratified(train.y.numpy(), NPZ_VALIDATION_SHARE), "stratified by class"
    if not round(len(train) * NPZ_VALIDATION_SHARE) or not len(parts[1]):
        raise DataError(
            f"{path}: {len(train)} training samples{' of as many classes' if not len(parts[1]) else ''} are too few to"
            " take validation from; give x_val"
        )
    kept, held = map(torch.from_numpy, parts)
    source = f"{train.source}, {how}, seed {SPLIT_SEED}"
    validation, rest = (
        Split(part, some(train.x, taken), train.y[taken], source, train.index[taken.numpy()])
        for part, taken in ((SplitName.VALIDATION, held), (SplitName.TRAIN, kept))
    )
    return rest, validation


def _check_samples(path: str, key: str, x: Given, train: Given) -> Columns:
    """Refuse samples that are no numbers, or not alike; what was seen of them on the way, each being read once."""
    if not isinstance(x, Stored) and x.dtype.kind not in "fiub":
        way_out = "; samples of one shape become numbers by x.astype('float32')" if x.dtype.kind == "O" else ""
        raise DataError(f"{path}: x_{key} must hold numbers, found {x.dtype}{way_out}")
    if not x.ndim or not len(x):
        raise DataError(f"{path}: x_{key} holds no samples")
    if x.shape[1:] != train.shape[1:]:
        found, needed = times(x.shape[1:]), times(train.shape[1:])
        raise DataError(f"{path}: samples of x_{key} are {found}, those of x_train {needed}")
    seen, before = Columns(f"x_{key}"), 0
    for part in _parts(x):
        finite = part.dtype.kind != "f" or np.abs(part) <= np.finfo(np.float32).max
        if not np.all(finite):
            first = before + int(np.argwhere(~np.asarray(finite))[0, 0])
            raise DataError(
                f"{path}: x_{key} holds values that are not finite in float32 (NaN, infinite or too large), first in"
                f" sample {first}"
            )
        seen.see(part)
        before += len(part)
    return seen


def _parts(x: Given) -> Iterable[NDArray[Any]]:
    """All numbers, some at a time where they lie in a file; none where they are known to be zeros and ones."""
    if isinstance(x, Stored):
        return () if x.binary else x.numbers()
    return (x,)
