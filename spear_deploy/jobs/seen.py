"""A model that is held against chips, and what it was measured to do in the arithmetic of each."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from spear_deploy.backends import TORCH
from spear_deploy.backends.backend import measure_executable
from spear_deploy.backends.fixed_point.chip_format import format_of
from spear_deploy.backends.fixed_point.formats import Format
from spear_deploy.backends.fixed_point.losses import RoundingLoss, rounding_losses
from spear_deploy.backends.registry import arithmetic_of
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.errors import BackendError
from spear_deploy.hardware import Activity, Profile, activity_of
from spear_deploy.jobs.graded_inputs import cut_values
from spear_deploy.measure import Measurement, measure_split
from spear_deploy.network import Model, batches


@dataclass(frozen=True)
class Seen:
    """What a model was measured to do, and how.

    Attributes:
        activity: means per inference.
        samples: how many stand for all of the test split.
        held: how many samples that holds.
        encoding: of the inputs.
        backend: what it ran in.
        arithmetic: of that backend.
        losses: what rounding did, where that is in integers.
        cut: what the chip's spikes do not carry of the inputs, in words; likewise.
        instead: why not in the chip's integers, where it has some that cannot hold the model; empty otherwise.

    """

    activity: Activity
    samples: int
    held: int
    encoding: str
    backend: str
    arithmetic: str
    losses: tuple[RoundingLoss, ...] = ()
    cut: tuple[str, ...] = ()
    instead: str = ""

    @property
    def origin(self) -> dict[str, str | int]:
        """Which samples the spikes are the mean of, and in which arithmetic, as it stands in JSON."""
        names = ("samples", "held", "encoding", "backend", "arithmetic")
        found: dict[str, str | int] = {"split": str(SplitName.TEST), **{name: getattr(self, name) for name in names}}
        return {**found, "instead": self.instead} if self.instead else found

    @property
    def text(self) -> str:
        """The same in words."""
        some = f"{self.samples:,} of " if self.samples < self.held else ""
        found = f"mean of {some}{self.held:,} test samples, encoding {self.encoding}, {self.backend}, {self.arithmetic}"
        return f"{found} (the chip's integers cannot hold it: {self.instead})" if self.instead else found


NOTHING_SEEN = "no spikes were measured: no data were given"


@dataclass(frozen=True)
class Subject:
    """A model, and the data that it is measured on.

    Attributes:
        name: what it is called in tables.
        model: the model.
        data: samples that stand for all of the test split; None without data.
        held: how many samples the test split holds.
        conversions: training samples `[T, N, *input_shape]` to choose conversions on; None without data.
        calibration: training samples to choose a chip's integers on; None without data.
        told: what a user hears of the data.
        unscored: what a user hears of a score of the samples, where there is none.

    """

    name: str
    model: Model
    data: EncodedSplit | None = None
    held: int = 0
    conversions: Tensor | None = None
    calibration: EncodedSplit | None = None
    told: tuple[str, ...] = ()
    unscored: str = ""
    _seen: dict[Format | None, Seen] = field(default_factory=dict, repr=False, compare=False)

    def seen(self, chip: Profile) -> Seen | None:
        """What the model does in a chip's integers, where these are known and can hold it, else in torch.

        None without data. Chips of one arithmetic share what was seen.
        """
        if self.data is None:
            return None
        arithmetic = format_of(chip)
        if arithmetic not in self._seen:
            self._seen[arithmetic] = self._measured(chip)
        return self._seen[arithmetic]

    def _measured(self, chip: Profile) -> Seen:
        assert self.data is not None
        assert self.calibration is not None
        instead = ""
        if format_of(chip) is not None:
            backend = arithmetic_of(chip, self.calibration)
            try:
                executable = backend.prepare(self.model)
                found = measure_executable(executable, self.model, self.data)
            except BackendError as error:
                instead = str(error).partition("\n")[0]
            else:
                integers = executable.integers
                if integers is None:
                    return self._as_seen(found, backend.name, backend.arithmetic)
                parts = map(self.data.take, batches(len(self.data)))
                losses, cut = rounding_losses(integers, {}), cut_values(parts, integers.levels)
                return self._as_seen(found, backend.name, backend.arithmetic, losses, tuple(cut))
        found = measure_split(self.model, self.data)
        return self._as_seen(found, TORCH, "float32", instead=instead)

    def _as_seen(
        self,
        found: Measurement,
        backend: str,
        arithmetic: str,
        losses: tuple[RoundingLoss, ...] = (),
        cut: tuple[str, ...] = (),
        instead: str = "",
    ) -> Seen:
        assert self.data is not None
        activity = activity_of(found, self.model.time_steps, analog_input=self.data.analog)
        encoding = str(self.model.encoding)
        return Seen(activity, len(self.data), self.held, encoding, backend, arithmetic, losses, cut, instead)

    @property
    def analog_input(self) -> bool:
        """Whether inputs are values instead of spikes."""
        return self.model.encoding.analog
