"""NIR: the network as any NIR reader loads it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from spear_deploy.backends.fixed_point.loihi import LoihiExecution
from spear_deploy.errors import BackendError, ExportError, ModelError
from spear_deploy.exporters.fixed_nir import first_difference, integers_in, with_integers
from spear_deploy.exporting import Exporter, JudgedIntegers, simulate
from spear_deploy.exporting.exporter import Outputs
from spear_deploy.exporting.judged import needed
from spear_deploy.network import Model, Proof, differences, portable, prove_equal, read_nir, write_nir
from spear_deploy.network.nir_file import refusal_of_plain_nir


class NirExporter(Exporter):
    """Writes `.nir` files; see docs/nir-metadata.md for what stands in the metadata.

    Args:
        portable: only what NIR itself can say is written, or the model is refused.
        fixed: the graph holds a chip's rounded values in the units of the model (weights, biases,
            thresholds, decays), and in its metadata what turns them back into the integers.
        integers: those.
        no_integers: why there are none; empty where that is not known.

    """

    name = "nir"
    suffix = ".nir"
    says = "NIR graph (HDF5), for every tool that reads NIR"
    options: ClassVar = {
        "portable": "only what any faithful reader runs alike, or refuse",
        "fixed": "the chip's rounded values, with scales",
    }

    def __init__(
        self,
        *,
        portable: bool = False,
        fixed: bool = False,
        integers: JudgedIntegers | None = None,
        no_integers: str = "",
    ) -> None:
        self.portable = portable
        self.fixed = fixed
        self.integers = integers
        self.no_integers = no_integers
        self.arithmetic = "integers" if fixed else "float64"

    def refuses(self, model: Model) -> tuple[str, ...]:
        """What NIR alone cannot say, where a portable graph is wanted, or integers that have no place in the graph."""
        if self.fixed and self.portable:
            return ("a portable graph has no metadata, and integers need them; choose one of the two",)
        try:
            written = self._written(model)
            difference = first_difference(self._judged.quantized, integers_in(written)) if self.fixed else None
        except (ModelError, BackendError, ExportError) as error:
            return (str(error),)
        return () if difference is None else (difference,)

    def write(self, model: Model, path: Path) -> None:
        """Write the model to a file.

        Raises:
            ModelError: a portable graph is wanted, and NIR alone cannot say this network.

        """
        write_nir(self._written(model), path)

    def read_back(self, path: Path) -> Model:
        """The model that the file holds."""
        return read_nir(path)

    def run(self, path: Path, inputs: Tensor) -> Outputs:
        """Read the file and run what it holds: in float64, or the integers that it stands for."""
        held = self.read_back(path)
        if self.fixed:
            return LoihiExecution(integers_in(held)).run(inputs).outputs
        return simulate(held, inputs, torch.float64)

    def expected(self, model: Model, inputs: Tensor) -> Outputs:
        """The simulation of the model in float64, or what the chip does with the judged integers."""
        return self._judged.run(inputs) if self.fixed else simulate(model, inputs, torch.float64)

    @property
    def _judged(self) -> JudgedIntegers:
        return needed(self.integers, "a NIR graph in fixed point", self.no_integers)

    def _written(self, model: Model) -> Model:
        model = with_integers(model, self._judged.quantized) if self.fixed else model
        return portable(model) if self.portable else model

    def notices(self, model: Model) -> tuple[str, ...]:
        """How a reader opens the file, if not as any, and what it runs differently as it does not know our metadata."""
        refusal = refusal_of_plain_nir(self._written(model))
        needed = f"they need nir.read(file, type_check=False): nir's type check ends in {refusal}"
        return (() if refusal is None else (needed,)) + (() if self.portable else differences(model.network))

    def notes(self, model: Model, inputs: Tensor) -> dict[str, object]:
        """Of a chip's integers, in how many outputs a reader without fixed point differs."""
        found: dict[str, object] = {}
        if self.fixed:
            floating = simulate(self._written(model), inputs, torch.float64)
            differ = {
                name: int(((values != 0) != (floating[name] != 0)).sum())
                for name, values in self._judged.run(inputs).items()
                if model.network.neurons[name].spikes
            }
            found["differ_in_floating_point"] = differ
        return found

    def prove(self, model: Model, path: Path) -> Proof:
        """Read the file back and compare every neuron layer's spikes with the model's.

        Raises:
            ModelError: a layer differs; names it, the time step and how many spikes.

        """
        return prove_equal(model, self.read_back(path))
