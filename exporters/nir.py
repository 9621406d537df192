"""NIR: the network as any NIR reader loads it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from spear_deploy.exporting import Exporter, simulate
from spear_deploy.network import Model, read_nir, write_nir


class NirExporter(Exporter):
    """Writes `.nir` files; see docs/nir-metadata.md for what stands in the metadata."""

    name = "nir"
    suffix = ".nir"
    says = "NIR graph (HDF5), for every tool that reads NIR"

    def write(self, model: Model, path: Path) -> None:
        """Write the model to a file."""
        write_nir(model, path)

    def read_back(self, path: Path) -> Model:
        """The model that the file holds."""
        return read_nir(path)

    def run(self, path: Path, inputs: Tensor) -> dict[str, Tensor]:
        """Read the file and simulate what it holds, in float64."""
        return simulate(self.read_back(path), inputs, torch.float64)
