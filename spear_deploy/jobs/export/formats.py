"""The formats that a model can be written in."""

from __future__ import annotations

from dataclasses import dataclass

from spear_deploy.errors import ExportError
from spear_deploy.exporting import Option as Option
from spear_deploy.exporting import available as available
from spear_deploy.exporting import exporter
from spear_deploy.exporting import options as options


@dataclass(frozen=True)
class Format:
    """What a model can be written in.

    Attributes:
        name: of the exporter.
        package: that offers it.
        suffix: of its files.
        says: what it is.
        fault: why it cannot be used; empty where it can.

    """

    name: str
    package: str
    suffix: str = ""
    says: str = ""
    fault: str = ""


def formats() -> list[Format]:
    """All formats, those of other packages among them."""
    found = []
    for name, entry in available().items():
        package = entry.dist.name if entry.dist is not None else "unknown"
        try:
            made = exporter(name)
        except ExportError as error:
            found.append(Format(name, package, fault=str(error)))
        else:
            found.append(Format(name, package, made.suffix, made.says))
    return found
