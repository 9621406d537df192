"""How large currents and membranes become: seen on samples, or bounded without any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spear_deploy.network import Network, Simulation, Trace, bias_current, synapse_matrix
from spear_deploy.network.graph import module_of
from spear_deploy.network.linear import Delay

STATES_AT_ONCE = 1 << 22
"""States over all steps and samples that are looked at together: 32 MiB an array in float64."""


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


def samples_at_once(network: Network, time_steps: int) -> int:
    """Samples whose states, over all steps and layers, are held together."""
    states = time_steps * sum(neuron.beta.size for neuron in network.neurons.values())
    return max(1, STATES_AT_ONCE // states)


def in_float64(inputs: Tensor) -> Tensor:
    """Inputs `[T, B, *input_shape]` in float64; a static image stays one image, shown T times."""
    static = len(inputs) > 1 and inputs.stride(0) == 0
    return inputs[0].double().expand(inputs.shape) if static else inputs.double()


def seen_ranges(network: Network, inputs: Tensor) -> dict[str, Range]:
    """Ranges of every layer on samples `[T, B, *input_shape]`, some at a time."""
    simulation = Simulation(network.graph, torch.float64)
    found: dict[str, Range] = {}
    with torch.no_grad():
        for part in torch.split(inputs, samples_at_once(network, len(inputs)), dim=1):
            double = in_float64(part)
            trace = simulation(double)
            for name in network.layers:
                now = _seen(network, name, double, trace)
                found[name] = found[name] | now if name in found else now
    return found


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


def _seen(network: Network, name: str, inputs: Tensor, trace: Trace) -> Range:
    """The layer's states, driven by the spikes that all layers emitted."""
    neuron = network.neurons[name]
    gain = torch.from_numpy(neuron.gain)
    steps, batch = inputs.shape[:2]
    entering = torch.zeros((steps, batch, *neuron.shape), dtype=torch.float64)
    for connection in network.into(name):
        source = inputs if connection.source == network.input else trace.outputs[connection.source]
        first = connection.path[0] if connection.path else name
        if (connection.source, first) in network.feedback:
            source = torch.cat([torch.zeros_like(source[:1]), source[:-1]])
        entering += gain * _through(network, connection.path, source)
    bias = gain * torch.from_numpy(bias_current(network, name))
    offset = 0.0 if neuron.offset is None else torch.from_numpy(neuron.offset)
    beta = torch.from_numpy(neuron.beta)
    if neuron.alpha is None:
        offset = offset + bias
    else:
        entering += bias
    u = torch.zeros_like(entering[0])
    v = torch.zeros_like(u)
    largest_u = largest_v = 0.0
    for t in range(steps):
        u = entering[t] if neuron.alpha is None else torch.from_numpy(neuron.alpha) * u + entering[t]
        v = beta * v + u + offset
        largest_u = max(largest_u, float(u.abs().max()))
        largest_v = max(largest_v, float(v.abs().max()))
        if neuron.threshold is not None:  # every reset as one to zero: close enough for a range
            v = torch.where(trace.outputs[name][t] > 0, 0.0, v)
    return Range(float(entering.abs().max()), largest_u, largest_v, seen=True)


def _through(network: Network, path: tuple[str, ...], x: Tensor) -> Tensor:
    """The linear nodes of a path without their biases."""
    for name in path:
        module = module_of(network, name, torch.float64)
        if getattr(module, "bias", None) is not None:
            module.register_parameter("bias", None)
        if isinstance(module, Delay):
            x = module(x)
        else:
            static = len(x) > 1 and x.stride(0) == 0
            y = module(x[0] if static else x.flatten(0, 1))
            x = y.expand(len(x), *y.shape) if static else y.reshape(*x.shape[:2], *y.shape[1:])
    return x
