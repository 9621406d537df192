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
from spear_deploy.network import Model, Network, Neuron, bias_current, node_of
from spear_deploy.network.editing import with_nodes
from spear_deploy.network.linear import Weighted, weighted

Array = NDArray[np.float64]


def fake_quantized(model: Model, quantized: QuantizedNetwork) -> Model:
    """The model with the weights, biases, decays and thresholds that the integers mean.

    Raises:
        BackendError: a weight node's rounded weights cannot be written back into the graph:
            it leads into several layers, or a pool behind it is part of its rounding.

    """
    network = model.network
    nodes = dict(model.graph.nodes)
    for layer in quantized.layers:
        nodes[layer.name] = node_of(_with_offset(network, layer, quantized))
        for found in layer.synapses:
            name = weight_name(network, found.connection.path)
            before, place = weighted_path(network, found.connection)
            if name is None:
                continue
            node = network.nodes[name]
            original, scaled = weight_of(node), weight_of(before[place])
            if original.shape != scaled.shape or sum(name in c.path for c in network.connections) > 1:
                raise BackendError(
                    f"{name}: its rounded weights have no place in the graph, because a pool follows it or several"
                    " ways lead through it"
                )
            units = quantized.levels.of_one if found.graded and quantized.levels is not None else 1.0
            rounded = weight_of(found.nodes[place]) * 2.0**found.exponent / layer.scale * units
            nodes[name] = changed = copy(weighted(node))
            changed.weight = rounded / _factor(original, scaled)
        _write_bias(network, layer, quantized, nodes)
    return model.with_graph(with_nodes(model.graph, nodes))


def _factor(original: Array, scaled: Array) -> Array:
    """What the path of a weight node multiplies its weights with, for each output."""
    size = np.abs(original).reshape(len(original), -1).max(axis=1)
    factor = np.divide(
        np.abs(scaled).reshape(len(scaled), -1).max(axis=1), size, out=np.ones(len(size)), where=size > 0
    )
    shaped: Array = factor.reshape(-1, *(1,) * (original.ndim - 1))
    return shaped


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
