"""Pictures and pages as files."""

from __future__ import annotations

import re
from pathlib import Path
from xml.sax.saxutils import escape

from spear_deploy.system.files import replaced_when_complete

_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that no XML document may hold, escaped or not."""


def xml_text(text: str) -> str:
    """A text as it may stand in SVG, whatever a name holds."""
    return escape(_NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text))


def write_picture(path: Path, markup: str) -> None:
    """HTML or SVG as one file.

    Raises:
        OutputError: the file cannot be written, or is there and not of ours.

    """
    with replaced_when_complete(path) as working:
        working.write_text(markup, encoding="utf-8")
