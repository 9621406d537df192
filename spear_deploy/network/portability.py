"""What another NIR reader would run, and graphs that every faithful reader runs alike.

A faithful reader knows NIR's nodes and nothing of our metadata: forward Euler with dt = 1e-4 s,
and a membrane that is set to v_reset in the step of its spike.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import nir
import numpy as np

from spear_deploy.errors import ModelError
from spear_deploy.network.editing import graph_of
from spear_deploy.network.graph import Network
from spear_deploy.network.model import Model
from spear_deploy.network.neuron import DEFAULT_DT_S, Neuron, Reset, neuron_of, node_of
from spear_deploy.network.nir_graph import prepare
from spear_deploy.network.pools import MaxPool2d
from spear_deploy.network.proof import prove_equal
from spear_deploy.network.resampling import Resample
from spear_deploy.network.unflattening import Unflatten

_ROUNDING = 1e-12
"""How far a constant may move when it goes through tau and r, relative: float64 rounding."""


_NO_NODE: dict[type, str] = {
    MaxPool2d: "it takes the largest current of a window, which NIR has no node for: another reader sums the window",
    Resample: "it moves positions (padding, enlarging, uneven windows), which NIR has no node for: another reader"
    " sums windows of the same number",
    Unflatten: "it makes maps of a flat layer, which NIR has no node for: another reader leaves it flat",
}
_INSTEAD: dict[type, str] = {
    MaxPool2d: "move the pool behind the neuron, or train with a sum or average pool",
    Resample: "train with zero padding in the convolution, with windows that divide their input, and without enlarging",
    Unflatten: "keep maps: Conv2d and ConvTranspose2d of maps of 1 x 1 do what Linear does",
}


def differences(network: Network) -> tuple[str, ...]:
    """What a reader that knows NIR alone would run differently, one line for all nodes of a reason."""
    by_reason: dict[str, list[str]] = {}
    for name in network.layers:
        reason = _beyond_nir(network.neurons[name])
        if reason is not None and not isinstance(network.nodes[name], nir.Threshold):
            by_reason.setdefault(reason, []).append(name)
    for name, node in network.nodes.items():
        if type(node) in _NO_NODE:
            by_reason.setdefault(_NO_NODE[type(node)], []).append(name)
    found = [f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()]
    if network.dt_s != DEFAULT_DT_S:
        found.append(f"dt = {network.dt_s:g} s stands in the metadata only; most readers assume {DEFAULT_DT_S:g} s")
    return tuple(found)


def portable(model: Model) -> Model:
    """The model as a graph that has the same spikes in every faithful reader.

    Time constants are stretched to dt = 1e-4 s, delayed resets to zero made prompt (the spikes
    are the same), our metadata left out. The result is run without it and compared.

    Raises:
        ModelError: a layer that NIR alone cannot say, with the way out.

    """
    network = model.network
    stretch = DEFAULT_DT_S / network.dt_s
    nodes: dict[str, nir.NIRNode] = {}
    for name, node in network.nodes.items():
        if isinstance(node, nir.Delay):
            nodes[name] = nir.Delay(np.asarray(node.delay) * stretch)
        elif type(node) in _NO_NODE:
            raise ModelError(f"{name}: {_NO_NODE[type(node)]}; it has no portable form ({_INSTEAD[type(node)]})")
        elif name in network.neurons and not isinstance(node, nir.Threshold):
            nodes[name] = _portable_node(network.neurons[name], name)
        else:
            nodes[name] = copy(node)
        nodes[name].metadata = {}
    plain = graph_of(nodes, network.graph.edges)
    read, _ = prepare(plain, DEFAULT_DT_S)
    found = model.with_graph(read)
    prove_equal(model, found)
    return found


def _portable_node(neuron: Neuron, name: str) -> nir.NIRNode:
    reason = _beyond_nir(neuron)
    if reason is not None:
        raise ModelError(f"{name}: {reason}; it has no portable form (train with reset_mechanism='zero')")
    node = node_of(replace(neuron, dt_s=DEFAULT_DT_S, reset=Reset.ZERO, reset_delay=False))
    node.metadata = {"dt": DEFAULT_DT_S}
    derived = neuron_of(node, name)
    for key in ("beta", "alpha", "gain"):
        exact, found = getattr(neuron, key), getattr(derived, key)
        if exact is not None and (np.abs(exact - found) > _ROUNDING * np.maximum(1, np.abs(exact))).any():
            raise ModelError(
                f"{name}: {key} = {exact.flat[0]:.9g} has no exact tau in NIR (a neuron that does not leak among"
                " others that do, or with a synaptic current); it has no portable form"
            )
    return node


def _beyond_nir(neuron: Neuron) -> str | None:
    """Why NIR's own equation for the node is not what this layer does."""
    if not neuron.spikes or neuron.reset is Reset.ZERO:
        return None
    memoryless = neuron.alpha is None and not neuron.beta.any()
    if memoryless and not (neuron.reset_delay or neuron.reset is Reset.ZERO_HOLD):
        return None
    return {
        Reset.SUBTRACT: "it resets by subtraction, which NIR has no field for: another reader sets it to v_reset",
        Reset.SUBTRACT_ONCE: "it resets by subtraction, which NIR has no field for: another reader sets it to v_reset",
        Reset.ZERO_HOLD: "it loses the input of the step after a spike, which NIR has no field for",
        Reset.NONE: "it spikes without a reset, which NIR has no field for: another reader sets it to v_reset",
    }[neuron.reset]
