"""Loops over arrays as machine code, where Numba can be had; the callers' own torch operations elsewhere."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile

Function = TypeVar("Function", bound=Callable[..., object])


_CHECKSUM_BYTES = hashlib.sha256().digest_size


class _FilePerLoop(IndexDataCacheFile):  # type: ignore[misc]  # numba has no types
    """What was compiled, in files that are named after all that it was made from and for, each with its checksum.

    Numba numbers the files of one function, and an index tells which holds what. Of two processes that compile loops of
    one function at once, both may take the same number: the index of the one then names the code of the other, in all
    later processes too (tests/network/test_compiled.py lets it happen). Here no two loops have one name.
    """

    @classmethod
    def instead_of(cls, numbered: IndexDataCacheFile) -> _FilePerLoop:
        """For the same function, in the same folder."""
        base = numbered._index_name.removesuffix(".nbi")
        return cls(numbered._cache_path, base, numbered._source_stamp)

    def save(self, key: object, data: object) -> None:
        content = self._dump(data)
        with self._open_for_write(self._path(key)) as file:
            file.write(hashlib.sha256(content).digest() + content)

    def load(self, key: object) -> Any:
        try:
            with open(self._path(key), "rb") as file:
                checksum, content = file.read(_CHECKSUM_BYTES), file.read()
        except OSError:  # there is none
            return None
        return pickle.loads(content) if hashlib.sha256(content).digest() == checksum else None

    def _path(self, key: object) -> str:
        made_from = repr((self._version, self._source_stamp, key)).encode()
        base = self._index_name.removesuffix(".nbi")
        return os.path.join(self._cache_path, f"{base}.{hashlib.sha256(made_from).hexdigest()[:32]}.nbc")


class _Kept(FunctionCache):  # type: ignore[misc]
    """What is compiled of one function is kept, where it can be."""

    _cache_file: Any

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__(function)
        self._cache_file = _FilePerLoop.instead_of(self._cache_file)

    def save_overload(self, signature: object, made: object) -> None:
        with suppress(OSError):  # a full disk, or a folder that is gone: compiled again the next time
            super().save_overload(signature, made)


def compiled(function: Function) -> Function:
    """The function, compiled for the types that it is called with; what is compiled is kept for later processes.

    Nothing is kept where neither the package's folder nor the user's cache may be written. Products and sums are
    rounded one by one, as numpy's are. Runs without the interpreter's lock, so that threads share its work.
    """
    made: Any = njit(nogil=True, error_model="numpy")(function)
    # There may be no place for what is compiled, or a Numba that keeps it in another way.
    with suppress(RuntimeError, AttributeError):
        made._cache = _Kept(function)
    loop: Function = made
    return loop


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
