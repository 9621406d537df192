"""NIR: the network as any NIR reader loads it."""

from __future__ import annotations

from pathlib import Path

from spear_deploy.network import Model, Proof, differences, portable, prove_equal, read_nir, write_nir


class NirExporter:
    """Writes `.nir` files; see docs/nir-metadata.md for what stands in the metadata.

    With `portable`, only what NIR itself can say is written, or the model is refused.
    """

    name = "nir"
    suffix = ".nir"

    def __init__(self, *, portable: bool = False) -> None:
        self.portable = portable

    def write(self, model: Model, path: Path) -> None:
        """Write the model to a file.

        Raises:
            ModelError: a portable graph is wanted, and NIR alone cannot say this network.

        """
        write_nir(portable(model) if self.portable else model, path)

    def read_back(self, path: Path) -> Model:
        """The model that the file holds."""
        return read_nir(path)

    def notices(self, model: Model) -> tuple[str, ...]:
        """What a reader that does not know our metadata would run differently."""
        return () if self.portable else differences(model.network)

    def prove(self, model: Model, path: Path) -> Proof:
        """Read the file back and compare every neuron layer's spikes with the model's.

        Raises:
            ModelError: a layer differs; names it, the time step and how many spikes.

        """
        return prove_equal(model, self.read_back(path))
