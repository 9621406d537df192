"""Processor time of pieces of work that take turns, and how time and memory grow."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from spear_deploy.system.memory import give_back_memory

Work = Callable[[], object]


def taking_turns(works: Mapping[str, Work], rounds: int, most_s: float) -> dict[str, list[float]]:
    """Seconds of processor time of each, round by round; no further round begins after `most_s`."""
    for work in works.values():
        work()  # what is made once does not count
    begun = time.monotonic()
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.process_time()
            work()
            found[name].append(time.process_time() - start)
        if time.monotonic() - begun > most_s:
            break
    return found


def ratio(of: Sequence[float], to: Sequence[float]) -> float:
    """The median of the ratios, pair by pair."""
    return median(a / b for a, b in zip(of, to, strict=True))


def peak_mib(work: Work) -> float | None:
    """What a piece of work takes of memory at most, beside what stood before it; None where Linux does not say."""
    give_back_memory()
    try:
        before = _status_kib("VmRSS")
    except OSError:
        return None
    highest = high_water_mib(work)
    return None if highest is None else highest - before / 1024


def high_water_mib(work: Work) -> float | None:
    """The resident set of this process at its highest while a piece of work runs; None where Linux does not say."""
    give_back_memory()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        work()
        return None
    work()
    return _status_kib("VmHWM") / 1024


def _status_kib(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The power p of values ~ sizes ** p, by least squares of the logarithms."""
    logs = [math.log(max(value, 1e-9)) for value in values]
    return float(np.polyfit([math.log(size) for size in sizes], logs, 1)[0])
