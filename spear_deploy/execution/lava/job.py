"""A network as Lava can run it: which synapses and constants each layer gets, and how deep it lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spear_deploy.errors import BackendError
from spear_deploy.network import Connection, Model, Network, Neuron, Reset, bias_current, synapse_matrix

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LavaSynapses:
    """One connection: weights `[targets, sources]` (CSR), with the gain of the target folded in.

    Attributes:
        connection: the connection of the network that this is.
        weights: a scipy CSR matrix.
        delay: time steps that the source waits beyond the one that every connection costs.
        graded: whether the source sends values instead of spikes.

    """

    connection: Connection
    weights: Any
    delay: int
    graded: bool


@dataclass(frozen=True)
class LavaLayer:
    """One neuron layer in Lava's terms, all arrays flat `[size]`.

        u[t] = u[t-1] (1 - du) + a[t] + current_bias
        v[t] = v[t-1] (1 - dv) + u[t] + bias
        s[t] = v[t] > vth, and v[t] <- 0 where it fires

    Source: lava-nc 0.10.0, proc/lif/models.py, AbstractPyLifModelFloat.

    Attributes:
        depth: the layer sees step 0 of a sample this many steps after it was injected.
        spikes: False for a layer without threshold, whose output is v.
        current_bias: what an axon that is always on sends; None where there is none.

    """

    name: str
    shape: tuple[int, ...]
    depth: int
    spikes: bool
    du: Array
    dv: Array
    vth: Array
    bias: Array
    current_bias: Array | None
    synapses: tuple[LavaSynapses, ...]


def lava_layers(model: Model, *, analog_input: bool) -> tuple[LavaLayer, ...]:
    """The layers of a feed-forward network for Lava, in the order of execution.

    Where branches of unequal depth meet, the shorter one is delayed.

    Args:
        model: the network.
        analog_input: whether the input holds other values than 0 and 1.

    Raises:
        BackendError: Lava cannot run the network; names the layer, the rule and the way out.

    """
    network = model.network
    _check_feed_forward(network)
    depths = {network.input: 0}
    graded = {network.input: analog_input}
    layers = []
    for name in network.layers:
        _check_neuron(name, network.neurons[name])
        depths[name] = 1 + max(depths[connection.source] for connection in network.into(name))
        graded[name] = not network.neurons[name].spikes
        layers.append(_layer(network, name, depths, graded))
    return tuple(layers)


def _layer(network: Network, name: str, depths: dict[str, int], graded: dict[str, bool]) -> LavaLayer:
    neuron = network.neurons[name]
    gain = neuron.gain.ravel()
    size = gain.size
    bias = gain * bias_current(network, name).ravel()
    offset = np.zeros(size) if neuron.offset is None else neuron.offset.ravel()
    through_current = neuron.alpha is not None
    synapses = tuple(
        LavaSynapses(
            connection,
            _scaled(synapse_matrix(network, connection), gain),
            delay=depths[name] - 1 - depths[connection.source],
            graded=graded[connection.source],
        )
        for connection in network.into(name)
    )
    return LavaLayer(
        name=name,
        shape=neuron.shape,
        depth=depths[name],
        spikes=neuron.spikes,
        du=np.ones(size) if neuron.alpha is None else 1 - neuron.alpha.ravel(),
        dv=1 - neuron.beta.ravel(),
        vth=np.zeros(size) if neuron.threshold is None else neuron.threshold.ravel(),
        bias=offset if through_current else bias + offset,
        current_bias=bias if through_current and bias.any() else None,
        synapses=synapses,
    )


def _scaled(weights: Any, gain: Array) -> Any:
    if (gain == 1).all():
        return weights
    scaled = weights.multiply(gain[:, None]).tocsr()
    return scaled


def _check_feed_forward(network: Network) -> None:
    if network.feedback:
        source, target = min(network.feedback)
        raise BackendError(
            f"{source} -> {target}: the Lava backend runs feed-forward networks, and this edge closes a loop;"
            " run the network in torch instead"
        )
    for connection in network.connections:
        for name in connection.path:
            if isinstance(network.nodes[name], nir.Delay):
                raise BackendError(
                    f"{name}: the Lava backend does not run Delay nodes, whose spikes would reach into the next"
                    " sample; run the network in torch instead"
                )


def _check_neuron(name: str, neuron: Neuron) -> None:
    if not neuron.spikes:
        return
    memoryless = neuron.alpha is None and not neuron.beta.any()
    if neuron.reset is Reset.SUBTRACT:
        raise BackendError(
            f"{name}: Lava's LIF resets the membrane to zero, this layer subtracts the threshold;"
            " train with reset_mechanism='zero', or run the network in torch instead"
        )
    if neuron.reset is Reset.ZERO_HOLD:
        raise BackendError(
            f"{name}: Lava's LIF integrates in the step after a spike, this layer loses that step's input"
            " (snnTorch's delayed reset to zero); train with reset_delay=False, or run the network in torch instead"
        )
    if neuron.reset is Reset.NONE and not memoryless:
        raise BackendError(
            f"{name}: Lava's LIF resets the membrane after a spike, this layer never does;"
            " train with reset_mechanism='zero', or run the network in torch instead"
        )
    if neuron.reset_value is not None and not memoryless:
        found = neuron.reset_value[neuron.reset_value != 0].flat[0]
        raise BackendError(
            f"{name}: Lava's LIF resets the membrane to zero, this layer resets it to {found:g};"
            " set v_reset to 0, or run the network in torch instead"
        )
