"""Chips whose cores differ and take one whole layer each: which layer goes where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from math import ceil, inf, log2, prod

import nir
import numpy as np
from numpy.typing import NDArray

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
    """Which core each layer has; cores are counted chip by chip.

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

    def sizes_for(self, layer: str) -> tuple[float, ...]:
        """What a layer is held to: the memories of its core, or of the one that suits it best."""
        return self.sizes[self.core[layer] if layer in self.core else self.nearest[layer]]

    @property
    def numbers(self) -> dict[str, int]:
        """A core for every layer, none twice: those without one are counted on where the nearest is taken."""
        found = dict(self.core)
        beyond = count(len(self.sizes))
        for layer, core in self.nearest.items():
            found[layer] = next(beyond) if core in found.values() else core
        return found


def memory_of(profile: Profile, name: str) -> Sizes | None:
    """One of the memories `WORDS`, core by core; None where the profile limits none of that name."""
    found: Sizes | None = getattr(profile.core, name.replace(" ", "_"))
    return found


def core_sizes(profile: Profile) -> tuple[tuple[float, ...], ...]:
    """Words of each memory, core by core of one chip, without end where its size is not known; empty where none is."""
    figures = [memory_of(profile, name) for name in WORDS]
    values = [None if figure is None else figure.value for figure in figures]
    cores = max((len(value) for value in values if value is not None), default=0)
    return tuple(zip(*(value or (inf,) * cores for value in values), strict=True))


def assign_cores(network: Network, profile: Profile, kept: Mapping[str, int]) -> CoreAssignment:
    """Give every layer a core that holds it, for as many layers as possible, on as few chips as that takes.

    Of these assignments one whose chips hold layers that follow each other, so that few messages go between chips.
    `kept` is the number of channels that count of the input and of each layer.
    """
    one_chip = core_sizes(profile)
    needs: dict[str, tuple[int, ...]] = {layer: _words(network, layer, kept) for layer in network.layers}
    suits = np.array(
        [
            [all(need <= have for need, have in zip(words, size, strict=True)) for size in one_chip]
            for words in needs.values()
        ]
    )
    chips = min(-(-len(needs) // len(one_chip)), profile.chips_available)
    most_chips = min(len(needs), profile.chips_available)  # with one for each layer all that suit a core have one
    while len(core := _matched(suits, chips)) < len(needs) and chips < most_chips:
        chips += 1
    named = {layer: core[place] for place, layer in enumerate(needs) if place in core}
    nearest = {layer: _nearest(words, one_chip) for layer, words in needs.items() if layer not in named}
    return CoreAssignment(needs, one_chip * chips, named, nearest)


def _matched(suits: NDArray[np.bool_], chips: int) -> dict[int, int]:
    """The core of as many layers as possible, both by number; `suits` is `[layers, cores of a chip]`."""
    from scipy.optimize import linear_sum_assignment  # 20 MiB that few chips need

    layers, cores = suits.shape
    chip = np.repeat(np.arange(chips), cores)
    apart = np.abs(chip - np.arange(layers)[:, None] * chips // layers)
    on_all = np.tile(suits, chips)
    found = linear_sum_assignment(np.where(on_all, apart, layers * chips))  # dearer than all chips that are off
    return {int(layer): int(core) for layer, core in zip(*found, strict=True) if on_all[layer, core]}


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
