"""Messages between cores and work on them, the mean inference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spear_deploy.hardware.cost.activity import Activity
from spear_deploy.hardware.cost.wiring import Wiring
from spear_deploy.hardware.placement.packing import Integers

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Traffic:
    """What the mean inference puts on cores and between them, in the order of `Placement.cores`.

    Attributes:
        source, target: cores that exchange messages, `[P]` each.
        messages: messages from source to target, `[P]`; a spike that reaches a core is one message.
        from_input: messages that enter each core from outside, `[cores]`.
        operations: synaptic operations on each core, those of input values included, `[cores]`.
        words: words of synapse memory that each core reads, `[cores]`.
        spikes: spikes that each core's neurons fire, `[cores]`.
        neurons: neurons on each core, `[cores]`.

    """

    source: Integers
    target: Integers
    messages: Array
    from_input: Array
    operations: Array
    words: Array
    spikes: Array
    neurons: Array

    @property
    def sent(self) -> Array:
        """Messages that each core sends, `[cores]`."""
        return _summed(self.source, self.messages, len(self.neurons))

    @property
    def received(self) -> Array:
        """Messages that each core receives, those from outside included, `[cores]`."""
        return _summed(self.target, self.messages, len(self.neurons)) + self.from_input


def traffic_of(wiring: Wiring, activity: Activity) -> Traffic:
    """Messages and operations of the mean inference; pairs of cores without messages are left out."""
    count = len(wiring.neurons)
    from_input, operations, words, spikes = (np.zeros(count) for _ in range(4))
    messages = np.zeros(len(wiring.source))
    for name, each in wiring.by_source.items():
        product = each.product(csr_array(activity.spikes[name].reshape(1, -1)))
        fired, done, read, sent = (part[0] for part in each.split(product))
        spikes[each.fires_on] += fired
        operations[each.reaches] += done
        words[each.reaches] += read
        messages[each.pairs] += sent[: len(each.pairs)]
        np.add.at(from_input, each.enters, sent[: len(each.enters)])
    busy = messages > 0
    return Traffic(
        wiring.source[busy],
        wiring.target[busy],
        messages[busy],
        from_input,
        operations,
        words,
        spikes,
        wiring.neurons,
    )


def no_traffic(cores: int) -> Traffic:
    """Nothing on so many cores."""
    nobody, nothing = np.zeros(0, dtype=np.int64), np.zeros(cores)
    return Traffic(nobody, nobody, np.zeros(0), nothing, nothing, nothing, nothing, nothing)


def _summed(cores: Integers, messages: Array, count: int) -> Array:
    total = np.zeros(count)
    np.add.at(total, cores, messages)
    return total
