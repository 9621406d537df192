"""A part of a data set: samples, labels, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.data.stored import Index, Stored
from spear_deploy.errors import DataError, quoted

UNLABELLED = -1
"""Stands in `Split.y` where a file holds no labels; it is no class, and equal to none."""

VALIDATION_NAMES = ("val", "valid", "validation", "dev", "eval", "evaluation")
"""How samples for validation are likely to be called."""


class SplitName(StrEnum):
    """What a part of the data may be used for.

    Training, recalibration and LRE samples use train; search, choice and repair use
    validation; test serves the final figures only.
    """

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class Labels(StrEnum):
    """Who said what is right."""

    DATA = "data"
    DENSE_NETWORK = "dense network"
    NONE = "none"


@dataclass(frozen=True)
class Split:
    """Samples `[N, *sample_shape]` (float32, uint8, or unpacked by the batch), labels and their origin.

    Labels `y` are classes `[N]` (int64), or values `[N, K]` (float32) that a regression is to tell.
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
        """The first `count` samples, or all where there are no more.

        Raises:
            DataError: `count` is no whole number from 0 on.

        """
        if not isinstance(count, Integral) or isinstance(count, bool) or count < 0:
            raise DataError(f"the first samples of {self.name} are a whole number from 0 on, found {quoted(count)}")
        return self.take(slice(0, int(count)))

    def take(self, part: Index | Sequence[int]) -> Split:
        """Some of the samples, by number; a negative one counts from the end, as in a list.

        Raises:
            DataError: there is no such sample, or these are no numbers of samples.

        """
        index = self._places(part)
        outputs = None if self.outputs is None else self.outputs[index]
        return Split(self.name, some(self.x, index), self.y[index], self.source, self.index[index], outputs)

    def _places(self, part: object) -> slice | NDArray[np.int64]:
        held = len(self)
        try:
            if isinstance(part, slice):
                places = np.arange(held)[part].copy()  # torch takes no negative strides
                return part if part.step in (None, 1) else places
            places = np.asarray(part.cpu() if isinstance(part, Tensor) else part)
        except (TypeError, ValueError, IndexError):
            places = np.array(None)
        if places.dtype == bool and places.shape == (held,):
            places = np.flatnonzero(places)
        if places.shape == (0,):
            return np.zeros(0, np.int64)
        if places.dtype.kind not in "iu" or places.ndim != 1:
            raise DataError(f"samples of {self.name} are taken by their numbers, or by a slice, found {quoted(part)}")
        missing = places[(places < -held) | (places >= held)]
        if len(missing):
            raise DataError(f"{self.name} holds {held:,} samples, from 0 on: there is no sample {missing[0]}")
        return np.where(places < 0, places + held, places).astype(np.int64)


def some(x: Tensor | Stored, index: Index) -> Tensor | Stored:
    """Some of the samples, by number."""
    return x.take(index) if isinstance(x, Stored) else x[index]


def times(shape: tuple[int, ...]) -> str:
    """A shape as it stands in a message."""
    return " x ".join(map(str, shape)) or "single values"
