"""Where something happened in a batch: spikes, and inputs that are not zero."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.measure.reached import NONE, Reached
from spear_deploy.network.compilers import where_installed
from spear_deploy.network.device import CPU

_IN_A_BYTE = 255
"""So many ones are added up in a byte each, many times as fast as in wider numbers."""

COUNTED = (torch.float32, torch.float64)
"""Types that ones are added up in: whole numbers up to 2^24 are exact in them, in any order."""


@dataclass(frozen=True)
class Events:
    """The events of one layer or of the input in a batch.

    Attributes:
        values: not zero where there was one, `[S, B, N]`; S is T, or one where all steps are alike.
        steps: T.
        spikes: whether the values are 0 or 1 in any case.
        reached: the synapses that an event reaches.

    """

    values: Tensor
    steps: int
    spikes: bool = False
    reached: Reached = NONE

    @classmethod
    def of(cls, values: Tensor, *, spikes: bool = False, reached: Reached = NONE) -> Events:
        """The values of `[T, B, *shape]` that are not zero."""
        static = len(values) > 1 and values.stride(0) == 0
        return cls((values[:1] if static else values).flatten(2), len(values), spikes, reached)

    @property
    def batch(self) -> int:
        """Samples."""
        return self.values.shape[1]

    @cached_property
    def seen(self) -> Tensor:
        """1 where there was one, else 0, `[S, B, N]`, float32 or float64; spikes as they are."""
        return self.values if self.spikes and self.values.dtype in COUNTED else not_zero(self.values)

    def operations(self) -> list[Tensor]:
        """The synapses that events reach in each step, a count `[T, B]` in float64 for each connection."""
        sums = self.reached.sums(self.seen) if self._in_one_pass is None else self._in_one_pass[0]
        return [each.expand(self.steps, -1) for each in sums]

    def of_neurons(self) -> NDArray[np.float64]:
        """How often each neuron had one, over all steps and samples, `[N]`."""
        return np.asarray(self._counts(), np.float64) * (self.steps // len(self.values))

    def _counts(self) -> NDArray[Any]:
        if self._in_one_pass is not None:
            return self._in_one_pass[1]
        return _added_in_bytes(self._flags) if self._on_cpu else self.seen.sum((0, 1)).cpu().numpy()

    def bits(self, samples: int) -> NDArray[np.uint8]:
        """Those of the first samples, eight neurons a byte, `[S, samples, ceil(N / 8)]`."""
        if self._in_one_pass is not None:
            return self._in_one_pass[2][:, :samples]
        return np.packbits(self._flags[:, :samples] if self._on_cpu else _in_bytes(self.seen[:, :samples]), axis=2)

    @property
    def _on_cpu(self) -> bool:
        """Elsewhere only sums and what is recorded come to the CPU, not every step of every sample."""
        return self.values.device.type == "cpu"

    @cached_property
    def _in_one_pass(self) -> tuple[list[Tensor], NDArray[np.int32], NDArray[np.uint8]] | None:
        """Operations `[S, B]` by connection, events by neuron, and `bits`; None where no loop is compiled."""
        loop, reached = _loop(), self.reached.integers
        if not self._on_cpu or loop is None or (reached is None and self.reached.synapses):
            return None
        values = self.values if self.values.dtype in COUNTED else self.seen
        steps, batch, neurons = values.shape
        if reached is None:
            reached = np.empty((0, neurons), np.int32)
        sums = np.empty((len(reached), steps, batch))
        counts, bits = np.zeros(neurons, np.int32), np.empty((steps, batch, -(-neurons // 8)), np.uint8)
        loop.count(values.detach().cpu().contiguous().numpy(), reached, sums, counts, bits)
        return list(torch.from_numpy(sums).to(CPU)), counts, bits

    @cached_property
    def _flags(self) -> NDArray[np.uint8]:
        """The same, a byte each: a quarter of what has to be read again."""
        return _in_bytes(self.seen)


def _loop() -> ModuleType | None:
    """What counts in one pass; None where Numba is not installed, or bytes lie the other way round."""
    return where_installed("spear_deploy.measure.event_loop") if sys.byteorder == "little" else None


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
