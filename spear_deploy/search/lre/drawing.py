"""Which networks LRE samples: one sequence of keep ratios, any beginning of which covers the space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spear_deploy.search.lre.halton import halton

SCHEME = 7
"""Version of what a sample is (how ratios are drawn, what is measured); stored samples of another are made anew."""

LOW_RATIOS = (0.06, 0.3)
HIGH_RATIOS = (0.25, 1.0)
EVERY = 4
"""Every fourth sample has low ratios: they buy predictions for small budgets."""


def draw_ratios(groups: int, count: int, seed: int) -> NDArray[np.float64]:
    """The first `count` keep ratios of the sequence, `[count, groups]`.

    Two scrambled Halton sequences, one of low ratios, are interleaved: asking for more keeps
    those drawn before, and stopping early leaves no gap.
    """
    low, high = (
        halton(groups, count, np.random.default_rng((seed, place))) * (bounds[1] - bounds[0]) + bounds[0]
        for place, bounds in enumerate((LOW_RATIOS, HIGH_RATIOS))
    )
    is_low = np.arange(count) % EVERY == 1
    number = np.where(is_low, np.cumsum(is_low), np.cumsum(~is_low)) - 1
    drawn: NDArray[np.float64] = np.where(is_low[:, None], low[number], high[number])
    return drawn


def sample_seed(seed: int, number: int) -> int:
    """The seed of the fine-tune of sample `number`."""
    return seed * 10_000 + number
