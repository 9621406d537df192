"""NIR: the network as any NIR reader loads it."""

from __future__ import annotations

from copy import copy
from pathlib import Path

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.backends.fixed_point.fake_quantized import fake_quantized
from spear_deploy.backends.fixed_point.quantize import quantize
from spear_deploy.errors import BackendError, ModelError
from spear_deploy.exporting import Exporter, simulate
from spear_deploy.network import Model, Proof, differences, portable, prove_equal, read_nir, write_nir

Array = NDArray[np.float64]


class NirExporter(Exporter):
    """Writes `.nir` files; see docs/nir-metadata.md for what stands in the metadata.

    With `portable`, only what NIR itself can say is written, or the model is refused. With
    `fixed`, the graph holds Loihi 2's rounded values in the units of the model (weights, biases,
    thresholds, decays); the metadata of each neuron node holds `scale`, that of each weight node
    `scale` and `weight_exponent`: mantissa = weight * scale / 2^weight_exponent, a whole number.
    """

    name = "nir"
    suffix = ".nir"
    says = "NIR graph (HDF5), for every tool that reads NIR"

    def __init__(self, *, portable: bool = False, fixed: bool = False) -> None:
        self.portable = portable
        self.fixed = fixed

    def refuses(self, model: Model) -> tuple[str, ...]:
        """What NIR alone cannot say, where a portable graph is wanted, or integers cannot hold."""
        try:
            self._written(model)
        except (ModelError, BackendError) as error:
            return (str(error),)
        return ()

    def write(self, model: Model, path: Path) -> None:
        """Write the model to a file.

        Raises:
            ModelError: a portable graph is wanted, and NIR alone cannot say this network.

        """
        write_nir(self._written(model), path)

    def read_back(self, path: Path) -> Model:
        """The model that the file holds."""
        return read_nir(path)

    def run(self, path: Path, inputs: Tensor) -> dict[str, Tensor]:
        """Read the file and simulate what it holds, in float64."""
        return simulate(self.read_back(path), inputs, torch.float64)

    def expected(self, model: Model, inputs: Tensor) -> dict[str, Tensor]:
        """The simulation of what is written, in float64."""
        return simulate(self._written(model), inputs, torch.float64)

    def _written(self, model: Model) -> Model:
        model = _dequantized(model) if self.fixed else model
        return portable(model) if self.portable else model

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


def _dequantized(model: Model) -> Model:
    """The model with the values that its integers mean, and their scales in the metadata."""
    quantized = quantize(model)
    rounded = fake_quantized(model, quantized)
    nodes = dict(rounded.graph.nodes)
    for layer in quantized.layers:
        nodes[layer.name] = _with_metadata(nodes[layer.name], scale=layer.scale)
        for synapses in layer.synapses:
            integers = next((node.weight for node in synapses.nodes if hasattr(node, "weight")), None)
            name = next((name for name in synapses.connection.path if hasattr(nodes[name], "weight")), None)
            if integers is not None and name is not None:
                scale = _scale(name, nodes[name].weight, integers, synapses.exponent)
                nodes[name] = _with_metadata(nodes[name], scale=scale, weight_exponent=synapses.exponent)
    graph = nir.NIRGraph(nodes, list(rounded.graph.edges), metadata=rounded.graph.metadata, type_check=False)
    return rounded.with_graph(graph)


def _scale(name: str, weight: Array, mantissas: Array, exponent: int) -> float:
    """What turns the weights of a node back into its mantissas: weight * scale / 2^exponent.

    Raises:
        BackendError: no single number does.

    """
    largest = int(np.abs(mantissas).argmax())
    if not mantissas.flat[largest]:
        return 1.0
    scale = float(mantissas.flat[largest] * 2.0**exponent / weight.flat[largest])
    if not np.array_equal(np.rint(weight * scale / 2.0**exponent), mantissas):
        raise BackendError(f"{name}: its neurons have scales of their own, for which a NIR node has no field")
    return scale


def _with_metadata(node: nir.NIRNode, **found: float) -> nir.NIRNode:
    marked = copy(node)
    marked.metadata = {**node.metadata, **found}
    return marked
