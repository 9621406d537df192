"""Exporters, found by entry point: the core imports none of them."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from spear_deploy.errors import OutputError
from spear_deploy.network import Model

GROUP = "spear_deploy.exporters"
"""Entry-point group under which a package offers exporters."""


class Exporter(Protocol):
    """Writes a model in one format, and reads it back."""

    name: str
    suffix: str

    def write(self, model: Model, path: Path) -> None:
        """Write the model to a file."""
        ...

    def read_back(self, path: Path) -> Model:
        """The model that the file holds."""
        ...


def exporter(name: str) -> Exporter:
    """The exporter of a format.

    Raises:
        OutputError: no installed package offers it.

    """
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        raise OutputError(f"no exporter called {name!r}; known: {', '.join(sorted(found))}")
    made: Exporter = found[name].load()()
    return made
