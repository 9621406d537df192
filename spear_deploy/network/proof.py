"""Proof of a conversion: the original and the converted network, spike for spike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import nir
import torch
from torch import Tensor

from spear_deploy.errors import ModelError
from spear_deploy.network.model import Encoding, Model
from spear_deploy.network.simulation import Simulation

MEMBRANE_TOLERANCE = 1e-9
"""How far a membrane that is read out may differ, relative to the largest: float64 rounding."""

_RATES = (0.1, 0.3, 0.6, 0.9)
_SEED = 20


@dataclass(frozen=True)
class Proof:
    """What was compared: every neuron layer's output in every step, and found equal.

    Attributes:
        samples: inputs that both networks ran on.
        time_steps: steps of each.
        layers: neuron layers compared.
        spikes: spikes of the original in those layers, all found at their place.
        silent: layers that gave no spike on the samples: nothing is proven for those.

    """

    samples: int
    time_steps: int
    layers: int
    spikes: int
    silent: tuple[str, ...] = ()

    def as_metadata(self) -> dict[str, object]:
        """Plain values, as graph metadata keeps them."""
        return {
            "samples": self.samples,
            "time_steps": self.time_steps,
            "layers": self.layers,
            "spikes": self.spikes,
            "silent": ", ".join(self.silent),
        }


def sample_input(
    shape: Sequence[int], time_steps: int, *, static: bool, binary: bool, strongest: float = 3.0
) -> Tensor:
    """Inputs of several strengths, `[T, B, *shape]` in float64, always the same.

    Static analog values of several ranges up to `strongest`, or spikes of several rates.
    """
    generator = torch.Generator().manual_seed(_SEED)
    size = (1 if static and not binary else time_steps, len(_RATES), *shape)
    strength = torch.tensor(_RATES, dtype=torch.float64).reshape(1, -1, *(1,) * len(shape))
    values = torch.rand(size, generator=generator, dtype=torch.float64)
    x = (values < strength).double() if binary else values * strongest * strength
    return x.expand(time_steps, *x.shape[1:])


def prove_equal(original: Model, converted: Model, sample: Tensor | None = None) -> Proof:
    """Run two models on the same input and compare every neuron layer.

    Args:
        original: the model that is right by definition.
        converted: the same network in another form; its layers keep their names.
        sample: `[T, B, *input_shape]`; else inputs of several strengths are made.

    Raises:
        ModelError: a layer is missing, or an output differs; names the layer, step and count.

    """
    if sample is None:
        binary = original.encoding is not Encoding.DIRECT
        shape = original.network.input_shape
        sample = sample_input(shape, original.time_steps, static=not binary, binary=binary)
    missing = set(original.network.layers) ^ set(converted.network.layers)
    if missing:
        raise ModelError(f"{', '.join(sorted(missing))}: in one of the two networks only")
    with torch.no_grad():
        trace = Simulation(original.graph, torch.float64)(sample.double())
    return compare(trace.outputs, converted.graph, sample.double())


def compare(expected: Mapping[str, Tensor | list[Tensor]], graph: nir.NIRGraph, sample: Tensor) -> Proof:
    """Run a converted network and compare it with what the original did.

    Args:
        expected: by neuron layer, the original's output, `[T, B, *shape]` or a list over time:
            spikes, or the membrane of a layer that does not spike.
        graph: the converted network.
        sample: `[T, B, *input_shape]`.

    Raises:
        ModelError: an output differs; names the layer, the step and how many.

    """
    simulation = Simulation(graph, torch.float64)
    with torch.no_grad():
        trace = simulation(sample)
    neurons = simulation.network.neurons
    spikes, silent = 0, []
    for layer in (name for name in trace.outputs if name in expected):
        given = expected[layer]
        original = given if isinstance(given, Tensor) else torch.stack(given)
        found = trace.outputs[layer]
        if neurons[layer].spikes:
            wrong = (original != 0) != (found != 0)
            count = int((original != 0).sum())
            spikes += count
            silent += [] if count else [layer]
        else:
            scale = original.abs().max().clamp(min=1.0)
            wrong = ~torch.isclose(original, found, rtol=0, atol=float(scale) * MEMBRANE_TOLERANCE)
        if bool(wrong.any()):
            step = int(wrong.flatten(1).any(1).nonzero()[0])
            kind = "spikes" if neurons[layer].spikes else "membranes"
            raise ModelError(
                f"{layer}: the converted network differs from the original in time step {step}:"
                f" {int(wrong[step].sum())} of {wrong[step].numel()} {kind}; it was not converted"
            )
    return Proof(sample.shape[1], len(sample), len(trace.outputs.keys() & expected.keys()), spikes, tuple(silent))
