"""How large currents and membranes become: seen on samples, or bounded without any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spear_deploy.network import Network, bias_current, synapse_matrix
from spear_deploy.network.synapses import bias_over_time


@dataclass(frozen=True)
class Range:
    """Largest magnitudes in a layer, in the units of the float network.

    Attributes:
        input: what synapses hand over in one step, biases of a synaptic current included.
        current: u.
        membrane: v before a reset.
        seen: whether samples showed it; otherwise it is a bound that holds for all inputs.

    """

    input: float
    current: float
    membrane: float
    seen: bool

    def __or__(self, other: Range) -> Range:
        """What holds both."""
        return Range(
            max(self.input, other.input),
            max(self.current, other.current),
            max(self.membrane, other.membrane),
            seen=self.seen and other.seen,
        )


class SeenRanges:
    """Ranges of all layers, gathered while a simulation runs: hand `hear` to it.

    Membranes are driven by the currents that came, and every spike resets as one to zero: close enough for a range.

    Args:
        network: the network.
        time_steps: of every sample.

    """

    def __init__(self, network: Network, time_steps: int) -> None:
        self.network, self.time_steps = network, time_steps
        self.found: dict[str, Range] = {}
        self._biases: dict[str, Tensor] = {}

    def hear(self, name: str, currents: Tensor, outputs: Tensor) -> None:
        """Look at what a layer was given and sent, `[T, B, *shape]`."""
        neuron = self.network.neurons[name]
        gain, beta = (torch.as_tensor(each, dtype=currents.dtype) for each in (neuron.gain, neuron.beta))
        alpha, offset = (
            None if each is None else torch.as_tensor(each, dtype=currents.dtype)
            for each in (neuron.alpha, neuron.offset)
        )
        if name not in self._biases:
            self._biases[name] = bias_over_time(self.network, name, self.time_steps)
        biases = self._biases[name].to(currents.dtype)
        u, v = torch.zeros_like(currents[0]), torch.zeros_like(currents[0])
        inputs, us, vs = 0.0, 0.0, 0.0
        for current, sent, bias in zip(currents, outputs, biases, strict=True):
            given = gain * current
            entering = given if alpha is not None else gain * (current - bias)  # behind a current, biases come with it
            u = entering if alpha is None else u.mul_(alpha).add_(given)
            v.mul_(beta).add_(given if alpha is None else u)
            if offset is not None:
                v.add_(offset)
            inputs, us, vs = max(inputs, _largest(entering)), max(us, _largest(u)), max(vs, _largest(v))
            if neuron.threshold is not None:
                v.addcmul_(v, sent, value=-1)
        now = Range(inputs, us, vs, seen=True)
        self.found[name] = self.found[name] | now if name in self.found else now


def _largest(values: Tensor) -> float:
    least, most = torch.aminmax(values)
    return max(-float(least), float(most))


def bounded_ranges(network: Network, largest_input: float) -> dict[str, Range]:
    """Ranges that no input up to `largest_input` exceeds."""
    largest = {network.input: largest_input}
    ranges = {}
    for name in network.layers:
        neuron = network.neurons[name]
        gain = np.abs(neuron.gain).ravel()
        reach = np.zeros(gain.size)
        for connection in network.into(name):
            rows = np.asarray(abs(synapse_matrix(network, connection)).sum(axis=1)).ravel()
            reach += gain * rows * largest.get(connection.source, 1.0)
        bias = np.abs(bias_current(network, name)).ravel() * gain
        offset = 0.0 if neuron.offset is None else np.abs(neuron.offset).ravel()
        if neuron.alpha is None:
            entering, current, drive = reach, reach, reach + bias + offset
        else:
            entering = reach + bias
            current = entering / np.maximum(1 - neuron.alpha.ravel(), 1e-6)
            drive = current + offset
        leak = np.maximum(1 - neuron.beta.ravel(), 1e-6)
        membrane = drive / leak
        if neuron.threshold is not None:
            membrane = np.minimum(membrane, neuron.threshold.ravel() + drive)
        else:
            largest[name] = float(membrane.max())
        ranges[name] = Range(float(entering.max()), float(current.max()), float(membrane.max()), seen=False)
    return ranges
