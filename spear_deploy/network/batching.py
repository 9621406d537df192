"""How many samples are run at a time: as many as a bound on memory allows, the same on every machine of a kind.

Sums of floating-point numbers may fall otherwise in a batch of another size, in their last bits. So sizes
follow from the network, its time steps and the kind of device alone, not from the memory that happens to be free.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from spear_deploy.network.device import CPU
from spear_deploy.network.graph import Network
from spear_deploy.system.memory import Growth

BATCH = 100
"""Samples that are run at a time, at most: more do not pay."""

STATES_AT_ONCE = 1 << 22
"""Values of layers over all steps that a batch may hold: 16 MiB in float32, 32 MiB in float64."""

STATES_ON_GPU = 1 << 27
"""The same where a GPU computes, which few samples leave idle: 512 MiB in float32."""

TRAINED_AT_ONCE = 1 << 22
"""The same of a training batch, whose gradients are added up over pieces: 16 MiB in float32, each twice."""


def states_of(network: Network, time_steps: int) -> int:
    """Values that an inference has: those of all layers, or the input's where these are more, over all steps."""
    neurons = sum(neuron.beta.size for neuron in network.neurons.values())
    return time_steps * max(neurons, int(np.prod(network.input_shape)))


def samples_at_once(network: Network, time_steps: int, device: torch.device = CPU) -> int:
    """Samples whose states are held together where they run on a device: at most `BATCH`, at least one."""
    return _within(STATES_AT_ONCE if device.type == "cpu" else STATES_ON_GPU, network, time_steps, BATCH)


def trained_at_once(network: Network, time_steps: int, batch: int) -> int:
    """The same of a training batch on a CPU: at most all of it."""
    return _within(TRAINED_AT_ONCE, network, time_steps, batch)


def _within(states: int, network: Network, time_steps: int, most: int) -> int:
    return min(most, max(1, states // states_of(network, time_steps)))


def batches(count: int, size: int = BATCH) -> Iterator[slice]:
    """Slices of at most `size` that cover `count` samples; what one left in memory does not add up."""
    growth = Growth()
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
        growth.look()
