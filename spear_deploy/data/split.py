"""A part of a data set: samples, labels, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.data.stored import Index, Stored

UNLABELLED = -1
"""Stands in `Split.y` where a file holds no labels; it is no class, and equal to none."""


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
        """The first `count` samples."""
        return self.take(slice(0, count))

    def take(self, part: Index) -> Split:
        """Some of the samples, by number."""
        outputs = None if self.outputs is None else self.outputs[part]
        return Split(self.name, some(self.x, part), self.y[part], self.source, self.index[part], outputs)


def some(x: Tensor | Stored, index: Index) -> Tensor | Stored:
    """Some of the samples, by number."""
    return x.take(index) if isinstance(x, Stored) else x[index]


def times(shape: tuple[int, ...]) -> str:
    """A shape as it stands in a message."""
    return " x ".join(map(str, shape)) or "single values"
