"""What a backend is: one arithmetic in which a model runs, by a program of ours or of others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from torch import Tensor

from spear_deploy.backends.fixed_point.quantized import QuantizedNetwork
from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.backends.recording import Recording
from spear_deploy.data import EncodedSplit
from spear_deploy.hardware import Profile
from spear_deploy.measure import Measurement, SynopsCounter, Tally
from spear_deploy.network import Model, batches, samples_at_once
from spear_deploy.network.agreement import FLOAT64, Tolerance
from spear_deploy.training import Quantiser

CALIBRATION_SAMPLES = 256
"""Training samples that the scales of integers are chosen on."""

TIME_LIMIT_S = 600.0
"""A program of others is ended after this time; a batch of 100 samples takes seconds."""

OnProgress = Callable[[int, int], None]
"""Told the samples done and the samples given."""


@dataclass(frozen=True)
class Worker:
    """How a program of others is run, in a process of its own.

    Attributes:
        python: an interpreter that has it; None for this one.
        time_limit_s: after which it is ended.
        sample_budget_s: no further samples are begun that would not end within this time; None to run all.

    """

    python: Path | None = None
    time_limit_s: float = TIME_LIMIT_S
    sample_budget_s: float | None = None


@dataclass(frozen=True)
class Setting:
    """What a backend is made from: all that it may need to know beside the model.

    Attributes:
        chip: whose arithmetic is computed in; None where there is none.
        calibration: inputs `[T, N, *input_shape]` of the training split, on which scales of integers are chosen.
        weight_bits: bits of the weights into single layers, where they are not the chip's own.
        host_first: whether a first layer that sees values runs on the host, where the chip's spikes carry none.
        file_format: choose integers among those that this format can hold (`FILE_FORMATS`); None for all of the chip's.
        worker: how a program of others is run.

    """

    chip: Profile | None = None
    calibration: Tensor | None = None
    weight_bits: WeightBits = field(default_factory=WeightBits)
    host_first: bool = False
    file_format: str | None = None
    worker: Worker = field(default_factory=Worker)


@dataclass(frozen=True)
class ToolStatus:
    """Whether the program that a backend runs is there.

    Attributes:
        missing: why it is not; empty where it is.
        advice: what to do about that.
        version: of the program; empty where there is none beside this package.

    """

    missing: str = ""
    advice: str = ""
    version: str = ""


class Executable(ABC):
    """A model that a backend made ready to run.

    Attributes:
        integers: the rounded network, where the backend computes in integers.
        host: what runs the first layer where that is on the host; None where all of the network is on the chip.
        tolerance: what its outputs may differ from those of another run of the same arithmetic.

    """

    integers: QuantizedNetwork | None = None
    host: Executable | None = None
    tolerance: Tolerance = FLOAT64

    @abstractmethod
    def run(self, inputs: Tensor, *, observe: bool = False, on_progress: OnProgress | None = None) -> Recording:
        """Run inputs `[T, B, *input_shape]`, or the first samples of them where time is limited.

        Args:
            inputs: those of the model, whatever the arithmetic.
            observe: whether the ranges of all states are recorded as well.
            on_progress: called from time to time by a backend that takes long.

        Raises:
            BackendError: the backend failed, or took too long.

        """


class Backend(ABC):
    """Runs models in one arithmetic.

    A subclass of another package is an entry point of the group `spear_deploy.backends`.

    Attributes:
        name: what the command line and the report call it.
        arithmetic: what it computes in.
        integers: whether it computes in a chip's integers instead of floating point.
        reference: the backend whose every spike it must repeat; None where it is its own judge.
        tool: the program beside this package that it runs, such as Lava; empty for none.

    """

    name: ClassVar[str]
    integers: ClassVar[bool] = False
    reference: ClassVar[str | None] = None
    tool: ClassVar[str] = ""
    arithmetic: str

    @classmethod
    @abstractmethod
    def of(cls, setting: Setting) -> Self:
        """The backend for a chip, its calibration and so on.

        Raises:
            BackendError: the setting lacks what this arithmetic needs; names the way out.

        """

    @abstractmethod
    def prepare(self, model: Model, *, reference: Executable | None = None) -> Executable:
        """Make a model ready to run.

        Args:
            model: the network.
            reference: the same model as the backend `reference` runs it, where there is one already: a backend
                that runs the integers of another takes them from there instead of rounding once more.

        Raises:
            BackendError: this arithmetic cannot hold the model; names layer, rule and way out.

        """

    def quantiser(self, model: Model) -> Quantiser | None:
        """What rounds a model as the arithmetic does while it is fine-tuned, where that pays."""
        return None

    def status(self) -> ToolStatus:
        """Whether the program that it runs is there."""
        return ToolStatus()


def measure_on(backend: Backend, model: Model, data: EncodedSplit) -> Measurement:
    """Measure a model on encoded data in a backend."""
    return measure_executable(backend.prepare(model), model, data)


def measure_executable(executable: Executable, model: Model, data: EncodedSplit) -> Measurement:
    """Measure a model that a backend has prepared, some samples at a time."""
    tally: Tally | None = None
    for part in batches(len(data), samples_at_once(model.network, model.time_steps, data.device)):
        inputs = data.take(part).inputs
        found = executable.run(inputs)
        tally = tally or Tally(model, SynopsCounter(model.network, found.fan_out), data.analog)
        tally.add(inputs, found.outputs)
    assert tally is not None  # a split holds a sample at least
    return tally.measurement(data.labels)
