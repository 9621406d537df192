"""The float network that a quantised one stands for: rounded values, in the units of the original.

It tells what rounding the parameters did from what integer states do, and it is the reference
that integer execution is held against.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import nir
import numpy as np
from numpy.typing import NDArray

from spear_deploy.backends.fixed_point.paths import weight_of, weighted_path
from spear_deploy.backends.fixed_point.quantized import QuantizedLayer, QuantizedNetwork
from spear_deploy.errors import BackendError
from spear_deploy.network import Connection, Model, Network, Neuron, bias_current, node_of
from spear_deploy.network.editing import with_nodes
from spear_deploy.network.linear import Weighted, weighted

Array = NDArray[np.float64]

INSTEAD = "write the script (lava) in fixed point instead"
"""The way out of rounded values that no node of a graph has a place for."""


def fake_quantized(model: Model, quantized: QuantizedNetwork) -> Model:
    """The model with the weights, biases, decays and thresholds that the integers mean.

    Raises:
        BackendError: rounded weights cannot be written back into the graph: their node leads into several layers, or
            they are those of several nodes together. Or a threshold is rounded to 0, which no node may have.

    """
    network = model.network
    nodes = dict(model.graph.nodes)
    for layer in quantized.layers:
        if layer.vth is not None and not layer.vth.all():
            raise BackendError(
                f"{layer.name}: next to its weights a threshold is so low that it is 0 among the chip's integers, and"
                f" NIR holds none of 0; {INSTEAD}"
            )
        nodes[layer.name] = node_of(_with_offset(network, layer, quantized))
        for found in layer.synapses:
            name = weight_name(network, found.connection.path)
            if name is None:
                continue
            factor = factor_of(network, found.connection)
            if factor is None:
                raise BackendError(_no_place(network, found.connection, name))
            units = quantized.levels.of_one if found.graded and quantized.levels is not None else 1.0
            mantissas = next(weight_of(node) for node in found.nodes if isinstance(node, Weighted))
            nodes[name] = changed = copy(weighted(network.nodes[name]))
            changed.weight = mantissas * 2.0**found.exponent / layer.scale * units / factor
        _write_bias(network, layer, quantized, nodes)
    return model.with_graph(with_nodes(model.graph, nodes))


def factor_of(network: Network, connection: Connection) -> Array | None:
    """What a way multiplies the weights of its first node with, for each output.

    None where no other figures make of them what the chip rounds: another way leads through the node, or what lies
    beside it on this one makes other weights of them.
    """
    name = weight_name(network, connection.path)
    if name is None or sum(name in each.path for each in network.connections) > 1:
        return None
    path, place = weighted_path(network, connection)
    original, scaled = weight_of(network.nodes[name]), weight_of(path[place])
    if original.shape != scaled.shape:
        return None
    largest, own = (np.abs(each).reshape(len(each), -1).max(axis=1) for each in (scaled, original))
    factor = np.divide(largest, own, out=np.ones(len(own)), where=(own > 0) & (largest > 0))
    shaped: Array = factor.reshape(-1, *(1,) * (original.ndim - 1))
    return shaped if np.allclose(original * shaped, scaled, rtol=1e-9, atol=0) else None


def _no_place(network: Network, connection: Connection, name: str) -> str:
    """Why the rounded weights of a way have no place in the graph, and the way out."""
    ways = [each for each in network.connections if name in each.path]
    if len(ways) > 1:
        ends = ", ".join(f"{each.source} to {each.target}" for each in ways)
        return (
            f"{name}: {len(ways)} ways lead through it ({ends}), each with rounded weights of its own, and the graph"
            f" has one place for them; {INSTEAD}"
        )
    nodes = [each for each in connection.path if not isinstance(network.nodes[each], nir.Flatten | nir.Delay)]
    if len(nodes) == 1:
        return (
            f"{name}: the gain of {connection.target} differs within a channel, and so do the rounded weights, of which"
            f" the node has one for all of it; {INSTEAD}"
        )
    return (
        f"{', '.join(nodes)}: the chip's weights from {connection.source} to {connection.target} are those of"
        f" {len(nodes)} nodes together, and none of them has a place for these; put one convolution or linear node"
        f" alone there, or {INSTEAD}"
    )


def _with_offset(network: Network, layer: QuantizedLayer, quantized: QuantizedNetwork) -> Neuron:
    """A layer's neurons as rounded, with the rest of the rounded bias where they have a leak of their own."""
    neuron = rounded_neuron(network, layer, quantized)
    if neuron.offset is None:
        return neuron
    bias = layer.bias / (layer.scale * (1 << quantized.format.input_shift))
    through_membrane = 0.0 if neuron.alpha is not None else neuron.gain * bias_current(network, layer.name)
    return replace(neuron, offset=bias - through_membrane)


def rounded_neuron(network: Network, layer: QuantizedLayer, quantized: QuantizedNetwork) -> Neuron:
    """A layer's neurons with the decays and thresholds that the integers mean."""
    neuron, chip = network.neurons[layer.name], quantized.format
    alpha = None
    if neuron.alpha is not None:
        alpha = (chip.unity - chip.current_decay_offset - layer.du) / chip.unity
    threshold = None if layer.vth is None else layer.vth / layer.scale
    return replace(neuron, beta=(chip.unity - layer.dv) / chip.unity, alpha=alpha, threshold=threshold)


def weight_name(network: Network, path: tuple[str, ...]) -> str | None:
    """The first node with weights on a path."""
    names = [name for name in path if isinstance(network.nodes[name], Weighted)]
    return names[0] if names else None


def _write_bias(
    network: Network, layer: QuantizedLayer, quantized: QuantizedNetwork, nodes: dict[str, nir.NIRNode]
) -> None:
    """Give the rounding error of the bias to one node that has a bias."""
    neuron = network.neurons[layer.name]
    wanted = layer.bias / (layer.scale * (1 << quantized.format.input_shift))
    if layer.axon is not None:
        wanted = np.floor(layer.axon * 2.0**layer.axon_exponent) / layer.scale
    elif neuron.alpha is not None or neuron.offset is not None:
        return  # `_with_offset` has it
    change = (wanted - neuron.gain * bias_current(network, layer.name)) / neuron.gain
    if not bias_current(network, layer.name).any():
        return
    names = [weight_name(network, found.connection.path) for found in layer.synapses]
    name = next(name for name in names if name is not None and np.any(getattr(nodes[name], "bias", 0)))
    node = nodes[name] = copy(weighted(nodes[name]))
    assert not isinstance(node, nir.Linear)  # it has a bias
    per_output = change.reshape(len(node.bias), -1).mean(axis=1)
    node.bias = node.bias + per_output
