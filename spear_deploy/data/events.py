"""Recordings of events, and the frames that they are binned into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spear_deploy.data.split import times
from spear_deploy.errors import DataError

Integers = NDArray[np.int64]

_LARGEST = np.iinfo(np.int64).max
_US_PER_YEAR = 365.25 * 24 * 3600 * 1e6


class Binning(StrEnum):
    """How a recording becomes frames.

    TIME: frames of equal duration, from its first event to its last. COUNT: frames of equally many events.
    """

    TIME = "time"
    COUNT = "count"


def binning_named(name: str) -> Binning:
    """A way to divide events, by its name.

    Raises:
        DataError: there is none of that name.

    """
    if name not in list(Binning):
        raise DataError(f"{name!r}: no such binning; known: {', '.join(Binning)}")
    return Binning(name)


@dataclass(frozen=True)
class Recording:
    """Events of one recording, in the order of time.

    Attributes:
        x: columns, from 0, `[N]`.
        y: rows, from 0, `[N]`.
        time_us: microseconds, `[N]`.
        polarity: 0 or 1, `[N]`.

    """

    x: Integers
    y: Integers
    time_us: Integers
    polarity: Integers

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Frames:
    """What a network sees of a recording: events counted in T frames, `[T, C, H, W]`.

    Attributes:
        steps: T.
        shape: `(2, H, W)` with a channel a polarity, or `(1, H, W)` for both together.
        binning: how events are divided among the frames.

    """

    steps: int
    shape: tuple[int, ...]
    binning: Binning = Binning.TIME

    @staticmethod
    def asked(input_shape: Sequence[int], time_steps: int, binning: str) -> Frames:
        """Those that were asked for.

        Raises:
            DataError: no network takes them.

        """
        if time_steps < 1 or min(input_shape, default=1) < 1:
            raise DataError(
                "recordings are binned into at least 1 time step of an input that is at least 1 wide;"
                f" found time_steps = {time_steps}, input_shape = {times(tuple(input_shape))}"
            )
        return Frames(time_steps, tuple(input_shape), binning_named(binning))

    def of(self, recording: Recording, name: str) -> NDArray[np.unsignedinteger[Any]]:
        """The frames of one recording, called `name` in messages: bytes where no pixel has more events in a frame.

        Raises:
            DataError: it holds no events, an event outside of the sensor, or a clock that runs backwards or longer than
                can be counted; or the network takes no maps of one or two channels.

        """
        if len(self.shape) != 3 or self.shape[0] not in (1, 2):
            raise DataError(
                f"{name}: events need a network with an input of 1 or 2 channels x height x width,"
                f" found {times(self.shape)}"
            )
        self._check(recording, name)
        count = len(recording)
        if self.binning is Binning.COUNT:
            frame = np.arange(count) * self.steps // count
        else:
            frame = self._by_time(recording.time_us, name)
        channel = recording.polarity if self.shape[0] == 2 else np.zeros(count, dtype=np.int64)
        place = np.ravel_multi_index((frame, channel, recording.y, recording.x), (self.steps, *self.shape))
        counted = np.bincount(place, minlength=self.steps * int(np.prod(self.shape)))
        counts: NDArray[np.unsignedinteger[Any]] = counted.astype(np.min_scalar_type(int(counted.max())))
        return counts.reshape(self.steps, *self.shape)

    def _by_time(self, time_us: Integers, name: str) -> Integers:
        first, last = int(time_us[0]), int(time_us[-1])
        if (last - first + 1) * self.steps > _LARGEST:
            raise DataError(
                f"{name}: the clock goes from {first} to {last} us, {(last - first) / _US_PER_YEAR:,.0f} years;"
                " a time in it is damaged or stands in another unit"
            )
        return (time_us - first) * self.steps // (last - first + 1)

    def _check(self, recording: Recording, name: str) -> None:
        if not len(recording):
            raise DataError(f"{name}: holds no events")
        limits = (
            ("x", recording.x, self.shape[2]),
            ("y", recording.y, self.shape[1]),
            ("polarity", recording.polarity, 2),
        )
        for what, values, size in limits:
            wrong = np.flatnonzero((values < 0) | (values >= size))
            if len(wrong):
                raise DataError(
                    f"{name}: event {wrong[0]} has {what} = {values[wrong[0]]}, the network's input has 0 to {size - 1}"
                )
        back = np.flatnonzero(recording.time_us[1:] < recording.time_us[:-1])
        if len(back):
            at = back[0]
            before, after = recording.time_us[at], recording.time_us[at + 1]
            raise DataError(
                f"{name}: the clock runs backwards after event {at}, from {before} to {after} us; sort the events"
            )
