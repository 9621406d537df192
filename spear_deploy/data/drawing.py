"""Which samples stand for all of a split: one at random of each stretch of it, so that a file's order decides nothing.

Files are often sorted by class, or by recording: the first samples of such a file stand for one class alone,
stretches of equal length for all. Within its stretch a sample is drawn, because classes may take turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from spear_deploy.data.stored import Index

SEED = 0
"""Which samples are drawn: the same in every job, so that each chooses the integers that the others judge."""


class _Samples(Protocol):
    def __len__(self) -> int: ...

    def take(self, index: Index, /) -> Self: ...


_Some = TypeVar("_Some", bound=_Samples)


def drawn(samples: _Some, count: int) -> _Some:
    """`count` of the samples, one of each stretch, in the order that they have; all where there are no more."""
    return samples if count >= len(samples) else samples.take(places(len(samples), count))


def drawn_of(among: Sequence[int], count: int) -> list[int]:
    """`count` of these places, drawn as samples are; all where there are no more."""
    return [among[place] for place in places(len(among), min(count, len(among)))]


def drawn_in_words(held: int, count: int) -> str:
    """What `drawn` gives of `held` training samples."""
    if count >= held:
        return f"all {held:,} training samples"
    return f"{count:,} of {held:,} training samples, spread over them at random (seed {SEED})"


def places(held: int, count: int) -> NDArray[np.int64]:
    """Where those that are drawn stand among `held` samples, of which there are at least `count`."""
    ends = np.arange(count + 1) * held // count
    return np.random.default_rng(SEED).integers(ends[:-1], ends[1:])
