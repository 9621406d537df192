"""Rounding while training: a network learns to do with the weights that a chip can hold.

In every forward pass weights and biases are the nearest points of the lattice that their layer
has on the chip; gradients pass as if nothing were rounded (straight-through estimator; Bengio,
Léonard & Courville 2013). Decays and thresholds are those of the chip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from spear_deploy.backends.fixed_point.fake_quantized import factor_of, rounded_neuron, weight_name
from spear_deploy.backends.fixed_point.formats import LOIHI2, Format, Lattice
from spear_deploy.backends.fixed_point.quantize import quantize
from spear_deploy.backends.fixed_point.quantized import QuantizedLayer, QuantizedNetwork, QuantizedSynapses
from spear_deploy.backends.fixed_point.rounding import lattice_of
from spear_deploy.network import Model, Simulation
from spear_deploy.network.simulation import NeuronLayer


def quantiser_for(
    model: Model,
    chip: Format = LOIHI2,
    weight_bits: Mapping[str, int] | None = None,
    *,
    calibration: Tensor | None = None,
) -> Callable[[Simulation], None]:
    """What makes a simulation of the model round as the chip does; see `quantiser_of`.

    Args:
        model: the network, whose scales are searched as `quantize` does, and then stay.
        chip: the number formats.
        weight_bits: bits of the weights into single layers, by name.
        calibration: samples `[T, B, *input_shape]`.

    Raises:
        BackendError: the chip cannot run the network.

    """
    bits = None if weight_bits is None else dict(weight_bits)
    return quantiser_of(model, quantize(model, chip, calibration=calibration, weight_bits=bits))


def quantiser_of(model: Model, quantized: QuantizedNetwork) -> Callable[[Simulation], None]:
    """What makes a simulation of the model round on the scales of a quantised one.

    Weights that become part of another matrix on the chip (a pool follows their convolution, or
    several ways lead through them) have no lattice of their own and are trained as they are.
    """

    def prepare(simulation: Simulation) -> None:
        for layer in quantized.layers:
            neurons = simulation.module(layer.name)
            if isinstance(neurons, NeuronLayer):
                rounded = rounded_neuron(model.network, layer, quantized)
                neurons.load_state_dict(NeuronLayer(rounded, neurons.dtype, neurons.spike).state_dict())
            for found in layer.synapses:
                _round_node(simulation, model, layer, found, quantized)

    return prepare


def _round_node(
    simulation: Simulation, model: Model, layer: QuantizedLayer, found: QuantizedSynapses, quantized: QuantizedNetwork
) -> None:
    network = model.network
    name, factor = weight_name(network, found.connection.path), factor_of(network, found.connection)
    if name is None or factor is None:
        return
    levels = quantized.levels.of_one if found.graded and quantized.levels is not None else 1.0
    lattice = replace(quantized.format, weight_bits=found.weight_bits).lattice(mixed=found.mixed)
    unit = lattice.step * 2.0**found.exponent / layer.scale * levels / factor
    module = simulation.module(name)
    _register(module, "weight", unit, lattice)
    if getattr(network.nodes[name], "bias", None) is not None:
        gain = network.neurons[layer.name].gain.reshape(len(factor), -1).mean(axis=1)
        _register(module, "bias", _bias_unit(layer, quantized.format) / gain, None)


def _bias_unit(layer: QuantizedLayer, chip: Format) -> float:
    """The coarsest step between two biases of a layer, in the units of the float network's currents."""
    if layer.axon is not None:
        step = lattice_of(layer.axon.astype(np.float64), chip).step
        return float(step * 2.0**layer.axon_exponent / layer.scale)
    return float(2.0 ** layer.bias_exponent.max() / (layer.scale * (1 << chip.input_shift)))


def _register(module: nn.Module, key: str, unit: np.ndarray[Any, Any], lattice: Lattice | None) -> None:
    ends = (-np.inf, np.inf) if lattice is None else (lattice.low / lattice.step, lattice.high / lattice.step)
    values = getattr(module, key)
    register_parametrization(
        module, key, _Rounded(torch.as_tensor(unit, dtype=values.dtype, device=values.device), *ends)
    )


class _Rounded(nn.Module):
    """A parameter as multiples of a unit."""

    unit: Tensor

    def __init__(self, unit: Tensor, low: float, high: float) -> None:
        super().__init__()
        self.register_buffer("unit", unit)
        self.low, self.high = low, high

    def forward(self, values: Tensor) -> Tensor:
        rounded: Tensor = _StraightThrough.apply(values, self.unit, self.low, self.high)  # type: ignore[no-untyped-call]
        return rounded


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, unit: Tensor, low: float, high: float) -> Tensor:
        return (values / unit).round_().clamp_(low, high).mul_(unit)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return gradient, None, None, None
