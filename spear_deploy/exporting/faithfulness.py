"""Proof that a file holds the network: every layer's output against the simulation's."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from spear_deploy.errors import ExportError
from spear_deploy.exporting.exporter import Exporter, Outputs
from spear_deploy.exporting.samples import sample_inputs
from spear_deploy.exporting.ties import margins
from spear_deploy.network import Model

TIE = 1e-5
"""A float32 spike may differ where the float64 membrane is this near the threshold, relative to it."""

MEMBRANE_TOLERANCE = {"float64": 1e-9, "float32": 1e-4, "loihi": 0.0}
"""How far a membrane that is read out may differ, relative to the largest: what rounding in
another order of summation amounts to over an inference. Spikes have no tolerance."""


@dataclass(frozen=True)
class LayerComparison:
    """One neuron layer.

    Attributes:
        name: the layer.
        spikes: spikes of the simulation; 0 for a layer whose membrane is read out.
        differ: outputs that differ and follow from no tie.
        ties: first differences of a sample whose float64 membrane lies at the threshold.
        first: time step and sample of the first that differs.

    """

    name: str
    spikes: int
    differ: int
    ties: int
    first: tuple[int, int] | None


@dataclass(frozen=True)
class Comparison:
    """What was compared, and what came of it.

    Attributes:
        samples: B.
        time_steps: T.
        layers: in the order of execution.
        after_ties: samples that are not compared any further, because a tie changed them.
        missing: layers that the file does not hold, and those that only it holds.

    """

    samples: int
    time_steps: int
    layers: tuple[LayerComparison, ...]
    after_ties: int = 0
    missing: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether nothing differs but by ties."""
        return not self.missing and not any(layer.differ for layer in self.layers)

    @property
    def spikes(self) -> int:
        """Spikes of all layers in the simulation."""
        return sum(layer.spikes for layer in self.layers)

    @property
    def ties(self) -> int:
        """Ties of all layers."""
        return sum(layer.ties for layer in self.layers)

    @property
    def fault(self) -> str:
        """Where it differs, in one line; empty if it does not."""
        if self.missing:
            return f"layers {', '.join(self.missing)} are not in both"
        wrong = [layer for layer in self.layers if layer.differ and layer.first is not None]
        if not wrong:
            return ""
        layer = min(wrong, key=lambda each: each.first or (0, 0))
        step, sample = layer.first or (0, 0)
        return (
            f"{layer.name}: {layer.differ:,} outputs differ, first in time step {step} of sample {sample};"
            f" {len(wrong)} of {len(self.layers)} layers differ"
        )


def compare(model: Model, inputs: Tensor, expected: Outputs, found: Outputs, arithmetic: str) -> Comparison:
    """Compare the outputs of all neuron layers, each `[T, B, *shape]`.

    In float64 and fixed point every spike must be at its place. In float32, two programs that sum in
    different orders may disagree on a membrane that stands at the threshold: the first
    difference of a sample is a tie where the float64 membrane, driven by the same spikes, lies within
    `TIE` of it; nothing later in that sample can be compared.
    """
    layers = [name for name in model.network.layers if name in expected]
    missing = tuple(sorted(set(layers) ^ set(found)))
    if missing:
        return Comparison(inputs.shape[1], len(inputs), (), missing=missing)
    wrong = {name: _differences(model, name, expected[name], found[name], arithmetic) for name in layers}
    counted = torch.ones(inputs.shape[1], dtype=torch.bool)
    ties = dict.fromkeys(layers, 0)
    if arithmetic == "float32" and any(bool(each.any()) for each in wrong.values()):
        counted, ties = _ties(model, inputs, expected, wrong)
    return Comparison(
        samples=inputs.shape[1],
        time_steps=len(inputs),
        layers=tuple(_layer(model, name, expected[name], wrong[name], counted, ties[name]) for name in layers),
        after_ties=int((~counted).sum()),
    )


def check_faithful(exporter: Exporter, model: Model, path: Path, inputs: Tensor) -> Comparison:
    """Run what a file holds and compare it with the model.

    Raises:
        ExportError: the file is damaged or cannot be run.
        NotRunnableError: what runs this format is not installed here.

    """
    found = {name: torch.as_tensor(values) for name, values in exporter.run(path, inputs).items()}
    return compare(model, inputs, exporter.expected(model, inputs), found, exporter.arithmetic)


def assert_faithful(exporter: Exporter, model: Model, inputs: Tensor | None = None) -> Comparison:
    """Write a model, run the file and see that it does what the model does: the test of an exporter.

    Args:
        exporter: any exporter.
        model: a network that it can say.
        inputs: `[T, B, *input_shape]`; made up where not given.

    Raises:
        ExportError: the format refuses the model, or a layer's output differs; names where.

    """
    reasons = exporter.refuses(model)
    if reasons:
        raise ExportError(f"{exporter.name}: {'; '.join(reasons)}")
    with tempfile.TemporaryDirectory(prefix="spear-deploy-export-") as folder:
        path = Path(folder) / f"model{exporter.suffix}"
        exporter.write(model, path)
        comparison = check_faithful(exporter, model, path, sample_inputs(model) if inputs is None else inputs)
    if not comparison.equal:
        raise ExportError(f"{exporter.name}: {comparison.fault}")
    return comparison


def _differences(model: Model, name: str, expected: Tensor, found: Tensor, arithmetic: str) -> Tensor:
    if found.shape != expected.shape:
        raise ExportError(f"{name}: the file gives outputs {list(found.shape)}, the network {list(expected.shape)}")
    if model.network.neurons[name].spikes:
        return (expected != 0) != (found != 0)
    expected, found = expected.double(), found.double()
    allowed = MEMBRANE_TOLERANCE[arithmetic] * float(expected.abs().max().clamp(min=1e-30))
    return ~((expected - found).abs() <= allowed)


def _ties(model: Model, inputs: Tensor, expected: Outputs, wrong: Outputs) -> tuple[Tensor, dict[str, int]]:
    """Which samples are free of ties, and the ties of each layer."""
    layers: Sequence[str] = list(wrong)
    counted = torch.ones(inputs.shape[1], dtype=torch.bool)
    ties = dict.fromkeys(layers, 0)
    distance = margins(model, inputs, expected)
    by_step = torch.stack([wrong[name].flatten(2).any(2) for name in layers])  # [layer, T, B]
    for sample in torch.nonzero(by_step.flatten(0, 1).any(0)).flatten().tolist():
        step = int(by_step[:, :, sample].any(0).nonzero()[0])
        name = layers[int(by_step[:, step, sample].nonzero()[0])]
        where = wrong[name][step, sample]
        if name in distance and bool((distance[name][step, sample][where] <= TIE).all()):
            ties[name] += int(where.sum())
            counted[sample] = False
    return counted, ties


def _layer(model: Model, name: str, expected: Tensor, wrong: Tensor, counted: Tensor, ties: int) -> LayerComparison:
    remaining = wrong & counted.reshape(1, -1, *(1,) * (wrong.ndim - 2))
    places = remaining.flatten(2).any(2).nonzero()
    spikes = int((expected != 0).sum()) if model.network.neurons[name].spikes else 0
    first = (int(places[0][0]), int(places[0][1])) if len(places) else None
    return LayerComparison(name, spikes, int(remaining.sum()), ties, first)
