"""Taking validation from training data, class by class or at random, and how splits differ in their classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

Index = NDArray[np.int64]

SPLIT_SEED = 0
"""Which samples are held out follows from it and the labels alone: the same for everyone, always."""

DIFFERENT = 1e-3
"""Class shares count as different where chance would make them so less often than this."""


def stratified(labels: Index, share: float, seed: int = SPLIT_SEED) -> tuple[Index, Index]:
    """The places of the samples that are kept and of those held out, each in their old order.

    About `share` of every class is held out, drawn at random; of a class of two samples or more
    at least one, and at least one is kept.
    """
    rng = np.random.default_rng(seed)
    held: list[Index] = []
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        count = min(max(round(share * len(places)), 1), len(places) - 1)
        held.append(rng.permutation(places)[:count])
    out = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(labels)), out), out


def held_out(samples: int, share: float, seed: int = SPLIT_SEED) -> tuple[Index, Index]:
    """The places of the samples that are kept and of `share` of them held out at random, each in their old order."""
    out = np.sort(np.random.default_rng(seed).permutation(samples)[: max(round(share * samples), 1)])
    return np.setdiff1d(np.arange(samples), out), out


def class_counts(labels: Index, classes: int) -> Index:
    """Samples of each class, `[classes]`."""
    return np.bincount(labels, minlength=classes).astype(np.int64)


def shares_differ(first: Index, second: Index) -> bool:
    """Whether two splits' class counts `[classes]` are of different shares: a chi-squared test of homogeneity.

    Counts that are small make its p-value rough; it only decides what is told.
    """
    both = np.array([first, second])
    both = both[:, both.sum(0) > 0]
    if both.shape[1] < 2 or not both.sum(1).all():
        return False
    expected = np.outer(both.sum(1), both.sum(0)) / both.sum()
    apart = np.abs(both - expected)
    if both.shape[1] == 2:  # Yates: counts are whole, the distribution is not
        apart -= np.minimum(apart, 0.5)
    return bool(special.chdtrc(both.shape[1] - 1, (apart**2 / expected).sum()) < DIFFERENT)
