"""What a package that is missing is installed with, as this package's own metadata have it."""

from __future__ import annotations

import re
from importlib import metadata

OURS = "spear-deploy"

_CALLED = {"sklearn": "scikit-learn"}
"""Modules that are called otherwise than the package that brings them; of others only - and _ differ."""


def how_to_install(module: str) -> str:
    """The command that installs what brings a module: the extra of ours that it belongs to, if one does."""
    package = module.partition(".")[0]
    wanted = _canonical(_CALLED.get(package, package))
    extras = [extra for name, extra in _required() if _canonical(name) == wanted]
    if not extras:
        return f"pip install {package}"
    return f"pip install {OURS}" if "" in extras else f"pip install '{OURS}[{extras[0]}]'"


def _required() -> list[tuple[str, str]]:
    """The packages that we need, each with the extra that needs it, or none."""
    try:
        lines = metadata.requires(OURS) or []
    except metadata.PackageNotFoundError:  # run from a folder
        return []
    found = [re.match(r"([\w.-]+)(?:.*extra\s*==\s*[\'\"]([\w-]+))?", line) for line in lines]
    return [(each[1], each[2] or "") for each in found if each is not None]


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
