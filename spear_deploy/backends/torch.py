"""The torch simulation as a backend."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from torch import Tensor

from spear_deploy.backends import TORCH
from spear_deploy.backends.backend import Backend, Executable, OnProgress, Setting
from spear_deploy.backends.recording import LayerStates, Recording, range_of
from spear_deploy.network import Model, Simulation, Trace
from spear_deploy.network.device import where_held


class TorchBackend(Backend):
    """The torch simulation in floating point."""

    name: ClassVar[str] = TORCH

    def __init__(self, dtype: torch.dtype = torch.float64) -> None:
        self.dtype = dtype
        self.arithmetic = str(dtype).removeprefix("torch.")

    @classmethod
    def of(cls, setting: Setting) -> Self:
        """In float64, whatever the setting."""
        return cls()

    def prepare(self, model: Model, *, reference: Executable | None = None) -> Executable:
        """A simulation of the model."""
        return TorchExecutable(model, self.dtype)


class TorchExecutable(Executable):
    """A model in torch, in one precision."""

    def __init__(self, model: Model, dtype: torch.dtype) -> None:
        self.simulation = Simulation(model.graph, dtype)

    @torch.no_grad()
    def run(self, inputs: Tensor, *, observe: bool = False, on_progress: OnProgress | None = None) -> Recording:
        """Run all samples."""
        seen: dict[str, LayerStates] = {}
        neurons = self.simulation.network.neurons

        def see(layer: str, u: Tensor, v: Tensor) -> None:
            now = LayerStates(None if neurons[layer].alpha is None else range_of(u), range_of(v))
            seen[layer] = seen[layer] | now if layer in seen else now

        given = where_held(inputs, self.simulation.dtype)
        simulation = self.simulation.to(given.device)
        trace: Trace = simulation(given, watch=see if observe else None)
        return Recording(trace.outputs, {layer: seen[layer] for layer in trace.outputs if observe})
