"""Files that work left in a folder, as a step of a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from spear_deploy.system.journal import Step

Notice = Callable[[str], None]


def files_made(folder: Path, make: Callable[[Notice], None], step: Step, notice: Notice) -> None:
    """Have work write into a folder what it is to write; what it wrote once is put there again.

    Args:
        folder: where, flat.
        make: the work; it is given what hears its notices. What it tells of is tried again another time.
        step: what keeps the files.
        notice: told all that the work tells.

    """
    kept = step.read(dict[str, bytes])
    if kept is not None and all(Path(name).name == name for name in kept):
        for name, content in kept.items():
            (folder / name).write_bytes(content)
        return
    notices: list[str] = []

    def tell(text: str) -> None:
        notices.append(text)
        notice(text)

    before, start = _read(folder), time.monotonic()
    make(tell)
    if not notices:
        new = {name: content for name, content in _read(folder).items() if before.get(name) != content}
        step.keep(new, time.monotonic() - start)


def _read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
