"""Loops over arrays as machine code, where Numba can be had; the callers' own torch operations elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """The function, compiled for the types that it is called with; what is compiled is kept for later processes.

    Nothing is kept where neither the package's folder nor the user's cache may be written. Products and sums are
    rounded one by one, as numpy's are. Runs without the interpreter's lock, so that threads share its work.
    """
    settings = {"nogil": True, "error_model": "numpy"}
    try:
        made: Function = njit(cache=True, **settings)(function)
    except RuntimeError:  # no place for what is compiled
        made = njit(**settings)(function)
    return made


def in_threads(run: Callable[[int, int], object], count: int, threads: int) -> None:
    """Call `run(first, last)` for slices of `range(count)`, one for each of so many threads."""
    parts = min(threads, count)
    if parts < 2:
        run(0, count)
        return
    edges = [count * part // parts for part in range(parts + 1)]
    list(_threads(os.getpid(), parts).map(run, edges[:-1], edges[1:]))


@cache
def _threads(process: int, count: int) -> ThreadPoolExecutor:
    """A pool of this process: a fork inherits none of its threads."""
    return ThreadPoolExecutor(count)
