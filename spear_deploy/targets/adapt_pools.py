"""Pools that take the largest current, for a chip that only adds currents up."""

from __future__ import annotations

from dataclasses import dataclass, replace

import networkx as nx
import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.network import Model, Network, Neuron, Simulation, neuron_of, node_of
from spear_deploy.network.editing import with_nodes
from spear_deploy.network.linear import linear_module
from spear_deploy.network.pools import MaxPool2d, as_sum

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Replaced:
    """A pool that was replaced.

    Attributes:
        layer: the neuron layer behind it, whose name and shape stay.
        after: what stands there now, with the share of outputs that differ where samples were given.

    """

    layer: str
    after: str


@dataclass(frozen=True)
class _Way:
    text: str
    graph: nir.NIRGraph


def without_maxima(model: Model, calibration: Tensor | None) -> tuple[Model, list[Replaced]]:
    """Replace every pool of currents, from the first to the last.

    Two ways are tried: the pool moves behind the neuron, where it takes the largest of spikes; or it
    becomes a sum before the neuron, with the factor that is nearest to the maximum on the samples.
    The one that changes fewer of the layer's outputs is taken; without samples, the first that exists.

    Args:
        model: the network.
        calibration: `[T, B, *input_shape]`; None without data.

    """
    wanted = None if calibration is None else _outputs(model.graph, calibration)
    replaced = []
    for pool in [name for stage in model.network.stages for name in stage if name in _maxima(model.network)]:
        layer = _neurons_behind(model.network, pool)[0]
        ways = [way for way in (_behind(model.network, pool), _summed(model, pool, calibration)) if way is not None]
        shares = (
            [None] * len(ways)
            if calibration is None or wanted is None
            else [_share_changed(wanted[layer], _outputs(way.graph, calibration)[layer]) for way in ways]
        )
        best = min(range(len(ways)), key=lambda at: (shares[at] or 0.0, at))
        told = "" if shares[best] is None else f" ({shares[best]:.2%} of its outputs differ on samples)"
        replaced.append(Replaced(layer, ways[best].text + told))
        model = model.with_graph(ways[best].graph)
    return model, replaced


def _maxima(network: Network) -> list[str]:
    return [name for name, node in network.nodes.items() if isinstance(node, MaxPool2d)]


def _neurons_behind(network: Network, pool: str) -> list[str]:
    """The first neuron layers that a node leads to."""
    found: list[str] = []
    for target in sorted(network.edges.successors(pool)):
        found += [target] if target in network.neurons else _neurons_behind(network, target)
    return found


def _outputs(graph: nir.NIRGraph, calibration: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        return dict(Simulation(graph)(calibration.float()).outputs)


def _share_changed(before: Tensor, after: Tensor) -> float:
    return float((before != after).double().mean())


def _chain(network: Network, pool: str) -> list[str] | None:
    """The nodes from a pool to its neuron layer, if they are one way that nothing joins or leaves."""
    chain = [pool]
    while chain[-1] not in network.neurons:
        targets = list(network.edges.successors(chain[-1]))
        if len(targets) != 1 or len(network.sources(targets[0])) != 1:
            return None
        if targets[0] not in network.neurons and not isinstance(network.nodes[targets[0]], nir.Flatten):
            return None
        chain.append(targets[0])
    return chain


def _behind(network: Network, pool: str) -> _Way | None:
    """Neurons at every place, and the largest of their spikes: a sum and a threshold, as NIR says it."""
    chain = _chain(network, pool)
    if chain is None:
        return None
    layer = chain[-1]
    source = network.sources(pool)
    full, pooled = network.shapes[source[0]], network.shapes[pool]
    neuron = network.neurons[layer]
    if not neuron.spikes or nx.has_path(network.edges, layer, pool):
        return None
    wide = _spread(neuron, pooled, full)
    if wide is None:
        return None
    first = f"{layer}_before_pool"
    node = network.nodes[pool]
    assert isinstance(node, MaxPool2d)
    nodes = {name: each for name, each in network.nodes.items() if name != layer}
    nodes |= {first: node_of(wide), pool: as_sum(node), layer: nir.Threshold(np.full(network.shapes[layer], 0.5))}
    edges = [edge for edge in network.graph.edges if edge[1] != pool]
    edges += [*((name, first) for name in source), (first, pool)]
    return _Way("the largest of spikes behind it", with_nodes(network.graph, nodes, edges))


def _spread(neuron: Neuron, pooled: tuple[int, ...], full: tuple[int, ...]) -> Neuron | None:
    """The neuron at every place of a channel; None where places of a channel differ."""

    def spread(values: Array | None) -> Array | None:
        if values is None:
            return None
        channels = values.reshape(pooled[0], -1)
        if (channels != channels[:, :1]).any():
            raise ValueError
        return np.broadcast_to(channels[:, 0].reshape(-1, *(1,) * (len(full) - 1)), full).copy()

    try:
        beta, gain = spread(neuron.beta), spread(neuron.gain)
        assert beta is not None
        assert gain is not None
        return replace(
            neuron,
            beta=beta,
            gain=gain,
            threshold=spread(neuron.threshold),
            alpha=spread(neuron.alpha),
            offset=spread(neuron.offset),
            reset_value=spread(neuron.reset_value),
        )
    except ValueError:
        return None


def _summed(model: Model, pool: str, calibration: Tensor | None) -> _Way:
    """The sum of the window, its factor in the gain of the neurons; else the mean, where other ways join them."""
    network, node = model.network, model.network.nodes[pool]
    assert isinstance(node, MaxPool2d)
    chain = _chain(network, pool)
    if chain is None:
        mean = nir.AvgPool2d(kernel_size=node.kernel_size, stride=node.stride, padding=node.padding)
        return _Way("the mean of currents", with_nodes(network.graph, {**network.nodes, pool: mean}))
    factor = 1.0 / float(np.prod(node.kernel_size)) if calibration is None else _nearest(model, pool, calibration)
    layer = chain[-1]
    neuron = neuron_of(network.nodes[layer], layer)
    nodes = {**network.nodes, pool: as_sum(node), layer: node_of(replace(neuron, gain=neuron.gain * factor))}
    return _Way(f"{factor:.3g} x the sum of currents", with_nodes(network.graph, nodes))


def _nearest(model: Model, pool: str, calibration: Tensor) -> float:
    """The factor f that makes f x sum nearest to the maximum, in least squares over the samples."""
    simulation = Simulation(model.graph)
    node = model.network.nodes[pool]
    assert isinstance(node, MaxPool2d)
    largest, summed = linear_module(node), linear_module(as_sum(node))
    products = torch.zeros(2, dtype=torch.float64)

    def look(module: torch.nn.Module, arguments: tuple[Tensor]) -> None:
        maximum, total = largest(arguments[0]).double(), summed(arguments[0]).double()
        products.add_(torch.stack([(maximum * total).sum(), (total * total).sum()]))

    handle = simulation.module(pool).register_forward_pre_hook(look)
    with torch.no_grad():
        simulation(calibration.float())
    handle.remove()
    factor = float(products[0] / products[1]) if products[1] else 0.0
    return factor if factor > 0 else 1.0 / float(np.prod(node.kernel_size))
