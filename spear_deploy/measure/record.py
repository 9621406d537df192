"""Recorded spikes: which neurons spiked, in every step of every sample, a bit each."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spear_deploy.measure.events import Events
from spear_deploy.network import Network
from spear_deploy.network.graph import Shape

Bits = NDArray[np.uint8]

MOST_BYTES = 32 * 2**20
"""What a record may take: more samples are counted, but not recorded."""


@dataclass(frozen=True, eq=False)
class SpikeRecord:
    """The events of some samples: spikes of layers, and inputs that are not zero.

    Attributes:
        bits: by layer that spikes and under the input's name, `[T, N, ceil(neurons / 8)]`;
            `[1, N, ..]` where every step is the same.
        shapes: of one step, of every layer and the input.
        time_steps: T.
        samples: N.

    """

    bits: Mapping[str, Bits]
    shapes: Mapping[str, Shape]
    time_steps: int
    samples: int

    def events(self, name: str, samples: slice) -> csr_array:
        """Ones where there was an event: rows are steps, sample by sample, `[n T, neurons]`."""
        neurons = int(np.prod(self.shapes[name]))
        if name not in self.bits:
            count = len(range(*samples.indices(self.samples)))
            return csr_array((count * self.time_steps, neurons))
        packed = self.bits[name][:, samples].transpose(1, 0, 2)
        if packed.shape[1] < self.time_steps:
            packed = np.repeat(packed, self.time_steps, axis=1)
        fired = np.unpackbits(packed.reshape(-1, packed.shape[2]), axis=1, count=neurons).view(np.bool_)
        flat = np.flatnonzero(fired)
        starts = np.searchsorted(flat, np.arange(len(fired) + 1) * neurons)
        where = flat - np.repeat(np.arange(len(fired)) * neurons, np.diff(starts))
        return csr_array((np.ones(len(where)), where, starts), shape=fired.shape)

    def only(self, names: Container[str]) -> SpikeRecord:
        """The record where nothing else sends anything."""
        return replace(self, bits={name: each for name, each in self.bits.items() if name in names})

    def spread(self, samples: int) -> SpikeRecord:
        """The record of at most so many samples, evenly spread over all."""
        if samples >= self.samples:
            return self
        kept = np.linspace(0, self.samples - 1, samples).round().astype(np.intp)
        return SpikeRecord(
            {name: each[:, kept] for name, each in self.bits.items()}, self.shapes, self.time_steps, samples
        )


class Recorder:
    """Records batch by batch, until `most_bytes` are full; the first sample is recorded in any case."""

    def __init__(self, network: Network, most_bytes: int = MOST_BYTES) -> None:
        spiking = [layer for layer in network.layers if network.neurons[layer].spikes]
        self.shapes = {name: network.shapes[name] for name in (network.input, *network.layers)}
        self.left_bytes = most_bytes
        self.time_steps = 0
        self.samples = 0
        self.parts: dict[str, list[Bits]] = {name: [] for name in (network.input, *spiking)}

    def add(self, events: Mapping[str, Events]) -> None:
        """Record a batch: what happened, by name."""
        found = [events[name] for name in self.parts]
        self.time_steps = found[0].steps
        bytes_each = sum(len(each.values) * -(-each.values.shape[2] // 8) for each in found)
        count = min(found[0].batch, self.left_bytes // max(bytes_each, 1))
        if self.samples == 0:
            count = max(count, 1)
        if not count:
            self.left_bytes = 0  # samples are the first ones, without gaps
            return
        self.left_bytes = max(0, self.left_bytes - count * bytes_each)
        self.samples += count
        for name, parts in self.parts.items():
            parts.append(events[name].bits(count))

    def record(self) -> SpikeRecord:
        """What was recorded, which the recorder then no longer holds: twice of all at a time would be much."""
        bits = {name: np.concatenate(_as_long(self.parts.pop(name)), axis=1) for name in list(self.parts)}
        return SpikeRecord(bits, self.shapes, self.time_steps, self.samples)


def _as_long(parts: list[Bits]) -> list[Bits]:
    """Batches of equal steps among others that are not, written out."""
    steps = max(len(part) for part in parts)
    return [np.broadcast_to(part, (steps, *part.shape[1:])) for part in parts]
