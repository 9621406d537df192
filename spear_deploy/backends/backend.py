"""Where spikes come from: torch in floating point, or the integers that a Loihi computes in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import networkx as nx
import numpy as np
import torch
from torch import Tensor

from spear_deploy.backends.fixed_point.chip_format import format_of
from spear_deploy.backends.fixed_point.formats import Format, held_by
from spear_deploy.backends.fixed_point.host import HostSplit, split_first_layer
from spear_deploy.backends.fixed_point.loihi import LoihiExecution, States
from spear_deploy.backends.fixed_point.peaks import membrane_peaks
from spear_deploy.backends.fixed_point.quantiser import quantiser_for
from spear_deploy.backends.fixed_point.quantize import quantize
from spear_deploy.backends.fixed_point.quantized import QuantizedNetwork, mantissa_matrix
from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.backends.recording import LayerStates, Watched, range_of
from spear_deploy.data import EncodedSplit
from spear_deploy.device import CPU, where_held
from spear_deploy.hardware import Profile
from spear_deploy.measure import Measurement, measure_split_with
from spear_deploy.network import Connection, Model, Network, Simulation, Trace, fan_out
from spear_deploy.training import Quantiser

CALIBRATION_SAMPLES = 256
"""Training samples that the scales of integers are chosen on."""


TRAINED_BITS = 4
"""With so few bits the second fine-tune of a recurrent network rounds as the chip does.

There it brought .7 points (recurrent LIF, MNIST); convolutional networks lost up to .35 against an
equally long plain fine-tune, so they are rounded afterwards (docs/fixed-point.md).
"""


@dataclass(frozen=True)
class Ready:
    """A model that a backend can run.

    Attributes:
        run: inputs `[T, B, *input_shape]` to the outputs of every layer, `[T, B, *shape]`.
        watch: the same, with the ranges of all states.
        fan_out: synapses that a spike reaches there; None where they are the model's own.
        quantized: the integers, where the backend computes in them.
        host: what a first layer on the host sends, watched; None where there is none.

    """

    run: Callable[[Tensor], Mapping[str, Tensor]]
    watch: Callable[[Tensor], Watched]
    fan_out: Mapping[Connection, Tensor] | None = None
    quantized: QuantizedNetwork | None = None
    host: Callable[[Tensor], Watched] | None = None


class Backend(Protocol):
    """Runs models in one arithmetic."""

    name: str
    arithmetic: str

    def ready(self, model: Model) -> Ready:
        """Prepare a model; refused where the arithmetic cannot hold it."""
        ...

    def quantiser(self, model: Model) -> Quantiser | None:
        """What rounds a model as the arithmetic does while it is fine-tuned, where that pays."""
        ...


class TorchBackend:
    """The torch simulation in floating point."""

    name = "torch"

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        self.dtype = dtype
        self.arithmetic = str(dtype).removeprefix("torch.")

    def ready(self, model: Model) -> Ready:
        """A simulation of the model."""
        simulation = Simulation(model.graph, self.dtype)

        @torch.no_grad()
        def run(inputs: Tensor) -> Mapping[str, Tensor]:
            given = where_held(inputs, self.dtype)
            trace: Trace = simulation.to(given.device)(cast(given, self.dtype))
            return trace.outputs

        def watch(inputs: Tensor) -> Watched:
            given = where_held(inputs, self.dtype)
            return _watch_torch(simulation.to(given.device), cast(given, self.dtype))

        return Ready(run, watch)

    def quantiser(self, model: Model) -> Quantiser | None:
        """Nothing is rounded."""
        return None


class LoihiBackend:
    """The model in a Loihi's integers; scales are chosen on calibration inputs `[T, N, *input_shape]`.

    Args:
        chip: the number formats.
        calibration: the inputs.
        weight_bits: bits of the weights into single layers, where they are not the chip's own.
        host_first: whether a first layer that sees values runs on the host in float64, where the
            chip's spikes carry none.

    """

    name = "loihi"

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
        self.arithmetic = f"loihi, {self.weight_bits.text(chip.weight_bits)} weights"

    def ready(self, model: Model) -> Ready:
        """Round the model and prepare its integer execution.

        Raises:
            BackendError: the chip's integers cannot hold the network; names layer, rule and way out.

        """
        bits = self.weight_bits.by_layer(model.network, self.chip.weight_bits)
        split = split_first_layer(model) if self.host_first else None
        on_chip = model if split is None else split.chip
        calibration = self.calibration if split is None else split.chip_inputs(self.calibration)
        quantized = quantize(on_chip, self.chip, calibration=calibration, weight_bits=bits)
        execution = LoihiExecution(quantized)
        reached = integer_fan_out(quantized)
        if split is None:
            return Ready(
                lambda inputs: execution.run(inputs).outputs,
                lambda inputs: _watch_integers(execution, inputs, reached),
                reached,
                quantized,
            )
        reached |= {connection: fan_out(model.network, connection) for connection in split.host.network.connections}
        return _with_host(split, execution, reached, quantized)

    def quantiser(self, model: Model) -> Quantiser | None:
        """Rounding for the fine-tune of a model, where that pays: see `TRAINED_BITS`."""
        bits = self.weight_bits.by_layer(model.network, self.chip.weight_bits)
        few = min(bits.values(), default=self.chip.weight_bits) <= TRAINED_BITS
        if self.host_first or not few or not is_recurrent(model.network):
            return None
        return quantiser_for(model, self.chip, bits, calibration=self.calibration)


def is_recurrent(network: Network) -> bool:
    """Whether some layer's spikes come back to it."""
    ways = nx.DiGraph((connection.source, connection.target) for connection in network.connections)
    return not nx.is_directed_acyclic_graph(ways)


def cast(inputs: Tensor, dtype: torch.dtype) -> Tensor:
    """Inputs `[T, B, *input_shape]` in another precision; a static image stays one image, shown T times."""
    static = len(inputs) > 1 and inputs.stride(0) == 0
    return inputs[0].to(dtype).expand(inputs.shape) if static else inputs.to(dtype)


def _with_host(
    split: HostSplit, execution: LoihiExecution, reached: Mapping[Connection, Tensor], quantized: QuantizedNetwork
) -> Ready:
    host = TorchBackend(torch.float64).ready(split.host)
    name = split.host.network.read_out

    def run(inputs: Tensor) -> Mapping[str, Tensor]:
        spikes = host.run(inputs)[name]
        return {name: spikes} | execution.run(spikes).outputs

    def watch(inputs: Tensor) -> Watched:
        before = host.watch(inputs)
        after = _watch_integers(execution, before.outputs[name], reached)
        return Watched({**before.outputs, **after.outputs}, {**before.states, **after.states}, reached)

    return Ready(run, watch, reached, quantized, host.watch)


def _watch_torch(simulation: Simulation, inputs: Tensor) -> Watched:
    seen: dict[str, LayerStates] = {}
    neurons = simulation.network.neurons

    def see(layer: str, u: Tensor, v: Tensor) -> None:
        now = LayerStates(None if neurons[layer].alpha is None else range_of(u), range_of(v))
        seen[layer] = seen[layer] | now if layer in seen else now

    with torch.no_grad():
        trace: Trace = simulation(inputs, watch=see)
    return Watched(trace.outputs, {layer: seen[layer] for layer in trace.outputs})


def _watch_integers(execution: LoihiExecution, inputs: Tensor, reached: Mapping[Connection, Tensor]) -> Watched:
    states = States()
    outputs = execution.run(inputs, watch=states).outputs
    quantized = execution.quantized
    seen = integer_states(quantized, states.u, states.v)
    return Watched(outputs, seen, reached)


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
            columns = np.diff(mantissa_matrix(quantized.network, synapses).tocsc().indptr)
            shape = quantized.network.shapes[synapses.connection.source]
            found[synapses.connection] = torch.from_numpy(columns.astype(np.float64)).reshape(shape)
    return found


def backend_of(
    profile: Profile,
    train: EncodedSplit,
    weight_bits: WeightBits | None = None,
    *,
    host_first: bool = False,
    file_format: str | None = None,
) -> Backend:
    """The arithmetic of a chip: its integers where they are known, else torch in float32.

    With `file_format`, those of its integers that the format can hold (`FILE_FORMATS`).
    """
    chip = format_of(profile)
    if chip is None:
        return TorchBackend()
    calibration = train.take(slice(0, CALIBRATION_SAMPLES)).on(CPU)  # integers are the same whatever they run on
    return LoihiBackend(held_by(file_format, chip), calibration.inputs, weight_bits, host_first=host_first)


def measure_on(backend: Backend, model: Model, data: EncodedSplit) -> Measurement:
    """Measure a model on encoded data in a backend."""
    return measure_ready(backend.ready(model), model, data)


def measure_ready(ready: Ready, model: Model, data: EncodedSplit) -> Measurement:
    """Measure a model that a backend has prepared."""
    return measure_split_with(model, ready.run, data, fan_out=ready.fan_out)
