"""Proof of a conversion: the original and the converted network, spike for spike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import nir
import torch
from torch import Tensor

from spear_deploy.errors import ModelError
from spear_deploy.network.agreement import FLOAT64, agreement
from spear_deploy.network.model import Model
from spear_deploy.network.objective import Objective, values_of
from spear_deploy.network.simulation import Simulation

_READ_OUT_TOLERANCE = 1e-9
"""How far a value that is read out may differ, relative to the largest: float64 rounding."""

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
        static, binary = original.encoding.static, not original.encoding.analog
        shape = original.network.input_shape
        sample = sample_input(shape, original.time_steps, static=static, binary=binary)
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
            spikes, or the membrane of a layer that does not spike. The conversion may need layers
            of its own beside these, as a max pool of spikes does.
        graph: the converted network.
        sample: `[T, B, *input_shape]`.

    Raises:
        ModelError: an output differs; names the layer, the step and how many.

    """
    simulation = Simulation(graph, torch.float64)
    with torch.no_grad():
        trace = simulation(sample)
    given = {
        layer: each if isinstance(each := expected[layer], Tensor) else torch.stack(each)
        for layer in (*trace.outputs, *expected)  # in the order of execution
        if layer in expected
    }
    converted = {layer: output for layer, output in trace.outputs.items() if layer in given}
    found = agreement(given, converted, FLOAT64, membranes=simulation.network.membranes)
    if found.only_in_one:
        raise ModelError(f"{', '.join(found.only_in_one)}: missing in the converted network")
    place = found.first_difference
    if place is not None:
        kind = "membranes" if place.layer in simulation.network.membranes else "spikes"
        raise ModelError(
            f"{place.layer}: the converted network differs from the original in time step {place.step}:"
            f" {found.layers[place.layer].differing} of {given[place.layer].numel()} {kind} over all steps;"
            " it was not converted"
        )
    spiking = [name for name in found.layers if name not in simulation.network.membranes]
    silent = tuple(name for name in spiking if not found.layers[name].spikes[0])
    return Proof(sample.shape[1], len(sample), len(found.layers), found.spikes, silent)


def compare_read_out(name: str, returned: Sequence[Tensor], graph: nir.NIRGraph, sample: Tensor) -> None:
    """Hold the currents that a network reads out against what the original returned.

    Args:
        name: the layer that gives them, for messages.
        returned: what the original returned: each step, all steps, their sum, mean or largest, or the last.
        graph: the converted network.
        sample: `[T, B, *input_shape]`.

    Raises:
        ModelError: it returned none of these, up to a positive factor.

    """
    with torch.no_grad():
        found = Simulation(graph, torch.float64)(sample).output
    given = torch.stack(list(returned)) if len(returned) > 1 else returned[0]
    forms = (found, found.transpose(0, 1), found.sum(0), found[-1], found[-1:], found.amax(0))
    if not any(form.shape == given.shape and _proportional(given, form) for form in forms):
        raise ModelError(
            f"{name}: the converted network reads out other values than the original; it was not converted"
        )


def scaled(objective: Objective, model: Model, returned: Sequence[Tensor], sample: Tensor) -> Objective:
    """A regression with the scale that makes a model's values those that the original returned.

    Args:
        objective: without a scale.
        model: the converted network.
        returned: what the original returned, as `compare_read_out` takes it.
        sample: `[T, B, *input_shape]`.

    Returns:
        The objective; without a scale also where the network gave nothing but zeros.

    Raises:
        ModelError: what was returned is no multiple of what the outputs are over time.

    """
    with torch.no_grad():
        found = values_of(Simulation(model.graph, torch.float64)(sample).output, model.read_out, model.population)
    given = torch.stack(list(returned)) if len(returned) > 1 else returned[0]
    for outputs in (given[None], given, given.transpose(0, 1)):  # over time already, each step, batch first
        if outputs.ndim < 3 or outputs.flatten(2).shape[1:] not in (found.shape, _each(model, found)):
            continue
        population = model.population if outputs[0, 0].numel() != model.values else 1
        wanted = values_of(outputs, model.read_out, population)
        if _proportional(wanted, found):
            square = float((found * found).sum())
            factor = float((wanted * found).sum()) / square if square else 1.0
            return Objective(f"{objective.kind}:scale={factor:.9g}")
    raise ModelError(
        "the network returns other values than its outputs are over time (their mean, sum, last step or largest, times"
        " a number above 0); end it with the layer whose outputs are the values, or name their scale:"
        f" objective='{objective.kind}:scale=8'"
    )


def _each(model: Model, found: Tensor) -> torch.Size:
    """The shape of all outputs, where several stand for a value."""
    return torch.Size((len(found), model.network.classes))


def _proportional(given: Tensor, found: Tensor) -> bool:
    """Whether one is a positive multiple of the other."""
    square = (found * found).sum()
    factor = float((given * found).sum() / square) if float(square) else 1.0
    scale = float(given.abs().max().clamp(min=1e-300))
    return factor > 0 and bool(((given - factor * found).abs() <= scale * _READ_OUT_TOLERANCE).all())
