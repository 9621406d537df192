"""A model on one backend or several: what each does on the same samples, and where they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from torch import Tensor, cat

from spear_deploy.backends.backend import Ready
from spear_deploy.backends.fixed_point.losses import RoundingLoss, rounding_losses
from spear_deploy.backends.recording import LayerStates, joined
from spear_deploy.data import EncodedSplit, Split, encode
from spear_deploy.measure import Measurement, SynopsCounter, Tally, batches
from spear_deploy.network import Model

BATCH = 100
"""Samples that are run at a time, at most."""

STATES_AT_ONCE = 1 << 22
"""States over all steps and samples of a batch, at most: 32 MiB an array in float64."""

MEMBRANE_TOLERANCE = 1e-9
"""How far membranes of layers that do not spike may differ (relative): the order of float64 sums."""

Seen = Callable[[str, slice, Mapping[str, Tensor]], None]
"""Told a backend, the samples of a batch and the outputs of every layer, `[T, B, *shape]`."""


@dataclass(frozen=True)
class Result:
    """What one backend did.

    Attributes:
        backend: its name.
        measurement: accuracy, spikes and SynOps.
        states: the ranges of the states of every layer.
        losses: of rounding, where the backend computes in integers.

    """

    backend: str
    measurement: Measurement
    states: dict[str, LayerStates]
    losses: tuple[RoundingLoss, ...]


@dataclass(frozen=True)
class Place:
    """Where two backends first differ: in the first layer that does, its earliest step."""

    layer: str
    step: int
    sample: int
    neuron: int


@dataclass(frozen=True)
class LayerDifference:
    """One layer in two backends.

    Attributes:
        spikes: of each over all samples; 0 for layers that do not spike.
        differing: outputs (of a neuron, in a step of a sample) that differ.
        first: earliest step, then sample and neuron, of those.

    """

    spikes: tuple[int, int]
    differing: int
    first: tuple[int, int, int] | None

    @property
    def count_error_percent(self) -> float | None:
        """How many more spikes the second has; None where the first has none and the second has."""
        first, second = self.spikes
        if not first:
            return None if second else 0.0
        return 100.0 * (second - first) / first


@dataclass(frozen=True)
class Difference:
    """Two backends on the same samples."""

    backends: tuple[str, str]
    layers: dict[str, LayerDifference]

    @property
    def first(self) -> Place | None:
        """The first place; None where all outputs of all layers are equal."""
        for layer, found in self.layers.items():
            if found.first is not None:
                return Place(layer, *found.first)
        return None


@dataclass(frozen=True)
class Simulated:
    """All that was seen: each backend, and each pair of them."""

    results: dict[str, Result]
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether no two backends differ in any output."""
        return all(each.first is None for each in self.differences)


def simulate(
    model: Model, backends: Mapping[str, Ready], batches_of_data: Iterable[EncodedSplit], seen: Seen | None = None
) -> Simulated:
    """Run batch after batch through every backend; memory does not grow with the samples.

    Args:
        model: what the backends were made ready for.
        backends: by name.
        batches_of_data: see `encoded_batches`.
        seen: told all outputs as they come.

    """
    watching = {name: _Watching(name, ready, model) for name, ready in backends.items()}
    pairs = [_Pair(model, first, second) for first, second in combinations(backends, 2)]
    labels: list[Tensor] = []
    done = 0
    for data in batches_of_data:
        part = slice(done, done + len(data))
        outputs = {name: each.run(data) for name, each in watching.items()}
        for pair in pairs:
            pair.add(outputs, done)
        if seen is not None:
            for name, found in outputs.items():
                seen(name, part, found)
        labels.append(data.labels)
        done = part.stop
    results = {name: each.result(labels) for name, each in watching.items()}
    return Simulated(results, tuple(pair.difference() for pair in pairs))


def observe(name: str, ready: Ready, model: Model, data: EncodedSplit) -> Result:
    """One backend on encoded data."""
    parts = (data.take(part) for part in batches(len(data), _batch(model)))
    return simulate(model, {name: ready}, parts).results[name]


def encoded_batches(model: Model, split: Split, *, seed: int) -> Iterator[EncodedSplit]:
    """A split in batches that bound the memory of a simulation; the same draws as encoding it whole."""
    for part in batches(len(split), _batch(model)):
        yield encode(split.take(part), model.encoding, model.time_steps, seed=seed)


def _batch(model: Model) -> int:
    """Samples that can be run at a time."""
    neurons = sum(neuron.beta.size for neuron in model.network.neurons.values())
    widest = max(neurons, int(np.prod(model.network.input_shape)))
    return min(BATCH, max(1, STATES_AT_ONCE // (model.time_steps * widest)))


class _Watching:
    """One backend in the middle of its batches."""

    def __init__(self, name: str, ready: Ready, model: Model) -> None:
        self.name, self.ready, self.model = name, ready, model
        self.tally: Tally | None = None
        self.states: dict[str, LayerStates] = {}

    def run(self, data: EncodedSplit) -> Mapping[str, Tensor]:
        found = self.ready.watch(data.inputs)
        if self.tally is None:  # a backend may know its synapses only once it has run
            counter = SynopsCounter(self.model.network, found.fan_out)
            self.tally = Tally(self.model, counter, data.analog)
        self.tally.add(data.inputs, found.outputs)
        self.states = joined([self.states, found.states])
        return found.outputs

    def result(self, labels: list[Tensor]) -> Result:
        assert self.tally is not None
        filled = {layer: states.filled for layer, states in self.states.items()}
        quantized = self.ready.quantized
        losses = () if quantized is None else rounding_losses(quantized, filled)
        return Result(self.name, self.tally.measurement(cat(labels)), self.states, losses)


class _Pair:
    """Two backends in the middle of their batches."""

    def __init__(self, model: Model, first: str, second: str) -> None:
        self.model, self.names = model, (first, second)
        self.layers = dict.fromkeys(model.network.layers, LayerDifference((0, 0), 0, None))

    def add(self, outputs: Mapping[str, Mapping[str, Tensor]], start: int) -> None:
        for layer, before in self.layers.items():
            spiking = self.model.network.neurons[layer].spikes
            ours, theirs = (outputs[name][layer].double().flatten(2) for name in self.names)
            if spiking:
                wrong = (ours != theirs).numpy()
            else:
                wrong = ~np.isclose(ours.numpy(), theirs.numpy(), rtol=MEMBRANE_TOLERANCE, atol=MEMBRANE_TOLERANCE)
            spikes = (int(ours.sum()), int(theirs.sum())) if spiking else (0, 0)
            first = before.first
            if wrong.any():
                step, sample, neuron = (int(number) for number in np.argwhere(wrong)[0])
                here = (step, sample + start, neuron)
                first = here if first is None else min(first, here)
            self.layers[layer] = LayerDifference(
                (before.spikes[0] + spikes[0], before.spikes[1] + spikes[1]),
                before.differing + int(wrong.sum()),
                first,
            )

    def difference(self) -> Difference:
        return Difference(self.names, self.layers)
