"""Chips whose cores differ and take one whole layer each: which layer goes where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, inf, log2, prod

import networkx as nx
import nir
import numpy as np

from spear_deploy.hardware.chip.figures import Sizes
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.placement.connections import CONVOLUTIONS, is_biased, volume_of
from spear_deploy.hardware.placement.limits import share
from spear_deploy.network import Connection, Network
from spear_deploy.network.linear import Weighted

WORDS = ("kernel memory", "neuron memory", "bias memory")
"""Memories of a core that takes a whole layer, in words."""


@dataclass(frozen=True)
class CoreAssignment:
    """Which core each layer has.

    Attributes:
        needs: words of each memory that a layer takes, in the order of `WORDS`.
        sizes: words of each memory that a core has, without end where that is not known.
        core: core of each layer that has one.
        nearest: for a layer without, the core that suits it best.

    """

    needs: dict[str, tuple[int, ...]]
    sizes: tuple[tuple[float, ...], ...]
    core: dict[str, int]
    nearest: dict[str, int]


def memory_of(profile: Profile, name: str) -> Sizes | None:
    """One of the memories `WORDS`, core by core; None where the profile limits none of that name."""
    found: Sizes | None = getattr(profile.core, name.replace(" ", "_"))
    return found


def core_sizes(profile: Profile) -> tuple[tuple[float, ...], ...]:
    """Words of each memory, core by core, without end where its size is not known; empty where none is."""
    figures = [memory_of(profile, name) for name in WORDS]
    values = [None if figure is None else figure.value for figure in figures]
    cores = max((len(value) for value in values if value is not None), default=0)
    return tuple(zip(*(value or (inf,) * cores for value in values), strict=True))


def assign_cores(network: Network, profile: Profile, kept: Mapping[str, int]) -> CoreAssignment:
    """Give every layer a core that holds it, for as many layers as possible (a maximum matching).

    `kept` is the number of channels that count of the input and of each layer.
    """
    sizes = core_sizes(profile)
    needs: dict[str, tuple[int, ...]] = {layer: _words(network, layer, kept) for layer in network.layers}
    suits, count = nx.Graph(), len(needs)  # of numbers: sets of names are in another order in every process
    suits.add_nodes_from(range(count))
    suits.add_edges_from(
        (place, count + core)
        for place, words in enumerate(needs.values())
        for core, size in enumerate(sizes)
        if all(need <= have for need, have in zip(words, size, strict=True))
    )
    matching = nx.bipartite.maximum_matching(suits, top_nodes=range(count))
    core = {layer: int(matching[place]) - count for place, layer in enumerate(needs) if place in matching}
    nearest = {layer: _nearest(words, sizes) for layer, words in needs.items() if layer not in core}
    return CoreAssignment(needs, sizes, core, nearest)


def _nearest(words: tuple[int, ...], sizes: tuple[tuple[float, ...], ...]) -> int:
    """The core whose scarcest memory is exceeded least."""
    worst = [max(share(need, have) for need, have in zip(words, size, strict=True)) for size in sizes]
    return int(np.argmin(worst))


def _words(network: Network, layer: str, kept: Mapping[str, int]) -> tuple[int, int, int]:
    """Kernel, neuron and bias words of a layer.

    kernel = c 2^(ceil log2(kx ky) + ceil log2 f), neurons = f 2^(ceil log2 fy + ceil log2 fx),
    biases = f where there are any. Source: sinabs 904eb89, dynapcnn_layer.py L213.
    """
    _, height, width = volume_of(network.shapes[layer])
    features = kept[layer]
    kernel = sum(_kernel_words(network, connection, kept) for connection in network.into(layer))
    neurons = features * 2 ** (_bits(height) + _bits(width))
    return kernel, neurons, features if is_biased(network, layer) else 0


def _kernel_words(network: Network, connection: Connection, kept: Mapping[str, int]) -> int:
    features = kept[connection.target]
    for name in connection.path:
        node = network.nodes[name]
        if isinstance(node, CONVOLUTIONS):
            area = prod(node.weight.shape[2:])
            channels = min(node.weight.shape[1], kept[connection.source])
            return int(channels * 2 ** (_bits(area) + _bits(features)))
        if isinstance(node, Weighted):
            _, height, width = volume_of(network.shapes[_before_flatten(network, connection, name)])
            return int(kept[connection.source] * 2 ** (_bits(height * width) + _bits(features)))
    return int(2 ** _bits(features))  # nothing but routing: one weight a channel


def _before_flatten(network: Network, connection: Connection, weight: str) -> str:
    """The node whose map a dense layer reads as one kernel."""
    name = connection.source
    for step in connection.path[: connection.path.index(weight)]:
        if not isinstance(network.nodes[step], nir.Flatten):
            name = step
    return name


def _bits(number: int) -> int:
    return ceil(log2(number)) if number > 1 else 0
