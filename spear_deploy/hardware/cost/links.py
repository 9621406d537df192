"""Links of the mesh and of chips: which of them the messages between two cores take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from spear_deploy.hardware.placement.packing import Integers


@dataclass(frozen=True, eq=False)
class Routes:
    """The ways of messages, first along x, then along y.

    Attributes:
        on: one where a pair's messages take a link, `[pairs, links]`; a link joins two routers
            side by side in one direction.
        horizontal, vertical: hops of each pair, `[pairs]`.

    """

    on: csr_array
    horizontal: Integers
    vertical: Integers


def routes(start: Integers, end: Integers) -> Routes:
    """The ways between routers, each (x, y), `[pairs, 2]`."""
    steps = end - start
    far = np.abs(steps)
    span = 1 + int(max(start.max(initial=0), end.max(initial=0)))
    pairs, keys = [], []
    for axis, (fixed, moving) in enumerate(((start[:, 1], start[:, 0]), (end[:, 0], start[:, 1]))):
        pair = np.repeat(np.arange(len(start)), far[:, axis])
        passed = np.arange(len(pair)) - np.repeat(far[:, axis].cumsum() - far[:, axis], far[:, axis])
        sign = np.sign(steps[pair, axis])
        place = moving[pair] + sign * passed
        pairs.append(pair)
        keys.append(((axis * 2 + (sign > 0)) * span + fixed[pair]) * span + place)
    links, column = np.unique(np.concatenate(keys), return_inverse=True)
    pair = np.concatenate(pairs)
    on = csr_array((np.ones(len(pair)), (pair, column)), shape=(len(start), len(links)))
    return Routes(on, far[:, 0], far[:, 1])


def links_of_chips(start: Integers, end: Integers) -> csr_array:
    """One where messages go from chip to chip, `[pairs, links]`: two chips have one link in each direction."""
    apart = np.flatnonzero(start != end)
    links, column = np.unique(np.stack([start[apart], end[apart]]), axis=1, return_inverse=True)
    return csr_array((np.ones(len(apart)), (apart, column.ravel())), shape=(len(start), links.shape[1]))
