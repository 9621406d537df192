"""What a network did on a split: accuracy, spikes and synaptic operations, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from spear_deploy.measure.synops import SynopsCounter
from spear_deploy.network import Model, ReadOut, Simulation

BATCH = 100
"""Samples simulated at a time: bounds memory, and such a piece stays near the cache."""


@dataclass(frozen=True)
class LayerCount:
    """One neuron layer, means per inference.

    Attributes:
        neurons: how many there are.
        spikes: spikes they fire.
        synops: synaptic operations that spikes cause in the connections into the layer.

    """

    neurons: int
    spikes: float
    synops: float


@dataclass(frozen=True)
class Measurement:
    """What was measured on some samples.

    Attributes:
        samples: how many.
        accuracy: share of samples whose class was right.
        synops: mean synaptic operations caused by spikes, per inference.
        synops_analog: mean operations of analog input values that are not zero, per inference.
        layers: by neuron layer, in order.
        per_sample: synops of each sample, `[N]`.
        predictions: class of each sample, `[N]`.

    """

    samples: int
    accuracy: float
    synops: float
    synops_analog: float
    layers: dict[str, LayerCount]
    per_sample: Tensor
    predictions: Tensor


def classify(output: Tensor, read_out: ReadOut) -> Tensor:
    """Classes `[B]` from the outputs `[T, B, *shape]`: the largest sum over time.

    Spike counts and summed membranes are read alike; ties go to the lowest class.
    """
    return output.sum(0).flatten(1).argmax(1)


def batches(count: int, size: int = BATCH) -> Iterator[slice]:
    """Slices of at most `size` that cover `count` samples."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


@torch.no_grad()
def measure(
    model: Model,
    inputs: Tensor,
    labels: Tensor,
    *,
    analog_input: bool,
    dtype: torch.dtype = torch.float32,
    simulation: Simulation | None = None,
) -> Measurement:
    """Run a model on inputs `[T, N, *input_shape]` with labels `[N]`, and count.

    `simulation` saves building one from the model when the caller has it.
    """
    simulation = Simulation(model.graph, dtype) if simulation is None else simulation
    counter = SynopsCounter(model.network)
    network = model.network
    spikes = dict.fromkeys(network.layers, 0.0)
    synops = dict.fromkeys(network.layers, 0.0)
    per_sample, analog, predictions = [], [], []
    for part in batches(len(labels)):
        x = inputs[:, part].to(dtype)
        trace = simulation(x)
        count = counter.count(x, trace, analog_input=analog_input)
        for layer in network.layers:
            if network.neurons[layer].spikes:
                spikes[layer] += float(trace.outputs[layer].sum(dtype=torch.float64))
        for connection, operations in count.spike.items():
            synops[connection.target] += float(operations.sum())
        per_sample.append(count.total)
        analog.append(count.analog)
        predictions.append(classify(trace.output, model.read_out))
    samples = len(labels)
    predicted = torch.cat(predictions)
    layers = {
        name: LayerCount(network.neurons[name].beta.size, spikes[name] / samples, synops[name] / samples)
        for name in network.layers
    }
    each = torch.cat(per_sample)
    return Measurement(
        samples=samples,
        accuracy=float((predicted == labels).double().mean()),
        synops=float(each.mean()),
        synops_analog=float(torch.cat(analog).mean()),
        layers=layers,
        per_sample=each,
        predictions=predicted,
    )
