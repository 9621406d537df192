"""Lava's own simulations as backends: a run is one run of its worker."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

import torch
from torch import Tensor

from spear_deploy.backends.backend import Backend, Executable, OnProgress, Setting, ToolStatus, Worker
from spear_deploy.backends.fixed_point.backend import ChipBackend, integer_states
from spear_deploy.backends.fixed_point.quantized import QuantizedNetwork
from spear_deploy.backends.lava.install import status
from spear_deploy.backends.lava.job import fixed_job, floating_job
from spear_deploy.backends.lava.runner import LavaRun, Limits, run_lava, run_lava_fixed
from spear_deploy.backends.recording import LayerStates, Recording, range_of
from spear_deploy.errors import BackendError
from spear_deploy.network import Connection, Model
from spear_deploy.network.agreement import EXACT
from spear_deploy.network.simulation import cast

FEWEST_SAMPLES = 100
"""Run however long they take, where the time for samples is limited."""


class _Lava(Backend):
    tool: ClassVar[str] = "Lava"

    def __init__(self, worker: Worker | None = None) -> None:
        self.worker = worker or Worker()

    def status(self) -> ToolStatus:
        """Whether the interpreter can import Lava."""
        found = status(self.worker.python)
        return ToolStatus(found.missing, found.advice, found.versions.get("lava", ""))


class LavaBackend(_Lava):
    """The model in Lava's floating point."""

    name: ClassVar[str] = "lava"
    reference: ClassVar[str | None] = "torch"
    arithmetic = "float64"

    @classmethod
    def of(cls, setting: Setting) -> Self:
        """With the worker of the setting."""
        return cls(setting.worker)

    def prepare(self, model: Model, *, reference: Executable | None = None) -> Executable:
        """See that Lava can run the model; it is compiled in each run."""
        floating_job(model.network, analog_input=model.encoding.analog)
        return _Floating(model, self.worker)


class LavaFixedBackend(_Lava):
    """A chip's integers in Lava's fixed point, bit-accurate to Loihi; a layer on the host stays there."""

    name: ClassVar[str] = "lava-fixed"
    integers: ClassVar[bool] = True
    reference: ClassVar[str | None] = "chip"

    def __init__(self, chip: ChipBackend, worker: Worker | None = None) -> None:
        super().__init__(worker)
        self.chip = chip
        self.arithmetic = chip.arithmetic

    @classmethod
    def of(cls, setting: Setting) -> Self:
        """The integers of the chip, with the worker of the setting."""
        return cls(ChipBackend.of(setting), setting.worker)

    def prepare(self, model: Model, *, reference: Executable | None = None) -> Executable:
        """The integers that the chip's own execution runs, where there is one; else round the model."""
        on_chip = self.chip.prepare(model) if reference is None else reference
        if on_chip.integers is None:
            raise BackendError("Lava's fixed point runs a chip's integers, and was given a network without any")
        fixed_job(on_chip.integers)
        return _Fixed(on_chip.integers, on_chip, self.worker)


class _LavaExecutable(Executable):
    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    def run(self, inputs: Tensor, *, observe: bool = False, on_progress: OnProgress | None = None) -> Recording:
        """Run all samples, or as many as end within the worker's time for them."""
        worker = self.worker
        fewest = inputs.shape[1] if worker.sample_budget_s is None else FEWEST_SAMPLES
        limits = Limits(worker.time_limit_s, worker.sample_budget_s or worker.time_limit_s, fewest)
        before = None if self.host is None else self.host.run(inputs, observe=observe)
        run = self._start(inputs, before, limits, observe, on_progress)
        outputs = {layer: torch.from_numpy(output) for layer, output in run.outputs.items()}
        reached: Mapping[Connection, Tensor] = {each: torch.from_numpy(found) for each, found in run.fan_out.items()}
        states = {layer: (torch.from_numpy(u), torch.from_numpy(v)) for layer, (u, v) in run.states.items()}
        found = Recording(outputs, self._ranges(states) if observe else {}, reached, self.integers)
        return found if before is None else found.after(before)

    @abstractmethod
    def _start(
        self, inputs: Tensor, before: Recording | None, limits: Limits, watch: bool, on_progress: OnProgress | None
    ) -> LavaRun: ...

    @abstractmethod
    def _ranges(self, states: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, LayerStates]: ...


class _Floating(_LavaExecutable):
    def __init__(self, model: Model, worker: Worker) -> None:
        super().__init__(worker)
        self.model = model

    def _start(
        self, inputs: Tensor, before: Recording | None, limits: Limits, watch: bool, on_progress: OnProgress | None
    ) -> LavaRun:
        return run_lava(
            self.model,
            cast(inputs.cpu(), torch.float64),
            time_limit_s=limits.time_limit_s,
            sample_budget_s=limits.sample_budget_s,
            min_samples=limits.min_samples,
            on_progress=on_progress,
            python=self.worker.python,
            watch=watch,
        )

    def _ranges(self, states: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, LayerStates]:
        neurons = self.model.network.neurons
        return {
            layer: LayerStates(None if neurons[layer].alpha is None else range_of(u), range_of(v))
            for layer, (u, v) in states.items()
        }


class _Fixed(_LavaExecutable):
    tolerance = EXACT

    def __init__(self, integers: QuantizedNetwork, on_chip: Executable, worker: Worker) -> None:
        super().__init__(worker)
        self.integers: QuantizedNetwork = integers
        self.host = on_chip.host

    def _start(
        self, inputs: Tensor, before: Recording | None, limits: Limits, watch: bool, on_progress: OnProgress | None
    ) -> LavaRun:
        return run_lava_fixed(
            self.integers,
            (inputs if before is None else before.outputs[self.integers.network.input]).cpu(),
            time_limit_s=limits.time_limit_s,
            sample_budget_s=limits.sample_budget_s,
            min_samples=limits.min_samples,
            on_progress=on_progress,
            python=self.worker.python,
            watch=watch,
        )

    def _ranges(self, states: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, LayerStates]:
        u, v = ({layer: pair[part].double() for layer, pair in states.items()} for part in (0, 1))
        return integer_states(self.integers, u, v)
