"""Proof that a file holds the network: every layer's output against the simulation's."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import Tensor

from spear_deploy.errors import ExportError
from spear_deploy.exporting.exporter import Exporter, Outputs, simulate, told_by_name
from spear_deploy.exporting.samples import sample_inputs
from spear_deploy.exporting.ties import margins
from spear_deploy.network import Model
from spear_deploy.network.agreement import EXACT, FLOAT64, Agreement, Tolerance, agreement

TIE = 1e-5
"""A float32 spike may differ where the float64 membrane is this near the threshold, relative to it."""

MEMBRANE = {"float64": FLOAT64.membrane, "float32": 1e-4, "integers": EXACT.membrane}
"""How far a membrane that is read out may differ, relative to the largest: what rounding in
another order of summation amounts to over an inference. Spikes have no tolerance."""


def compare(model: Model, inputs: Tensor, expected: Outputs, found: Outputs, arithmetic: str) -> Agreement:
    """Compare the outputs of all neuron layers, each `[T, B, *shape]`.

    In float64 and fixed point every spike must be at its place. In float32, two programs that sum in
    different orders may disagree on a membrane that stands at the threshold: the first
    difference of a sample is a tie where the float64 membrane, driven by the same spikes, lies within
    `TIE` of it; nothing later in that sample can be compared.

    Raises:
        ExportError: the outputs of a layer have another shape than the network's.

    """

    def ties() -> dict[str, Tensor]:
        return {layer: distance <= TIE for layer, distance in margins(model, inputs, expected).items()}

    tolerance = Tolerance(MEMBRANE[arithmetic], ties if arithmetic == "float32" else None)
    held = {name: expected[name] for name in model.network.layers if name in expected}
    try:
        return agreement(held, found, tolerance, membranes=model.network.membranes)
    except ValueError as error:
        raise ExportError(f"the file does not give what the network does: {error}") from None


def check_faithful(exporter: Exporter, model: Model, path: Path, inputs: Tensor) -> Agreement:
    """Run what a file holds and compare it with the model.

    A file of integers may be equal to those and still be of no use: where a layer is silent in it that
    fires in the network, it is not accepted.

    Raises:
        ExportError: the file is damaged or cannot be run, or a layer fell silent.
        NotRunnableError: what runs this format is not installed here.

    """
    with told_by_name(exporter):
        found = {name: torch.as_tensor(values) for name, values in exporter.run(path, inputs).items()}
        expected, held = exporter.expected(model, inputs), exporter.held(model)
    if exporter.fixed:
        _refuse_silence(model, inputs, found)
    return compare(held, inputs, expected, found, exporter.arithmetic)


def _refuse_silence(model: Model, inputs: Tensor, found: Outputs) -> None:
    floating = simulate(model, inputs, torch.float64)
    silent = {
        name: int((floating[name] != 0).sum())
        for name, neuron in model.network.neurons.items()
        if neuron.spikes and name in found and not found[name].any() and floating[name].any()
    }
    if silent:
        layers = ", ".join(f"{name} ({spikes:,} spikes)" for name, spikes in silent.items())
        raise ExportError(f"silent in these integers, but not in the network: {layers}; choose other integers")


def assert_faithful(exporter: Exporter, model: Model, inputs: Tensor | None = None) -> Agreement:
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
