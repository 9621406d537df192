"""Torch's global settings, and random numbers, while a job runs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from spear_deploy.network.device import exact_products, flushed_denormals, fresh_torch, own_random_numbers


@contextmanager
def torch_settings(threads: int = 1, *, flush: bool = True) -> Iterator[None]:
    """Torch as results are made with, and as it was before when the job ends.

    So many threads, as sums depend on how they are cut; gradients, types and devices as in a process where nobody set
    anything; exact products on a GPU; numbers below the smallest
    normal one count as 0 (without `flush`, they count as before: what programs of others do is held against
    torch bit by bit). Libraries that seed the random numbers of torch, numpy and Python seed those of the job.
    """
    before, undo = torch.get_num_threads(), exact_products()
    torch.set_num_threads(threads)
    try:
        with fresh_torch(), flushed_denormals(flush=flush), own_random_numbers(), _random_numbers_of_python():
            yield
    finally:
        torch.set_num_threads(before)
        undo()


@contextmanager
def _random_numbers_of_python() -> Iterator[None]:
    """Within the block Python and numpy draw as they would; after it, as if nothing had been drawn."""
    ours, numpys = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(ours)
        np.random.set_state(numpys)
