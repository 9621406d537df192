"""The same network with fewer channels, in outline: what would fit, before anything is pruned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from spear_deploy.hardware.placement.connections import volume_of
from spear_deploy.hardware.placement.geometry import Dense, OneToOne, Reach, Written
from spear_deploy.hardware.placement.layer_load import LayerLoad
from spear_deploy.hardware.placement.tiles import Volume
from spear_deploy.hardware.placement.windowed import Windowed
from spear_deploy.network import Network


class NotThinnableError(Exception):
    """A connection whose channels cannot be thinned in outline."""


def kept_channels(network: Network, keep: float) -> dict[str, int]:
    """Channels that stay of each layer at a keep ratio; all of the input's and the read-out's."""
    kept = {}
    for name in (network.input, *network.layers):
        channels = volume_of(network.shapes[name])[0]
        fixed = name in (network.input, network.read_out)
        # The small addend keeps a ratio that was computed as kept / channels from losing a channel.
        kept[name] = channels if fixed else max(1, int(keep * channels + 1e-9))
    return kept


def thinned(network: Network, loads: Mapping[str, LayerLoad], keep: float) -> dict[str, LayerLoad]:
    """The loads of a network of which every hidden layer keeps its first channels.

    Raises:
        NotThinnableError: a grouped convolution or a reshape stands between layers.

    """
    kept = kept_channels(network, keep)
    thin = {}
    for layer, load in loads.items():
        reaches = tuple(
            _thin(reach, kept[source], kept[layer]) for source, reach in zip(load.sources, load.reach, strict=True)
        )
        varied = {name: index[: kept[layer]] for name, index in load.varied.items()}
        volume = (kept[layer], *load.volume[1:])
        thin[layer] = LayerLoad(layer, volume, load.sources, reaches, load.prices, load.variables, varied)
    return thin


def _thin(reach: Reach, sources: int, targets: int) -> Reach:
    source: Volume = (sources, *reach.source[1:])
    target: Volume = (targets, *reach.target[1:])
    if isinstance(reach, Dense):
        features = len(reach.sources) // reach.source[0] * sources
        return replace(
            reach,
            source=source,
            target=target,
            sources=reach.sources[:features],
            feature=reach.feature.reshape(reach.source)[:sources].ravel(),
            mask=None if reach.mask is None else reach.mask[:targets, :features],
        )
    if isinstance(reach, Windowed) and reach.channels_out == reach.target[0]:
        mask = None if reach.mask is None else reach.mask[:targets, :sources]
        return replace(reach, source=source, target=target, channels_in=sources, channels_out=targets, mask=mask)
    if isinstance(reach, OneToOne) and reach.source == reach.target and sources == targets:
        return replace(reach, source=source, target=target)
    if isinstance(reach, Written):
        rows = np.arange(np.prod(reach.target)).reshape(reach.target)[:targets].ravel()
        columns = np.arange(np.prod(reach.source)).reshape(reach.source)[:sources].ravel()
        return replace(reach, source=source, target=target, matrix=reach.matrix[rows][:, columns])
    raise NotThinnableError
