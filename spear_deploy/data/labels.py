"""Labels: classes, which are integers, or values that a regression is to tell, which are floats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.data.rounding import columns
from spear_deploy.errors import DataError
from spear_deploy.network.objective import CLASSIFICATION, RECONSTRUCTION, REGRESSION

MOST_CLASSES = 1 << 31


def labels_of(y: NDArray[np.generic]) -> Tensor:
    """Classes `[N]` in int64, or values `[N, K]` in float32; a single value a sample is K = 1."""
    if y.dtype.kind != "f":
        return torch.from_numpy(y.astype(np.int64))
    return torch.from_numpy(y.astype(np.float32)).reshape(len(y), -1)


def check_labels(path: str, key: str, y: NDArray[np.generic], shape: tuple[int, ...]) -> None:
    """Refuse labels that are neither classes nor values, or not one (row) a sample of samples of this shape.

    Raises:
        DataError: naming the array.

    """
    if y.dtype.kind not in "iuf":
        way_out = _WAYS_OUT.get(y.dtype.kind, "")
        if y.dtype.kind == "b" and y.ndim == 2 and bool((y.sum(axis=1) == 1).all()):
            way_out = " of one-hot rows; write y.argmax(1)"
        raise DataError(f"{path}: y_{key} must hold integers (classes) or floats (values), found {y.dtype}{way_out}")
    samples = shape[0]
    if y.shape[:1] != (samples,) and y.shape[:1] == shape[1:2]:
        raise DataError(
            f"{path}: x_{key} holds {samples} samples and y_{key} {len(y)} labels: where its first axis is time, write"
            " x.swapaxes(0, 1)"
        )
    if y.dtype.kind == "f":
        _check_values(path, key, y, samples)
        return
    if y.shape != (samples,):
        raise DataError(
            f"{path}: y_{key} needs one label a sample, {samples}, found shape {y.shape}{_one_of(y, samples)}"
        )
    if int(y.min()) < 0:
        raise DataError(f"{path}: labels start at 0, y_{key} holds {int(y.min())}{_values_are(y)}")
    if int(y.max()) >= MOST_CLASSES:
        raise DataError(f"{path}: labels number classes, y_{key} holds {int(y.max())}{_values_are(y)}")


_NUMBERED = "; number the classes, alike in all splits: numpy.searchsorted(numpy.unique(y_train), y)"
_WAYS_OUT = {"b": "; write y.astype(int)", "U": _NUMBERED, "S": _NUMBERED, "O": _NUMBERED}
"""How labels of other kinds become classes."""


def _one_of(y: NDArray[Any], samples: int) -> str:
    """How labels of more axes become one a sample."""
    if y.ndim < 2 or len(y) != samples or not y.size:
        return ""
    if y.ndim > 2:
        more = "; maps of labels are not learned, only one for the whole sample"
    elif y.shape[1] == 1 or bool((y == y[:, :1]).all()):
        more = "; write y[:, 0]"
    elif bool((np.sort(y, axis=1)[:, -2:] == [0, 1]).all() and (y.sum(axis=1) == 1).all()):
        more = ", one-hot rows; write y.argmax(1)"
    else:
        more = (
            "; a label for each step is not learned, only one for the whole sample: write y[:, -1] where the last is"
            " meant"
        )
    return more + _values_are(y)


def _values_are(y: NDArray[Any]) -> str:
    """How integers that are no classes become values."""
    flat = ".reshape(len(y), -1)" if y.ndim > 2 else ""
    return f"; where they are values that a regression is to tell, write y{flat}.astype('float32')"


def _check_values(path: str, key: str, y: NDArray[np.generic], samples: int) -> None:
    if y.ndim not in (1, 2) or len(y) != samples or not y.size:
        more = "; maps are given flat, and neither boxes nor values that change over time are learned"
        raise DataError(
            f"{path}: y_{key} needs a value a sample, [{samples}], or one for each output, [{samples}, K], found shape"
            f" {y.shape}{more if y.ndim > 2 else ''}"
        )
    if not bool((np.abs(y) <= np.finfo(np.float32).max).all()):
        raise DataError(f"{path}: y_{key} holds values that are not finite in float32 (NaN, infinite or too large)")


def check_together(path: str, labels: Mapping[str, NDArray[np.generic]]) -> None:
    """Refuse splits of which one holds classes and another values, or other numbers of values, or that float32 rounds.

    Args:
        path: what messages call the data.
        labels: by the names of arrays, those of training among them.

    Raises:
        DataError: naming them.

    """
    (first, y), *others = labels.items()
    for name, other in others:
        if (other.dtype.kind == "f") != (y.dtype.kind == "f"):
            raise DataError(
                f"{path}: {first} is {y.dtype}, {name} {other.dtype}: labels are integers (classes) in all, or floats"
                " (values)"
            )
        if labels_of(other).shape[1:] != labels_of(y).shape[1:]:
            raise DataError(f"{path}: {first} is of shape {y.shape}, {name} {other.shape}: as many values a sample")
    if y.dtype.kind == "f":
        seen = [columns(name, values) for name, values in labels.items()]
        train = next(each for each in seen if each.name == "y_train")
        for fault in (each.rounded(train) for each in seen):
            if fault is not None:
                raise DataError(
                    f"{path}: {fault} (y - y_train.min(0)): labels that round to one are neither learned nor told apart"
                )


def check_told(name: str, labels: Mapping[str, Tensor], objective: str, answers: int) -> None:
    """Whether labels are what a network tells.

    Args:
        name: of the data.
        labels: by split.
        objective: kind of the network's.
        answers: number of its classes, or of its values.

    Raises:
        DataError: classes for a regression, values for a classification, or more than the network tells.

    """
    _TOLD[objective](name, labels, answers)


def _classes(name: str, labels: Mapping[str, Tensor], answers: int) -> None:
    for split, y in labels.items():
        if y.is_floating_point():
            raise DataError(
                f"{name}: the network tells classes, which are integers, and labels of {split} are floats{_way_out(y)}"
            )
    top = max(int(y.max()) for y in labels.values())
    if top >= answers:
        least = min(int(y.min()) for y in labels.values())
        way_out = "; they start at 1: write y - 1" if (least, top) == (1, answers) else ""
        raise DataError(
            f"{name}: labels go up to {top}, the network has {answers} outputs (labels 0 to {answers - 1}){way_out}"
        )


def _way_out(y: Tensor) -> str:
    """How values become classes, if they can."""
    if y.shape[1] > 1 and bool((y.sort(dim=1).values[:, -2:] == torch.tensor([0.0, 1.0])).all()):
        return " of one-hot rows; write y.argmax(1)"
    if bool((y == y.trunc()).all()):
        return "; write y.astype(int)"
    return "; where it is to tell these values, say `objective='regression'`"


def _values(name: str, labels: Mapping[str, Tensor], answers: int) -> None:
    for split, y in labels.items():
        if not y.is_floating_point():
            raise DataError(
                f"{name}: a regression learns values, which are floats, and labels of {split} are integers; write"
                " y.astype('float32')"
            )
        if y.shape[1] != answers:
            more = "; a value for each step is not learned, only one for each output" if y.shape[1] > answers else ""
            raise DataError(f"{name}: labels are {y.shape[1]} values a sample, the network tells {answers}{more}")


_TOLD: Mapping[str, Callable[[str, Mapping[str, Tensor], int], None]] = {
    CLASSIFICATION: _classes,
    REGRESSION: _values,
    RECONSTRUCTION: _values,
}
