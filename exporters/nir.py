"""NIR: the network as any NIR reader loads it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from spear_deploy.errors import ModelError
from spear_deploy.exporting import Exporter, simulate
from spear_deploy.network import Model, Proof, differences, portable, prove_equal, read_nir, write_nir


class NirExporter(Exporter):
    """Writes `.nir` files; see docs/nir-metadata.md for what stands in the metadata.

    With `portable`, only what NIR itself can say is written, or the model is refused.
    """

    name = "nir"
    suffix = ".nir"
    says = "NIR graph (HDF5), for every tool that reads NIR"

    def __init__(self, *, portable: bool = False) -> None:
        self.portable = portable

    def refuses(self, model: Model) -> tuple[str, ...]:
        """What NIR alone cannot say, where a portable graph is wanted."""
        if not self.portable:
            return ()
        try:
            portable(model)
        except ModelError as error:
            return (str(error),)
        return ()

    def write(self, model: Model, path: Path) -> None:
        """Write the model to a file.

        Raises:
            ModelError: a portable graph is wanted, and NIR alone cannot say this network.

        """
        write_nir(portable(model) if self.portable else model, path)

    def read_back(self, path: Path) -> Model:
        """The model that the file holds."""
        return read_nir(path)

    def run(self, path: Path, inputs: Tensor) -> dict[str, Tensor]:
        """Read the file and simulate what it holds, in float64."""
        return simulate(self.read_back(path), inputs, torch.float64)

    def notices(self, model: Model) -> tuple[str, ...]:
        """What a reader that does not know our metadata would run differently."""
        return () if self.portable else differences(model.network)

    def notes(self, model: Model, inputs: Tensor) -> dict[str, object]:
        """What another reader would run differently."""
        found = self.notices(model)
        return {"other_readers": list(found)} if found else {}

    def prove(self, model: Model, path: Path) -> Proof:
        """Read the file back and compare every neuron layer's spikes with the model's.

        Raises:
            ModelError: a layer differs; names it, the time step and how many spikes.

        """
        return prove_equal(model, self.read_back(path))
