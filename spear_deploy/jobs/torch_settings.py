"""Torch's global settings while a job runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

DENORMAL = 2.0**-1060
"""Smaller than the smallest normal number of float64, 2^-1022."""


@contextmanager
def torch_settings(threads: int = 1, *, flush: bool = True) -> Iterator[None]:
    """Torch as results are made with, and as it was before when the job ends.

    So many threads, as sums depend on how they are cut; numbers below the smallest normal one
    count as 0, as decaying membranes would else slow the processor down by an order of magnitude
    (without `flush`, they count as before: what programs of others do is held against torch bit by bit).
    """
    before, flushed = torch.get_num_threads(), flushes_denormals()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(flush or flushed)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(flushed)


def flushes_denormals() -> bool:
    """Whether numbers below the smallest normal one count as 0; torch itself does not tell."""
    return float(torch.tensor([DENORMAL], dtype=torch.float64) * 1.0) == 0.0
