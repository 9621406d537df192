"""The job of `lava`: Lava beside spear-deploy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spear_deploy.backends.lava import install, status
from spear_deploy.backends.lava.install import LavaStatus


def ready_lava(tell: Callable[[str], None]) -> LavaStatus:
    """Install Lava into this Python unless it is there; says how it runs.

    Raises:
        BackendError: it cannot be installed.

    """
    found = status()
    return found if found.available else install(tell)


def lava_status(python: Path | None = None) -> LavaStatus:
    """How Lava runs in an interpreter, by default this one; see `LavaStatus`."""
    return status(python)


def lava_lines(found: LavaStatus) -> list[str]:
    """How Lava runs, in words, or what to type."""
    lines = [f"python        {found.python}"]
    if not found.available:
        return [*lines, f"lava          not available: {found.missing}", found.advice]
    return [
        *lines,
        f"lava          {found.versions.get('lava', 'unknown')}",
        f"work-arounds  {'; '.join(found.work_arounds) or 'none needed'}",
    ]
