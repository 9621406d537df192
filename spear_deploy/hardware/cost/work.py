"""What every core does in every step that the chip runs, from recorded spikes, some samples at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spear_deploy.hardware.cost.activity import Activity
from spear_deploy.hardware.cost.wiring import Wiring
from spear_deploy.network import Network

Array = NDArray[np.float64]

_BLOCK_BYTES = 64 * 2**20
"""About what the counts of one block of samples may take."""


class Events(Protocol):
    """Events of each source in every step of some samples."""

    @property
    def time_steps(self) -> int:
        """T."""

    @property
    def samples(self) -> int:
        """How many samples."""

    def events(self, name: str, samples: slice) -> csr_array:
        """Rows are steps, sample by sample, `[n T, neurons]`."""


@dataclass(frozen=True, eq=False)
class MeanEvents:
    """One sample that does in every step what the mean inference does on average."""

    activity: Activity
    samples: int = 1

    @property
    def time_steps(self) -> int:
        """T."""
        return self.activity.time_steps

    def events(self, name: str, samples: slice) -> csr_array:
        """The mean, T times."""
        step = self.activity.spikes[name].reshape(1, -1) / self.time_steps
        return csr_array(np.repeat(step, self.time_steps, axis=0))


@dataclass(frozen=True, eq=False)
class Work:
    """What cores do in some steps, `[.., cores]` each.

    Attributes:
        spikes: spikes that its neurons fire.
        operations: synaptic operations, those of input values included.
        words: words of synapse memory that it reads.
        from_input: messages that enter it from outside.
        messages: messages between pairs of cores, `[.., pairs]`, in the order of `Wiring`.

    """

    spikes: Array
    operations: Array
    words: Array
    from_input: Array
    messages: Array

    @property
    def parts(self) -> tuple[Array, ...]:
        """All of it, in order."""
        return tuple(getattr(self, each.name) for each in fields(self))

    @property
    def flat(self) -> Work:
        """Samples and steps as one axis."""
        return Work(*(part.reshape(part.shape[0] * part.shape[1], part.shape[2]) for part in self.parts))

    def __getitem__(self, steps: slice) -> Work:
        return Work(*(part[steps] for part in self.parts))


@dataclass(frozen=True, eq=False)
class ChipSteps:
    """The steps that a chip runs for recorded samples.

    A spike arrives in the step in which it is fired and is used in the next, so that a layer at
    depth d works on time t in step t + d - 1: an inference takes T + depth - 1 steps. Where the
    record counts the chip's own steps (`delays` of zero) it takes T.

    Attributes:
        wiring: the cores and what spikes do on them.
        events: the recorded spikes.
        delays: by source, in which step of the chip its first time step falls.

    """

    wiring: Wiring
    events: Events
    delays: dict[str, int]

    @property
    def late(self) -> int:
        """Steps beyond T in an inference."""
        return max(self.delays.values())

    @property
    def steps(self) -> int:
        """Steps of an inference."""
        return self.events.time_steps + self.late

    def blocks(self) -> Iterator[tuple[Work, Work]]:
        """Some samples at a time: each alone on the chip `[n, steps, ..]`, and in a full pipeline `[n T, ..]`.

        In the pipeline the first layer starts on the next sample while the last still works on the
        one before; the samples follow each other in a circle, so that it is always full.
        """
        time_steps, late = self.events.time_steps, self.late
        running: Work | None = None
        for number in range(-late // time_steps, 0):
            at = number % self.events.samples
            running = self._overlapped(self._work(slice(at, at + 1)), running)[time_steps:]
        size = self._block_samples()
        for start in range(0, self.events.samples, size):
            alone = self._work(slice(start, min(start + size, self.events.samples)))
            together = self._overlapped(alone, running)
            end = len(alone.spikes) * time_steps
            running = together[end:]
            yield alone, together[:end]

    def _overlapped(self, work: Work, rest: Work | None) -> Work:
        """Inferences that start every T steps, added up: `[n T + late, ..]`, over what is still running."""
        time_steps, late = self.events.time_steps, self.late
        added = []
        for index, part in enumerate(work.parts):
            total = np.zeros((part.shape[0] * time_steps + late, part.shape[-1]))
            if rest is not None:
                total[:late] += rest.parts[index]
            for number, each in enumerate(part):
                total[number * time_steps : number * time_steps + self.steps] += each
            added.append(total)
        return Work(*added)

    def _work(self, samples: slice) -> Work:
        cores, pairs = len(self.wiring.neurons), len(self.wiring.source)
        count, time_steps = samples.stop - samples.start, self.events.time_steps
        spikes, operations, words, from_input = (np.zeros((count, self.steps, cores)) for _ in range(4))
        messages = np.zeros((count, self.steps, pairs))
        for name, wiring in self.wiring.by_source.items():
            if wiring.matrix.shape[1] == 0:
                continue
            product = wiring.product(self.events.events(name, samples))
            fired, done, read, sent = (part.reshape(count, time_steps, -1) for part in wiring.split(product))
            at = slice(self.delays[name], self.delays[name] + time_steps)
            spikes[:, at, wiring.fires_on] += fired
            operations[:, at, wiring.reaches] += done
            words[:, at, wiring.reaches] += read
            if len(wiring.pairs):
                messages[:, at, wiring.pairs] += sent
            for column, core in enumerate(wiring.enters):
                from_input[:, at, core] += sent[:, :, column]
        return Work(spikes, operations, words, from_input, messages)

    def _block_samples(self) -> int:
        cores, pairs = len(self.wiring.neurons), len(self.wiring.source)
        neurons = max(len(wiring.kind) for wiring in self.wiring.by_source.values())
        bytes_each = self.steps * (8 * (8 * cores + 4 * pairs) + 2 * neurons)
        return max(1, _BLOCK_BYTES // bytes_each)


def delays_of(network: Network) -> dict[str, int]:
    """In which step of the chip each source's first time step falls: the input and the first layer in step 0.

    The longest way from the input counts, loops left aside.
    """
    depth: dict[str, int] = {network.input: 0}
    for layer in network.layers:
        depth[layer] = 1 + max((depth.get(each.source, 0) for each in network.into(layer)), default=0)
    return {name: max(0, each - 1) for name, each in depth.items()}
