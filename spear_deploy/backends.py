"""Where spikes come from: torch in floating point, or the integers that a Loihi computes in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from spear_deploy.data import EncodedSplit
from spear_deploy.execution.chip_format import format_of
from spear_deploy.execution.formats import Format
from spear_deploy.execution.loihi import LoihiExecution
from spear_deploy.execution.quantize import quantize
from spear_deploy.execution.quantized import QuantizedNetwork, mantissa_matrix
from spear_deploy.hardware import Profile
from spear_deploy.measure import Measurement, measure_with
from spear_deploy.network import Connection, Model, Simulation, Trace

CALIBRATION_SAMPLES = 256
"""Training samples that the scales of integers are chosen on."""


@dataclass(frozen=True)
class Ready:
    """A model that a backend can run.

    Attributes:
        run: inputs `[T, B, *input_shape]` to the outputs of every layer, `[T, B, *shape]`.
        fan_out: synapses that a spike reaches there; None where they are the model's own.
        quantized: the integers, where the backend computes in them.

    """

    run: Callable[[Tensor], Mapping[str, Tensor]]
    fan_out: Mapping[Connection, Tensor] | None = None
    quantized: QuantizedNetwork | None = None


class Backend(Protocol):
    """Runs models in one arithmetic."""

    name: str
    arithmetic: str

    def ready(self, model: Model) -> Ready:
        """Prepare a model; refused where the arithmetic cannot hold it."""
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
            trace: Trace = simulation(inputs.to(self.dtype))
            return trace.outputs

        return Ready(run)


class LoihiBackend:
    """The model in a Loihi's integers; scales are chosen on calibration inputs `[T, N, *input_shape]`."""

    name = "loihi"

    def __init__(self, chip: Format, calibration: Tensor) -> None:
        self.chip = chip
        self.calibration = calibration
        self.arithmetic = f"loihi, {chip.weight_bits}-bit weights"

    def ready(self, model: Model) -> Ready:
        """Round the model and prepare its integer execution.

        Raises:
            BackendError: the chip's integers cannot hold the network; names layer, rule and way out.

        """
        quantized = quantize(model, self.chip, calibration=self.calibration)
        execution = LoihiExecution(quantized)
        return Ready(lambda inputs: execution.run(inputs).outputs, integer_fan_out(quantized), quantized)


def integer_fan_out(quantized: QuantizedNetwork) -> dict[Connection, Tensor]:
    """Synapses that a spike of each source reaches, `[*source_shape]`; weights that became 0 are none."""
    found = {}
    for layer in quantized.layers:
        for synapses in layer.synapses:
            columns = np.diff(mantissa_matrix(quantized.network, synapses).tocsc().indptr)
            shape = quantized.network.shapes[synapses.connection.source]
            found[synapses.connection] = torch.from_numpy(columns.astype(np.float64)).reshape(shape)
    return found


def backend_of(profile: Profile, train: EncodedSplit) -> Backend:
    """The arithmetic of a chip: its integers where they are known, else torch in float32."""
    chip = format_of(profile)
    return TorchBackend() if chip is None else LoihiBackend(chip, train.inputs[:, :CALIBRATION_SAMPLES])


def measure_on(backend: Backend, model: Model, data: EncodedSplit) -> Measurement:
    """Measure a model on encoded data in a backend."""
    return measure_ready(backend.ready(model), model, data)


def measure_ready(ready: Ready, model: Model, data: EncodedSplit) -> Measurement:
    """Measure a model that a backend has prepared."""
    return measure_with(model, ready.run, data.inputs, data.labels, analog_input=data.analog, fan_out=ready.fan_out)
