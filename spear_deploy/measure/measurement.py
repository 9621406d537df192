"""What a network did on a split: accuracy, spikes and synaptic operations, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.data import EncodedSplit
from spear_deploy.measure.record import Recorder, SpikeRecord
from spear_deploy.measure.scoring import SCORINGS
from spear_deploy.measure.synops import SynopsCounter
from spear_deploy.network import Connection, Model, ReadOut, Simulation, Trace, class_scores
from spear_deploy.network.batching import batches, samples_at_once
from spear_deploy.network.device import CPU, where_held


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
        accuracy: share of samples whose class was right; of a regression, R2.
        synops: mean synaptic operations caused by spikes, per inference.
        synops_analog: mean operations of analog input values that are not zero, per inference.
        layers: by neuron layer, in order.
        per_sample: synops of each sample, `[N]`.
        peak_step_synops: synops of each sample's busiest time step, `[N]`.
        predictions: class of each sample, `[N]`, or its values, `[N, K]` in float64.
        events: by layer, how often each neuron spiked in an inference, the mean, `[*shape]`; under
            the input's name how often each input was not zero. A layer that does not spike has none.
        record: the same step by step, of the first samples (as many as a record may hold).

    """

    samples: int
    accuracy: float
    synops: float
    synops_analog: float
    layers: dict[str, LayerCount]
    per_sample: Tensor
    peak_step_synops: Tensor
    predictions: Tensor
    events: dict[str, NDArray[np.float64]]
    record: SpikeRecord

    @property
    def p99_synops(self) -> float:
        """The fewest synops that 99 % of the samples stay within: one of the values measured."""
        return float(within(self.per_sample.cpu().numpy(), 0.99))

    @property
    def busiest_step_synops(self) -> float:
        """Synops of the busiest time step of all samples."""
        return float(self.peak_step_synops.max())


def within(values: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """The least of the values `[N, ..]` that a share of them stays within, by rank: one that was measured."""
    ranked: NDArray[np.float64] = np.sort(values, axis=0)[math.ceil(share * len(values)) - 1]
    return ranked


def classify(output: Tensor, read_out: ReadOut = ReadOut.COUNT, population: int = 1) -> Tensor:
    """Classes `[B]` from the outputs `[T, B, *shape]`: the largest of `class_scores`; ties go to the lowest class."""
    return class_scores(output, read_out, population).argmax(1)


def measure(
    model: Model,
    inputs: Tensor,
    labels: Tensor,
    *,
    analog_input: bool,
    dtype: torch.dtype = torch.float32,
) -> Measurement:
    """Run a model in torch on inputs `[T, N, *input_shape]` with its labels, and count."""
    return measure_with(model, _running(model, dtype), inputs, labels, analog_input=analog_input)


def measure_split(model: Model, data: EncodedSplit, *, dtype: torch.dtype = torch.float32) -> Measurement:
    """Run a model in torch on encoded samples, on their device and some at a time, and count."""
    return measure_split_with(model, _running(model, dtype), data)


def accuracy_on(model: Model, data: EncodedSplit, *, dtype: torch.dtype = torch.float32) -> float:
    """The accuracy that `measure_split` finds, to the bit, without counting spikes or operations."""
    run, found = _running(model, dtype), []
    for part in batches(len(data), samples_at_once(model.network, model.time_steps, data.device)):
        output = run(data.take(part).inputs)[model.network.read_out]
        found.append(model.answers(output).cpu())
    return SCORINGS[model.objective.kind].score(torch.cat(found), data.labels)


def _running(model: Model, dtype: torch.dtype) -> Callable[[Tensor], Mapping[str, Tensor]]:
    simulation, lies_on = Simulation(model.network, dtype), CPU

    @torch.no_grad()
    def run(x: Tensor) -> Mapping[str, Tensor]:
        nonlocal lies_on
        given = where_held(x, dtype)
        if given.device != lies_on:  # moving it looks at every parameter
            simulation.to(given.device)
            lies_on = given.device
        trace: Trace = simulation(given)
        return trace.outputs

    return run


def measure_with(
    model: Model,
    run: Callable[[Tensor], Mapping[str, Tensor]],
    inputs: Tensor,
    labels: Tensor,
    *,
    analog_input: bool,
    fan_out: Mapping[Connection, Tensor] | None = None,
) -> Measurement:
    """Count what `run` does with inputs `[T, N, *input_shape]`, some samples at a time.

    `run` gives each layer's outputs `[T, B, *shape]`; `fan_out` are the synapses that a spike
    reached there, by connection, where they are not the model's own.
    """
    tally = Tally(model, SynopsCounter(model.network, fan_out), analog_input)
    for part in batches(len(labels), samples_at_once(model.network, model.time_steps, inputs.device)):
        tally.add(inputs[:, part], run(inputs[:, part]))
    return tally.measurement(labels)


def measure_split_with(
    model: Model,
    run: Callable[[Tensor], Mapping[str, Tensor]],
    data: EncodedSplit,
    *,
    fan_out: Mapping[Connection, Tensor] | None = None,
) -> Measurement:
    """Count what `run` does with encoded samples, see `measure_with`; only a batch of them is ever unpacked."""
    tally = Tally(model, SynopsCounter(model.network, fan_out), data.analog)
    for part in batches(len(data), samples_at_once(model.network, model.time_steps, data.device)):
        inputs = data.take(part).inputs
        tally.add(inputs, run(inputs))
    return tally.measurement(data.labels)


def measure_outputs(
    model: Model,
    inputs: Tensor,
    outputs: Mapping[str, Tensor],
    labels: Tensor,
    *,
    analog_input: bool,
    fan_out: Mapping[Connection, Tensor] | None = None,
) -> Measurement:
    """Count what another backend did: each layer's outputs `[T, N, *shape]` on inputs `[T, N, *input_shape]`.

    `fan_out` are the synapses that a spike reached there, by connection.
    """
    tally = Tally(model, SynopsCounter(model.network, fan_out), analog_input)
    for part in batches(len(labels), samples_at_once(model.network, model.time_steps, inputs.device)):
        tally.add(inputs[:, part], {layer: _floating(output[:, part]) for layer, output in outputs.items()})
    return tally.measurement(labels)


def _floating(values: Tensor) -> Tensor:
    return values if values.is_floating_point() else values.to(torch.float32)


class Tally:
    """Adds up batches.

    Args:
        model: the network.
        counter: of its synaptic operations.
        analog_input: whether inputs are values instead of spikes.

    """

    def __init__(self, model: Model, counter: SynopsCounter, analog_input: bool) -> None:
        self.model = model
        self.counter = counter
        self.analog_input = analog_input
        self.per_sample: list[Tensor] = []
        self.peak_step: list[Tensor] = []
        self.analog: list[Tensor] = []
        self.predictions: list[Tensor] = []
        shapes = {name: model.network.shapes[name] for name in (model.network.input, *model.network.layers)}
        self.happened = {name: np.zeros(shape) for name, shape in shapes.items()}
        """How often there was a spike, or a value that is not zero, by layer and under the input's name."""
        self.recorder = Recorder(model.network)

    def add(self, inputs: Tensor, outputs: Mapping[str, Tensor]) -> None:
        """Count one batch."""
        network = self.model.network
        events = self.counter.events(inputs, outputs)
        count = self.counter.count_events(events, analog_input=self.analog_input)
        for name, each in events.items():
            self.happened[name] += each.of_neurons().reshape(self.happened[name].shape)
        self.recorder.add(events)
        self.per_sample.append(count.total.cpu())
        self.peak_step.append(count.peak_step.cpu())
        self.analog.append(count.analog.cpu())
        self.predictions.append(self.model.answers(outputs[network.read_out]).cpu())

    def measurement(self, labels: Tensor) -> Measurement:
        """The means over all samples."""
        samples = len(labels)
        network = self.model.network
        predicted, each = torch.cat(self.predictions), torch.cat(self.per_sample)
        spiking = [name for name in network.layers if network.neurons[name].spikes]
        spikes, synops = (dict.fromkeys(network.layers, 0.0) for _ in range(2))
        for name in spiking:
            spikes[name] = float(self.happened[name].sum())
        for connection, reached in self.counter.fan_out.items():
            if not (self.analog_input and connection.source == network.input):
                synops[connection.target] += float((self.happened[connection.source] * reached.cpu().numpy()).sum())
        layers = {
            name: LayerCount(network.neurons[name].beta.size, spikes[name] / samples, synops[name] / samples)
            for name in network.layers
        }
        silent = self.happened.keys() - {network.input, *spiking}
        return Measurement(
            samples=samples,
            accuracy=SCORINGS[self.model.objective.kind].score(predicted, labels),
            synops=float(each.mean()),
            synops_analog=float(torch.cat(self.analog).mean()),
            layers=layers,
            per_sample=each,
            peak_step_synops=torch.cat(self.peak_step),
            predictions=predicted,
            events={
                name: np.zeros_like(count) if name in silent else count / samples
                for name, count in self.happened.items()
            },
            record=self.recorder.record(),
        )
