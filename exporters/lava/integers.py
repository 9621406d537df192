"""A network whose weights, thresholds and decays are Loihi's integers already, as a netx file holds it."""

from __future__ import annotations

import nir
import numpy as np

from spear_deploy.backends.fixed_point.formats import LOIHI2, Format
from spear_deploy.backends.fixed_point.given import weights_of_levels
from spear_deploy.backends.fixed_point.paths import delay_of, weight_of, with_weight
from spear_deploy.backends.fixed_point.quantized import (
    InputLevels,
    QuantizedLayer,
    QuantizedNetwork,
    QuantizedSynapses,
    Rounding,
)
from spear_deploy.network import Connection, Network, Reset, bias_current
from spear_deploy.network.linear import Weighted

_EXACT = Rounding(worst=0.0, mean=0.0, clipped=0, vanished=0, weights=0)


def integers_of(network: Network, levels: InputLevels | None, chip: Format = LOIHI2) -> QuantizedNetwork:
    """The integers of a network as they stand: nothing is scaled or rounded.

    Args:
        network: weights, biases and thresholds are whole numbers, decays multiples of 2^-12.
        levels: what inputs become; None for spikes.
        chip: Loihi 2's number formats, but for the values that its spikes carry.

    """
    return QuantizedNetwork(network, chip, tuple(_layer(network, name, levels) for name in network.layers), levels)


def _layer(network: Network, name: str, levels: InputLevels | None) -> QuantizedLayer:
    neuron = network.neurons[name]
    unity = LOIHI2.unity
    alpha = np.zeros(neuron.shape) if neuron.alpha is None else neuron.alpha
    shift = np.full(neuron.shape, LOIHI2.input_shift, dtype=np.int64)
    offset = 0.0 if neuron.offset is None else neuron.offset
    bias = np.rint(bias_current(network, name) + offset).astype(np.int64)
    return QuantizedLayer(
        name=name,
        shape=neuron.shape,
        scale=1.0,
        du=np.rint((1 - alpha) * unity).astype(np.int64) - LOIHI2.current_decay_offset,
        dv=np.rint((1 - neuron.beta) * unity).astype(np.int64),
        vth=None if neuron.threshold is None else np.rint(neuron.threshold).astype(np.int64),
        bias=bias << shift,
        bias_exponent=shift,
        axon=None,
        axon_exponent=0,
        reset=Reset.ZERO,
        reset_delay=False,
        synapses=tuple(_synapses(network, connection, levels) for connection in network.into(name)),
    )


def _synapses(network: Network, connection: Connection, levels: InputLevels | None) -> QuantizedSynapses:
    nodes = [node for name in connection.path if not isinstance(node := network.nodes[name], nir.Delay)]
    graded = connection.source == network.input and levels is not None
    for place, node in enumerate(nodes):
        if isinstance(node, Weighted):
            weight = weight_of(node)
            sent = weights_of_levels(network, weight, levels) if graded and levels is not None else weight
            nodes[place] = with_weight(node, sent)
    return QuantizedSynapses(
        connection=connection,
        nodes=tuple(nodes),
        exponent=0,
        mixed=True,
        late=delay_of(network, connection),
        graded=graded,
        rounding=_EXACT,
    )
