"""A chip's integers as a backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Self

import networkx as nx
import torch
from torch import Tensor

from spear_deploy.backends.backend import Backend, Executable, OnProgress, Setting
from spear_deploy.backends.fixed_point.chip_format import format_of
from spear_deploy.backends.fixed_point.formats import Format, held_by
from spear_deploy.backends.fixed_point.host import split_first_layer
from spear_deploy.backends.fixed_point.loihi import LoihiExecution, States
from spear_deploy.backends.fixed_point.peaks import membrane_peaks
from spear_deploy.backends.fixed_point.quantiser import quantiser_for
from spear_deploy.backends.fixed_point.quantize import quantize
from spear_deploy.backends.fixed_point.quantized import QuantizedNetwork
from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.backends.recording import LayerStates, Recording, range_of
from spear_deploy.backends.torch import TorchExecutable
from spear_deploy.errors import BackendError
from spear_deploy.network import Connection, Model, Network, fan_out
from spear_deploy.network.agreement import EXACT
from spear_deploy.network.synapses import paths_out
from spear_deploy.training import Quantiser

TRAINED_BITS = 4
"""With so few bits the second fine-tune of a recurrent network rounds as the chip does.

There it brought .7 points (recurrent LIF, MNIST); convolutional networks lost up to .35 against an
equally long plain fine-tune, so they are rounded afterwards (docs/fixed-point.md).
"""


class ChipBackend(Backend):
    """The model in a chip's integers; scales are chosen on calibration inputs `[T, N, *input_shape]`.

    Args:
        chip: the number formats.
        calibration: the inputs.
        weight_bits: bits of the weights into single layers, where they are not the chip's own.
        host_first: whether a first layer that sees values runs on the host in float64, where the
            chip's spikes carry none.

    """

    name: ClassVar[str] = "chip"
    integers: ClassVar[bool] = True

    def __init__(
        self,
        chip: Format,
        calibration: Tensor,
        weight_bits: WeightBits | None = None,
        *,
        host_first: bool = False,
    ) -> None:
        self.chip = chip
        self.calibration = calibration
        self.weight_bits = weight_bits or WeightBits()
        self.host_first = host_first and not chip.graded_bits
        ending = "" if chip.weight_exponent_max > chip.weight_exponent_min else " without exponents"
        self.arithmetic = f"loihi, {self.weight_bits.text(chip.weight_bits)} weights{ending}"

    @classmethod
    def of(cls, setting: Setting) -> Self:
        """The integers of the chip."""
        if setting.chip is None or setting.calibration is None:
            raise BackendError("a chip's integers need a chip, and samples to choose their scales on")
        chip = format_of(setting.chip)
        if chip is None:
            raise BackendError(
                f"{setting.chip.name}: the profile names no arithmetic (neurons.arithmetic), so there are no integers"
                " to run; use torch, or another chip such as loihi2"
            )
        held = held_by(setting.file_format, chip)
        return cls(held, setting.calibration, setting.weight_bits, host_first=setting.host_first)

    def prepare(self, model: Model, *, reference: Executable | None = None) -> Executable:
        """Round the model and prepare its integer execution."""
        bits = self.weight_bits.by_layer(model.network, self.chip.weight_bits)
        split = split_first_layer(model) if self.host_first else None
        on_chip = model if split is None else split.chip
        calibration = self.calibration if split is None else split.chip_inputs(self.calibration)
        quantized = quantize(on_chip, self.chip, calibration=calibration, weight_bits=bits)
        return ChipExecutable(quantized, None if split is None else split.host)

    def quantiser(self, model: Model) -> Quantiser | None:
        """Rounding for the fine-tune of a model, where that pays: see `TRAINED_BITS`."""
        bits = self.weight_bits.by_layer(model.network, self.chip.weight_bits)
        few = min(bits.values(), default=self.chip.weight_bits) <= TRAINED_BITS
        if self.host_first or not few or not is_recurrent(model.network):
            return None
        return quantiser_for(model, self.chip, bits, calibration=self.calibration)


class ChipExecutable(Executable):
    """A rounded network; where a chip's spikes carry no values, its first layer is `host`, in float64."""

    tolerance = EXACT

    def __init__(self, integers: QuantizedNetwork, host: Model | None = None) -> None:
        self.integers: QuantizedNetwork = integers
        self.execution = LoihiExecution(integers)
        self.host = None if host is None else _Host(host)
        self.fan_out = integer_fan_out(integers)

    def run(self, inputs: Tensor, *, observe: bool = False, on_progress: OnProgress | None = None) -> Recording:
        """Run all samples."""
        before = None if self.host is None else self.host.run(inputs, observe=observe)
        states = States() if observe else None
        sent = inputs if before is None else before.outputs[self.integers.network.input]
        outputs = self.execution.run(sent, watch=states).outputs
        seen = {} if states is None else integer_states(self.integers, states.u, states.v)
        found = Recording(outputs, seen, self.fan_out, self.integers)
        return found if before is None else found.after(before)


class _Host(TorchExecutable):
    """The first layer in float64, which says itself how many synapses its inputs reach."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, torch.float64)
        self.fan_out = {each: fan_out(model.network, each) for each in model.network.connections}

    def run(self, inputs: Tensor, *, observe: bool = False, on_progress: OnProgress | None = None) -> Recording:
        """Run all samples."""
        return replace(super().run(inputs, observe=observe), fan_out=self.fan_out)


def is_recurrent(network: Network) -> bool:
    """Whether some layer's spikes come back to it."""
    ways = nx.DiGraph((connection.source, connection.target) for connection in network.connections)
    return not nx.is_directed_acyclic_graph(ways)


def integer_states(
    quantized: QuantizedNetwork, u: Mapping[str, Tensor], v: Mapping[str, Tensor]
) -> dict[str, LayerStates]:
    """Ranges of integer states `[T, B, *shape]`, in the units of the float network."""
    found = {}
    for layer in quantized.layers:
        unit = layer.scale * (1 << quantized.format.input_shift)
        current = quantized.network.neurons[layer.name].alpha is not None
        found[layer.name] = LayerStates(
            range_of(u[layer.name], unit) if current else None,
            range_of(v[layer.name], unit),
            membrane_peaks(layer, quantized.format, u[layer.name], v[layer.name]) / quantized.format.state_limit,
        )
    return found


def integer_fan_out(quantized: QuantizedNetwork) -> dict[Connection, Tensor]:
    """Synapses that a spike of each source reaches, `[*source_shape]`; weights that became 0 are none."""
    found = {}
    for layer in quantized.layers:
        for synapses in layer.synapses:
            shape = quantized.network.shapes[synapses.connection.source]
            found[synapses.connection] = paths_out(synapses.nodes, shape)
    return found
