"""NIR: the network as any NIR reader loads it."""

from __future__ import annotations

from pathlib import Path

from spear_deploy.network import Model, read_nir, write_nir


class NirExporter:
    """Writes `.nir` files; see docs/nir-metadata.md for what stands in the metadata."""

    name = "nir"
    suffix = ".nir"

    def write(self, model: Model, path: Path) -> None:
        """Write the model to a file."""
        write_nir(model, path)

    def read_back(self, path: Path) -> Model:
        """The model that the file holds."""
        return read_nir(path)
