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

    def of_neurons(self) -> NDArray[np.float64]:
        """How often each neuron had one, over all steps and samples, `[N]`."""
        counts = _added_in_bytes(self._flags) if self._on_cpu else self.seen.sum((0, 1)).cpu().numpy()
        return np.asarray(counts, np.float64) * (self.steps // len(self.seen))

    def bits(self, samples: int) -> NDArray[np.uint8]:
        """Those of the first samples, eight neurons a byte, `[S, samples, ceil(N / 8)]`."""
        return np.packbits(self._flags[:, :samples] if self._on_cpu else _in_bytes(self.seen[:, :samples]), axis=2)

    @property
    def _on_cpu(self) -> bool:
        """Elsewhere only sums and what is recorded come to the CPU, not every step of every sample."""
        return self.seen.device.type == "cpu"

    @cached_property
    def _flags(self) -> NDArray[np.uint8]:
        """The same, a byte each: a quarter of what has to be read again."""
        return _in_bytes(self.seen)


def _in_bytes(seen: Tensor) -> NDArray[np.uint8]:
    return seen.to(torch.bool).cpu().numpy().view(np.uint8)


def _added_in_bytes(flags: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Ones `[S, B, N]` added up over all but the last axis."""
    rows = flags.reshape(-1, flags.shape[2])
    whole = len(rows) // _IN_A_BYTE * _IN_A_BYTE
    parts = rows[:whole].reshape(-1, _IN_A_BYTE, rows.shape[1]), rows[None, whole:]
    counts = np.concatenate([np.add.reduce(part, axis=1, dtype=np.uint8) for part in parts])
    added: NDArray[np.float64] = counts.sum(0, dtype=np.float64)
    return added


def not_zero(values: Tensor) -> Tensor:
    """1 where values are not zero, else 0, in their own type if ones are counted in it, else in float32.

    On a CPU a comparison into truth values takes several times as long as one into numbers.
    """
    dtype = values.dtype if values.dtype in COUNTED else torch.float32
    return torch.ne(values, 0, out=torch.empty(values.shape, dtype=dtype, device=values.device))
