"""Points that cover a cube evenly: Halton's sequence, scrambled."""

from __future__ import annotations

import math
from itertools import count as counted
from itertools import islice

import numpy as np
from numpy.typing import NDArray


def halton(dimensions: int, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """The first `count` points of a sequence in the unit cube, `[count, dimensions]`.

    Coordinate d of point i writes i in the d-th prime as base, swaps the digits of each place by a permutation of its
    own, and mirrors them at the point: Owen, A randomized Halton algorithm in R, arXiv 1706.02808, 2017, algorithm 1.
    These are the points of `scipy.stats.qmc.Halton`, to the last bit; that import takes half a second and 45 MiB.
    """
    points = np.zeros((count, dimensions))
    rng = rng.spawn(1)[0]  # as SciPy draws
    primes = (each for each in counted(2) if all(each % below for below in range(2, math.isqrt(each) + 1)))
    for place, base in enumerate(islice(primes, dimensions)):
        digits = math.ceil(54 / math.log2(base)) - 1  # as many as a float64 can tell apart
        permutations = np.repeat(np.arange(base)[None], digits, axis=0)
        for permutation in permutations:
            rng.shuffle(permutation)
        left, weight = np.arange(count), 1.0 / base
        for permutation in permutations:
            points[:, place] += permutation[left % base] * weight
            left, weight = left // base, weight / base
    return points
