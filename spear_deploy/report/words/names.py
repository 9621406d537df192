"""Names for files and folders in tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def names_apart(paths: Sequence[Path]) -> list[str]:
    """Short names that differ: each path's last part, with as many of its parents as that takes."""
    parts = [path.absolute().parts for path in paths]
    for length in range(1, max(map(len, parts), default=1) + 1):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{'/'.join(each)} ({place})" for place, each in enumerate(parts, 1)]
