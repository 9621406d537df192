"""The first layer on the host: for chips whose spikes carry no values.

The host computes the layer that sees the input, in floating point, and injects its spikes; the
chip holds the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import nir
import numpy as np
import torch
from torch import Tensor

from spear_deploy.errors import BackendError
from spear_deploy.network import Encoding, Model, ReadOut, Simulation, Trace
from spear_deploy.network.editing import graph_of


@dataclass(frozen=True)
class HostSplit:
    """A network in two parts.

    Attributes:
        host: the first layer, whose output spikes are the chip's input.
        chip: all other layers.

    """

    host: Model
    chip: Model

    def chip_inputs(self, inputs: Tensor) -> Tensor:
        """The spikes that the host injects for inputs `[T, B, *input_shape]`, float64."""
        with torch.no_grad():
            trace: Trace = Simulation(self.host.graph, torch.float64)(inputs)
        return trace.output


def split_first_layer(model: Model) -> HostSplit:
    """Cut a network behind the layer that sees the input.

    Raises:
        BackendError: the input leads into several layers, or the first layer hears others too,
            does not spike, or is the only one.

    """
    network = model.network
    first = {connection.target for connection in network.connections if connection.source == network.input}
    if len(first) != 1:
        raise BackendError(
            f"{network.input}: it leads into {', '.join(sorted(first))}; the host can take one first layer only,"
            " choose a chip whose spikes carry values, or encode the input as spikes"
        )
    (name,) = first
    others = {connection.source for connection in network.into(name)} - {network.input}
    if others:
        raise BackendError(
            f"{name}: it hears {', '.join(sorted(others))} besides the input, and the host cannot wait for the chip;"
            " choose a chip whose spikes carry values, or encode the input as spikes"
        )
    if not network.neurons[name].spikes or name == network.read_out:
        raise BackendError(f"{name}: the only layer that spikes would run on the host, nothing is left for the chip")
    below = {node for connection in network.into(name) for node in connection.path} | {network.input, name}
    host_nodes = {key: model.graph.nodes[key] for key in model.graph.nodes if key in below}
    host_edges = [edge for edge in model.graph.edges if set(edge) <= below]
    shape = np.array(network.shapes[name])
    host_nodes["host_output"] = nir.Output(shape)
    host = graph_of(host_nodes, [*host_edges, (name, "host_output")])
    chip_nodes: dict[str, nir.NIRNode] = {name: nir.Input(shape)}
    chip_nodes |= {key: node for key, node in model.graph.nodes.items() if key not in below}
    chip_edges = [edge for edge in model.graph.edges if edge[1] not in below]
    chip = graph_of(chip_nodes, chip_edges)
    return HostSplit(
        host=Model(host, model.time_steps, model.encoding, ReadOut.COUNT),
        chip=Model(
            chip,
            model.time_steps,
            Encoding.SPIKES,
            model.read_out,
            population=model.population,
            objective=model.objective,
        ),
    )
