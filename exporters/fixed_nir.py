"""A chip's integers in a NIR graph: rounded values in the units of the model, and what turns them back.

    mantissa = weight * scale / 2^weight_exponent          (metadata of the weight node)
    vth = v_threshold * scale, bias = 64 * scale * current (`scale` of the neuron node)

The metadata of the graph hold the number format and what an input of 1 becomes.
"""

from __future__ import annotations

import json
from copy import copy
from dataclasses import asdict, replace
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spear_deploy.backends.fixed_point.fake_quantized import INSTEAD, fake_quantized, weight_name
from spear_deploy.backends.fixed_point.formats import Format
from spear_deploy.backends.fixed_point.paths import delay_of, weight_of, weighted_path, with_weight
from spear_deploy.backends.fixed_point.quantized import (
    InputLevels,
    QuantizedLayer,
    QuantizedNetwork,
    QuantizedSynapses,
    Rounding,
)
from spear_deploy.backends.fixed_point.rounding import needs_sign
from spear_deploy.errors import ExportError
from spear_deploy.network import Connection, Model, Network, bias_current
from spear_deploy.network.editing import graph_of

Array = NDArray[np.float64]
_EXACT = Rounding(worst=0.0, mean=0.0, clipped=0, vanished=0, weights=0)


def with_integers(model: Model, quantized: QuantizedNetwork) -> Model:
    """The model with the values that its integers mean, and what turns them back in the metadata.

    Raises:
        BackendError: a rounded weight has no place in the graph.

    """
    rounded = fake_quantized(model, quantized)
    network = rounded.network
    nodes = dict(rounded.graph.nodes)
    for layer in quantized.layers:
        exponents = {_key(each.connection): each.exponent for each in layer.synapses}
        bits = {each.weight_bits for each in layer.synapses} or {quantized.format.weight_bits}
        nodes[layer.name] = _with_metadata(
            nodes[layer.name], scale=layer.scale, weight_bits=max(bits), weight_exponents=json.dumps(exponents)
        )
        for synapses in layer.synapses:
            name = weight_name(network, synapses.connection.path)
            integers = next(node.weight for node in synapses.nodes if hasattr(node, "weight"))
            if name is None:
                continue
            found: dict[str, object] = {"weight_exponent": synapses.exponent}
            scale = _scale(weight_of(nodes[name]), integers, synapses.exponent)
            nodes[name] = _with_metadata(nodes[name], **found | ({} if scale is None else {"scale": scale}))
    metadata = dict(rounded.graph.metadata) | {"number_format": json.dumps(asdict(quantized.format))}
    if quantized.levels is not None:
        metadata["input_levels"] = quantized.levels.of_one
        metadata["input_signed"] = quantized.levels.least < 0
    graph = graph_of(nodes, rounded.graph.edges, metadata)
    return rounded.with_graph(graph)


def integers_in(model: Model) -> QuantizedNetwork:
    """The integers that the graph of such a model holds.

    Raises:
        ExportError: it holds none.

    """
    network, metadata = model.network, model.graph.metadata
    try:
        chip = Format(**json.loads(_text(metadata["number_format"])))
        levels = None
        if "input_levels" in metadata:
            signed = bool(metadata["input_signed"])
            levels = InputLevels(float(metadata["input_levels"]), *chip.graded_range(signed=signed))
        layers = tuple(_layer(model, name, chip, levels) for name in network.layers)
    except (KeyError, TypeError, ValueError) as error:
        raise ExportError(f"the graph does not say which integers it stands for ({error})") from None
    return QuantizedNetwork(network, chip, layers, levels)


def first_difference(a: QuantizedNetwork, b: QuantizedNetwork) -> str | None:
    """The first layer in which the chip would compute otherwise, and why; None where there is none."""
    for one, other in zip(a.layers, b.layers, strict=True):
        constants = [(layer.du, layer.dv, layer.vth, layer.bias) for layer in (one, other)]
        if not all(np.array_equal(x, y) for x, y in zip(*constants, strict=True)):
            return f"{one.name}: its rounded constants have no place of their own in the graph; {INSTEAD}"
        if not np.array_equal(_sent(one), _sent(other)):
            return f"{one.name}: its rounded biases have no place of their own in the graph; {INSTEAD}"
        matrices = [{_key(each.connection): _weights(each) for each in layer.synapses} for layer in (one, other)]
        for key, weights in matrices[0].items():
            if not np.array_equal(weights, matrices[1][key]):
                return f"{one.name}: its rounded weights from {key} have no place of their own in the graph; {INSTEAD}"
    return None


def _layer(model: Model, name: str, chip: Format, levels: InputLevels | None) -> QuantizedLayer:
    network = model.network
    neuron, meta = network.neurons[name], model.graph.nodes[name].metadata
    scale, bits = float(meta["scale"]), int(meta["weight_bits"])
    exponents = json.loads(_text(meta["weight_exponents"]))
    keeps = np.zeros(neuron.shape) if neuron.alpha is None else neuron.alpha
    du = np.full(neuron.shape, chip.unity - 1) if neuron.alpha is None else _rint((1 - keeps) * chip.unity)
    current = neuron.gain * bias_current(network, name)
    offset = np.zeros(neuron.shape) if neuron.offset is None else neuron.offset
    through_current = neuron.alpha is not None
    membrane = offset if through_current else current + offset
    return QuantizedLayer(
        name=name,
        shape=neuron.shape,
        scale=scale,
        du=du if neuron.alpha is None else du - chip.current_decay_offset,
        dv=_rint((1 - neuron.beta) * chip.unity),
        vth=None if neuron.threshold is None else _rint(neuron.threshold * scale),
        bias=_rint(membrane * scale * (1 << chip.input_shift)),
        bias_exponent=np.zeros(neuron.shape, dtype=np.int64),
        axon=_rint(current * scale) if through_current and current.any() else None,
        axon_exponent=0,
        reset=neuron.reset,
        reset_delay=neuron.reset_delay,
        synapses=tuple(
            _synapses(network, connection, levels, scale, exponents[_key(connection)], replace(chip, weight_bits=bits))
            for connection in network.into(name)
        ),
    )


def _synapses(
    network: Network, connection: Connection, levels: InputLevels | None, scale: float, exponent: int, chip: Format
) -> QuantizedSynapses:
    path, place = weighted_path(network, connection)
    nodes = list(path)
    graded = connection.source == network.input and levels is not None
    values = weight_of(nodes[place]) / (levels.of_one if graded and levels is not None else 1.0)
    # Rounded to whole numbers, not to what a chip allows: weights of one sign that rounding left have lost that bit.
    nodes[place] = with_weight(nodes[place], np.rint(values * scale / 2.0**exponent))
    mixed = needs_sign(values, chip)
    late = delay_of(network, connection)
    return QuantizedSynapses(connection, tuple(nodes), exponent, mixed, late, graded, _EXACT, chip.weight_bits)


def _scale(weight: Array, integers: Array, exponent: int) -> float | None:
    """What turns the weights of a node back into its mantissas; None where it differs by neuron."""
    largest = int(np.abs(integers).argmax())
    if weight.shape != integers.shape or not integers.flat[largest]:
        return 1.0 if not integers.any() else None
    scale = float(integers.flat[largest] * 2.0**exponent / weight.flat[largest])
    same = np.array_equal(np.rint(weight * scale / 2.0**exponent), integers)
    return scale if same else None


def _sent(layer: QuantizedLayer) -> Array:
    """What the axon that is always on sends."""
    axon = np.zeros(layer.shape) if layer.axon is None else layer.axon
    sent: Array = np.floor(axon * 2.0**layer.axon_exponent)
    return sent


def _weights(synapses: QuantizedSynapses) -> Array:
    weights = next(node.weight for node in synapses.nodes if hasattr(node, "weight"))
    found: Array = np.asarray(weights, dtype=np.float64) * 2.0**synapses.exponent
    return found


def _key(connection: Connection) -> str:
    return " > ".join([connection.source, *connection.path])


def _rint(values: Array) -> NDArray[np.int64]:
    return np.rint(values).astype(np.int64)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _with_metadata(node: nir.NIRNode, **found: object) -> nir.NIRNode:
    marked = copy(node)
    marked.metadata = {**node.metadata, **found}
    return marked
