"""Weights scaled down until a network spikes less, without a gradient step."""

from __future__ import annotations

from spear_deploy.data import EncodedSplit
from spear_deploy.measure import measure_split
from spear_deploy.network import Model
from spear_deploy.network.editing import with_arrays, with_nodes
from spear_deploy.network.sharing import one_with
from spear_deploy.training.recalibration import weights_into

LEAST = 0.8
"""Weights are not scaled below it."""

BISECTIONS = 10


def quieted(model: Model, data: EncodedSplit, share: float) -> Model | None:
    """The model with all weights and biases before the read-out, but for frozen ones, scaled by one factor.

    The largest with which it spikes so much less that its SynOps on `data` are at most `share` times what they were:
    scaling what a neuron receives is raising its threshold. None where no factor from `LEAST`
    on gives that, as where the SynOps are those of the input's own events.
    """
    wanted = share * measure_split(model, data).synops
    if measure_split(scaled(model, LEAST), data).synops > wanted:
        return None
    low, high = LEAST, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if measure_split(scaled(model, middle), data).synops <= wanted else (low, middle)
    return scaled(model, low)


def scaled(model: Model, factor: float) -> Model:
    """The model with the weights and biases into every layer but the read-out, and but frozen ones, times a factor.

    Weights that stand in several places are scaled in all of them or in none.
    """
    network = model.network
    nodes = dict(network.nodes)
    hidden = {name for layer in network.layers if layer != network.read_out for name in weights_into(network, layer)}
    stay = one_with(frozenset(nodes) - hidden | model.untrained, network.nodes)
    for name in hidden - stay:
        node = network.nodes[name]
        arrays = {key: getattr(node, key) for key in ("weight", "bias") if hasattr(node, key)}
        changes = {key: (array * factor).astype(array.dtype) for key, array in arrays.items()}
        nodes[name] = with_arrays(node, changes)
    return model.with_graph(with_nodes(network.graph, nodes))
