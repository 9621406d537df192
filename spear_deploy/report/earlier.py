"""Reports of earlier versions under the names of this one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RENAMED = {"loihi": "chip", "lava_fixed": "lava-fixed", "loihi_lava_fixed": "chip_lava-fixed"}
"""Backends and pairs of them, as version 1 called them, and as they are called on the command line."""


def as_now(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a report.json holds, with backends called as they are now; what is damaged is left as it is."""
    found = dict(content)
    for part in ("measured", "agreement"):
        if isinstance(found.get(part), Mapping):
            found[part] = _renamed(found[part])
    lre, verdict = found.get("lre"), found.get("verdict")
    if isinstance(lre, Mapping) and isinstance(lre.get("check"), Mapping):
        found["lre"] = {**lre, "check": _renamed(lre["check"])}
    if isinstance(verdict, Mapping) and isinstance(verdict.get("basis"), str):
        found["verdict"] = {**verdict, "basis": RENAMED.get(verdict["basis"], verdict["basis"])}
    return found


def _renamed(by_backend: Mapping[str, Any]) -> dict[str, Any]:
    return {RENAMED.get(name, name): value for name, value in by_backend.items()}
