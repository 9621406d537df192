"""How many synapses each neuron of a layer reaches through one connection, and sums of them that are exact."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.network.device import as_float64

EXACT_FLOAT32 = 1 << 24
"""Whole numbers up to this are exact in float32."""

MOST = np.iinfo(np.int32).max


class Reached:
    """The synapses that each of N neurons reaches, whole numbers `[N]` for each connection that leaves them."""

    def __init__(self, synapses: Sequence[Tensor]) -> None:
        self.synapses = [each.flatten().to(torch.float64) for each in synapses]
        self._most = max((float(each.max()) for each in self.synapses if len(each)), default=0.0)
        self._parts = [_parts_below(each.cpu(), EXACT_FLOAT32) for each in self.synapses]
        """Neurons in parts that reach fewer than 2^24 synapses each."""
        self._typed: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}

    @cached_property
    def integers(self) -> NDArray[np.int32] | None:
        """The same as integers on the CPU, `[K, N]`; None where one of them is too large."""
        if not self.synapses or self._most > MOST:
            return None
        return np.stack([each.cpu().numpy().astype(np.int32) for each in self.synapses])

    def sums(self, seen: Tensor) -> list[Tensor]:
        """Those that are reached where `seen` `[S, B, N]` is 1, float64 `[S, B]` for each connection.

        Sums of whole numbers below 2^24 are exact in float32, in any order: no copy in float64 is needed.
        """
        if self._most > EXACT_FLOAT32:
            seen = as_float64(seen)
        place = seen.dtype, seen.device
        if place not in self._typed:
            self._typed[place] = [each.to(seen.dtype).to(seen.device) for each in self.synapses]
        found = []
        for reached, parts in zip(self._typed[place], self._parts, strict=True):
            first, *others = [as_float64(seen[..., part] @ reached[part]) for part in parts]
            found.append(sum(others, first))
        return found


NONE = Reached(())
"""Of events that nothing hears."""


def _parts_below(counts: Tensor, limit: int) -> list[slice]:
    """Slices of `[N]` whole numbers, the sum of each below a limit."""
    up_to, found, start = counts.cumsum(0), [], 0
    while start < len(counts):
        before = float(up_to[start - 1]) if start else 0.0
        end = int(torch.searchsorted(up_to, before + limit))  # the first that would make it as much
        end = max(end, start + 1)
        found.append(slice(start, end))
        start = end
    return found or [slice(0, 0)]
