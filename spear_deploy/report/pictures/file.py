"""Pictures and pages as files."""

from __future__ import annotations

from pathlib import Path

from spear_deploy.system.files import replaced_when_complete


def write_picture(path: Path, markup: str) -> None:
    """HTML or SVG as one file.

    Raises:
        OutputError: the file cannot be written, or is there and not of ours.

    """
    with replaced_when_complete(path) as working:
        working.write_text(markup, encoding="utf-8")
