"""A model on one backend or several: what each does on the same samples, and where they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from torch import Tensor, cat

from spear_deploy.backends.backend import Executable, OnProgress
from spear_deploy.backends.fixed_point.losses import RoundingLoss, rounding_losses
from spear_deploy.backends.recording import LayerStates, Recording, joined
from spear_deploy.data import EncodedSplit, Split, encode
from spear_deploy.errors import BackendError
from spear_deploy.measure import Measurement, SynopsCounter, Tally
from spear_deploy.network import Model, batches, samples_at_once
from spear_deploy.network.agreement import Agreement, Tolerance, agreement

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
class Difference:
    """Two backends on the same samples."""

    backends: tuple[str, str]
    agreement: Agreement


@dataclass(frozen=True)
class Simulated:
    """All that was seen: each backend, and each pair of them."""

    results: dict[str, Result]
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether no two backends differ in any output."""
        return all(each.agreement.equal for each in self.differences)


def simulate(
    model: Model,
    backends: Mapping[str, Executable],
    batches_of_data: Iterable[EncodedSplit],
    seen: Seen | None = None,
    *,
    observe: bool = True,
) -> Simulated:
    """Run batch after batch through every backend; memory does not grow with the samples.

    Args:
        model: what the backends were made ready for.
        backends: by name.
        batches_of_data: see `encoded_batches`.
        seen: told all outputs as they come.
        observe: whether the ranges of states are recorded, which takes its time.

    """
    watching = {name: _Watching(name, executable, model, observe) for name, executable in backends.items()}
    pairs: dict[tuple[str, str], Agreement] = {}
    labels: list[Tensor] = []
    done = 0
    for data in batches_of_data:
        part = slice(done, done + len(data))
        outputs = {name: each.run(data) for name, each in watching.items()}
        for pair in combinations(backends, 2):
            a, b = ({layer: outputs[name][layer] for layer in model.network.layers} for name in pair)
            tolerance = max((backends[name].tolerance for name in pair), key=lambda each: each.membrane)
            found = agreement(a, b, tolerance, membranes=model.network.membranes, start=done)
            pairs[pair] = pairs[pair].followed_by(found) if pair in pairs else found
        if seen is not None:
            for name, sent in outputs.items():
                seen(name, part, sent)
        labels.append(data.labels)
        done = part.stop
    results = {name: each.result(labels) for name, each in watching.items()}
    return Simulated(results, tuple(Difference(*pair) for pair in pairs.items()))


def observe(name: str, executable: Executable, model: Model, data: EncodedSplit) -> Result:
    """One backend on encoded data."""
    parts = (data.take(part) for part in batches(len(data), _batch(model)))
    return simulate(model, {name: executable}, parts).results[name]


def held_against(
    reference: tuple[str, Executable], other: tuple[str, Recording], model: Model, data: EncodedSplit
) -> Simulated:
    """What a backend did with the first samples of `data`, beside the backend whose spikes it must repeat."""
    recording = other[1]
    backends = {reference[0]: reference[1], other[0]: _Replay(recording, reference[1].tolerance)}
    parts = (data.take(part) for part in batches(recording.samples))
    return simulate(model, backends, parts, observe=False)


def encoded_batches(model: Model, split: Split, *, seed: int) -> Iterator[EncodedSplit]:
    """A split in batches that bound the memory of a simulation; the same draws as encoding it whole."""
    for part in batches(len(split), _batch(model)):
        yield encode(split.take(part), model.encoding, model.time_steps, seed=seed)


def _batch(model: Model) -> int:
    """Samples that can be run at a time."""
    return samples_at_once(model.network, model.time_steps)


class _Watching:
    """One backend in the middle of its batches."""

    def __init__(self, name: str, executable: Executable, model: Model, observe: bool) -> None:
        self.name, self.executable, self.model, self.observe = name, executable, model, observe
        self.tally: Tally | None = None
        self.states: dict[str, LayerStates] = {}

    def run(self, data: EncodedSplit) -> Mapping[str, Tensor]:
        found = self.executable.run(data.inputs, observe=self.observe)
        self._check(found, data)
        if self.tally is None:  # a backend may know its synapses only once it has run
            counter = SynopsCounter(self.model.network, found.fan_out)
            self.tally = Tally(self.model, counter, data.analog)
        self.tally.add(data.inputs, found.outputs)
        self.states = joined([self.states, found.states])
        return {layer: output.cpu() for layer, output in found.outputs.items()}

    def _check(self, found: Recording, data: EncodedSplit) -> None:
        """Refuse outputs that nothing can be held against."""
        network = self.model.network
        missing = [layer for layer in network.layers if layer not in found.outputs]
        if missing:
            raise BackendError(f"{self.name}: gives no output of {', '.join(missing)}")
        for layer in network.layers:
            expected = (self.model.time_steps, len(data), *network.shapes[layer])
            shape = tuple(found.outputs[layer].shape)
            if shape != expected:
                raise BackendError(
                    f"{self.name}: gives outputs {list(shape)} of {layer}, [T, B, *shape] are {list(expected)}"
                )

    def result(self, labels: list[Tensor]) -> Result:
        assert self.tally is not None
        filled = {layer: states.filled for layer, states in self.states.items()}
        quantized = self.executable.integers
        losses = () if quantized is None else rounding_losses(quantized, filled)
        return Result(self.name, self.tally.measurement(cat(labels)), self.states, losses)


class _Replay(Executable):
    """A recording, some samples at a time."""

    def __init__(self, recording: Recording, tolerance: Tolerance) -> None:
        self.recording, self.tolerance, self.done = recording, tolerance, 0

    def run(self, inputs: Tensor, *, observe: bool = False, on_progress: OnProgress | None = None) -> Recording:
        part = slice(self.done, self.done + inputs.shape[1])
        self.done = part.stop
        return replace(self.recording, outputs={name: sent[:, part] for name, sent in self.recording.outputs.items()})
