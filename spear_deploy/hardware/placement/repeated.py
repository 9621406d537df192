"""Which lists of a shared kernel with zeros are equal relative to their position."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from spear_deploy.hardware.placement.packing import Integers

Mask = NDArray[np.bool_]

_WORD = 2**64
_DOWN, _RIGHT = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F
"""What a place further down or to the right weighs; odd, so that a division undoes it modulo 2^64."""


def first_of_equal(taps: Mask, rows: Mask, columns: Mask, *, steady: bool) -> Mask:
    """Which lists a core stores: the first of those that are equal, `[C, Py Px]`.

    A list is of one source channel and meets the outputs in a pattern of rows and one of columns; taps that are
    zero may be all that two patterns differ in. Lists are told apart by a random sum of 64 bits.

    Args:
        taps: whether a source channel has any synapse through a tap of the kernel, `[C, K, L]`.
        rows: distinct patterns of outputs and taps, `[Py, o, K]`.
        columns: the same along the other axis, `[Px, p, L]`.
        steady: whether a tap tells the place along both axes (`tap_tells_place`).

    """
    first = np.ones((len(taps), len(rows) * len(columns)), dtype=np.bool_)
    some = ~taps.all((1, 2))
    if some.any() and first.size:
        sums = _sums_of_taps if steady else _sums_of_synapses
        lists = sums(taps[some], rows, columns)
        order = np.argsort(lists, axis=1)
        found = np.take_along_axis(lists, order, axis=1)
        among = np.ones(lists.shape, dtype=np.bool_)
        np.put_along_axis(among, order[:, 1:], found[:, 1:] != found[:, :-1], axis=1)
        first[some] = among
    return first


def tap_tells_place(patterns: Mask) -> bool:
    """Whether two taps lead as far apart in every pattern that has both, as those of a convolution alone do."""
    if not len(patterns):
        return True
    place, present = patterns.argmax(1), np.asarray(patterns.any(1))
    both = present[:, :, None] & present[:, None, :]
    apart = place[:, :, None] - place[:, None, :]
    far = patterns.shape[1]
    most, least = np.where(both, apart, -far).max(0), np.where(both, apart, far).min(0)
    return bool((patterns.sum(1) <= 1).all() and (most <= least).all())


def crossed(rows: Integers, columns: Integers) -> Integers:
    """What each pattern of rows and each of columns have of every tap of a kernel, `[Py Px, K L]`."""
    product: Integers = rows[:, None, :, None] * columns[None, :, None, :]
    return product.reshape(len(rows) * len(columns), rows.shape[1] * columns.shape[1])


@cache
def _labels(taps: int) -> Integers:
    return np.random.default_rng(0).integers(2**62, size=taps) * 2 + 1


def _sums(taps: Mask, rows: Integers, columns: Integers) -> Integers:
    """A sum over the taps of each list, `[C, Py Px]`, weighted by row and column."""
    sums: Integers = (taps.reshape(len(taps), -1) * _labels(taps[0].size)) @ crossed(rows, columns).T
    return sums


def _sums_of_taps(taps: Mask, rows: Mask, columns: Mask) -> Integers:
    """A sum over the taps of each list, `[C, Py Px]`."""
    return _sums(taps, np.sum(rows, 1, dtype=np.int64), np.sum(columns, 1, dtype=np.int64))


def _sums_of_synapses(taps: Mask, rows: Mask, columns: Mask) -> Integers:
    """A sum over the synapses of each list, of their taps and of their places from the first on, `[C, Py Px]`."""
    down, right = _powers(_DOWN, rows.shape[1]), _powers(_RIGHT, columns.shape[1])
    sums = _sums(taps, np.einsum("yok,o->yk", rows, down), np.einsum("xpl,p->xl", columns, right))
    top = _start(np.einsum("ikl,xl->ixk", taps, columns.any(1))[:, None], rows[:, None])
    left = _start(np.einsum("ikl,yk->iyl", taps, rows.any(1))[:, :, None], columns[None])
    up = _powers(pow(_DOWN, -1, _WORD), 1 + len(down))
    back = _powers(pow(_RIGHT, -1, _WORD), 1 + len(right))
    return sums * (up[top] * back[left]).reshape(sums.shape)


def _powers(base: int, count: int) -> Integers:
    """Of a base, from 0 on, modulo 2^64."""
    return np.cumprod(np.array([1] + [base] * (count - 1), dtype=np.uint64)).astype(np.int64)


def _start(present: Mask, patterns: Mask) -> Integers:
    """The first output that a tap which is present leads to, `[C, Py, Px]`: from `[C, .., K]` and `[.., o, K]`."""
    outputs = patterns.shape[-2]
    first = np.where(patterns.any(-2), patterns.argmax(-2), outputs)
    start: Integers = np.where(present, first, outputs).min(-1)
    return start
