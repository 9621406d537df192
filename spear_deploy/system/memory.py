"""How much memory there is: of the machine, and of the group of processes that this one is in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_PROC = Path("/proc")

_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Limit and use of a group of processes, of cgroup 2 and 1, and which row of its statistics are files that were read:
the use counts them, and they give way. Source: Linux, admin-guide/cgroup-v2, cgroup-v1/memory."""


def free_bytes(proc: Path = _PROC, groups: Path = _GROUPS) -> int | None:
    """What this process may still take: of the machine, and of every group that it is in; None where nobody says."""
    return min((*_of_machine(proc), *_of_groups(proc, groups)), default=None)


def _of_machine(proc: Path) -> Iterator[int]:
    with suppress(OSError, ValueError, IndexError):
        for line in (proc / "meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) * 1024


def _of_groups(proc: Path, groups: Path) -> Iterator[int]:
    for folder in _folders(proc, groups):
        for limit, use, cache in _FILES:
            with suppress(OSError, ValueError):  # no such file, or "max"
                used = int((folder / use).read_text(encoding="utf-8")) - _row(folder / "memory.stat", cache)
                yield max(0, int((folder / limit).read_text(encoding="utf-8")) - used)


def _row(path: Path, name: str) -> int:
    """A figure of a file of names and figures; 0 where there is none."""
    with suppress(OSError, ValueError):
        rows = dict(line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines())
        return int(rows.get(name, 0))
    return 0


def _folders(proc: Path, groups: Path) -> Iterator[Path]:
    """The folders of this process's group and of those around it."""
    with suppress(OSError):
        for line in (proc / "self" / "cgroup").read_text(encoding="utf-8").splitlines():
            controllers, _, path = line.partition(":")[2].partition(":")
            if controllers in ("", "memory"):
                top = groups / controllers
                place = top / path.lstrip("/")
                yield from (each for each in (place, *place.parents) if each == top or top in each.parents)
