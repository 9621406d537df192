"""Where something happened in a batch: spikes, and inputs that are not zero."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_IN_A_BYTE = 255
"""So many ones are added up in a byte each, many times as fast as in wider numbers."""

COUNTED = (torch.float32, torch.float64)
"""Types that ones are added up in: whole numbers up to 2^24 are exact in them, in any order."""


@dataclass(frozen=True)
class Events:
    """The events of one layer or of the input in a batch.

    Attributes:
        seen: 1 where there was one, else 0, `[S, B, N]`, float32 or float64; S is T, or one where all steps are alike.
        steps: T.

    """

    seen: Tensor
    steps: int

    @classmethod
    def of(cls, values: Tensor, *, spikes: bool = False) -> Events:
        """The values of `[T, B, *shape]` that are not zero; `spikes` are 0 or 1 in any case, and are not looked at."""
        static = len(values) > 1 and values.stride(0) == 0
        each = (values[:1] if static else values).flatten(2)
        return cls(each if spikes and each.dtype in COUNTED else not_zero(each), len(values))

    @property
    def batch(self) -> int:
        """Samples."""
        return self.seen.shape[1]

    @cached_property
    def _flags(self) -> NDArray[np.uint8]:
        """The same, a byte each: a quarter of what has to be read again."""
        return self.seen.to(torch.bool).cpu().numpy().view(np.uint8)

    def of_neurons(self) -> NDArray[np.float64]:
        """How often each neuron had one, over all steps and samples, `[N]`."""
        if self.seen.device.type != "cpu":  # what crosses over is the sums, not every step of every sample
            found: NDArray[np.float64] = self.seen.sum((0, 1)).cpu().numpy().astype(np.float64)
            return found * (self.steps // len(self.seen))
        rows = self._flags.reshape(-1, self._flags.shape[2])
        whole = len(rows) // _IN_A_BYTE * _IN_A_BYTE
        parts = rows[:whole].reshape(-1, _IN_A_BYTE, rows.shape[1]), rows[None, whole:]
        counts = np.concatenate([np.add.reduce(part, axis=1, dtype=np.uint8) for part in parts])
        found = counts.sum(0, dtype=np.float64)
        return found * (self.steps // len(self.seen))

    def bits(self, samples: int) -> NDArray[np.uint8]:
        """Those of the first samples, eight neurons a byte, `[S, samples, ceil(N / 8)]`."""
        if self.seen.device.type != "cpu":
            return np.packbits(self.seen[:, :samples].to(torch.bool).cpu().numpy().view(np.uint8), axis=2)
        return np.packbits(self._flags[:, :samples], axis=2)


def not_zero(values: Tensor) -> Tensor:
    """1 where values are not zero, else 0, in their own type if ones are counted in it, else in float32.

    On a CPU a comparison into truth values takes several times as long as one into numbers.
    """
    dtype = values.dtype if values.dtype in COUNTED else torch.float32
    return torch.ne(values, 0, out=torch.empty(values.shape, dtype=dtype, device=values.device))
