"""How samples become sequences of time steps, the same for every backend and candidate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from spear_deploy.data.dataset import Dataset
from spear_deploy.data.labels import check_told
from spear_deploy.data.spike_codes import delta_spikes, latency_spikes
from spear_deploy.data.split import Labels, Split, SplitName, times
from spear_deploy.data.stored import AT_ONCE, Index, Packed, Stored, pieces
from spear_deploy.errors import DataError
from spear_deploy.network.encoding import DeltaSettings, Encoding, LatencySettings
from spear_deploy.network.objective import CLASSIFICATION

_CPU = torch.device("cpu")
_SPLIT_KEYS = {SplitName.TRAIN: 0, SplitName.VALIDATION: 1, SplitName.TEST: 2}


@dataclass(frozen=True)
class EncodedSplit:
    """A split ready to run: inputs `[T, N, *input_shape]` and labels, as in `Split`.

    Attributes:
        name: of the split.
        stored: the inputs as they are kept, on the CPU: `[T, N, *input_shape]`, spikes perhaps uint8, or samples
            `[N, T, *input_shape]` (`[N, *input_shape]` where they are shown) that are unpacked by the batch.
        labels: classes `[N]` or values `[N, K]`, on the CPU.
        analog: whether the inputs are values (direct) or spikes (0 and 1).
        outputs: those of `Split`.
        device: where the samples are run.
        clipped: whether counts above 1 become 1.
        shown: time steps that each of `stored` is shown, where it is samples without time; else 0.

    """

    name: SplitName
    stored: Tensor | Stored
    labels: Tensor
    analog: bool
    outputs: Tensor | None = None
    device: torch.device = _CPU
    clipped: bool = False
    shown: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def inputs(self) -> Tensor:
        """All inputs as floating-point numbers on the device; of many samples, take some first.

        A static image stays one image, shown T times.
        """
        return self._unpacked(lambda kept: kept.dtype if kept.is_floating_point() else torch.float32, self.device)

    def on(self, device: torch.device) -> EncodedSplit:
        """The same samples, to be run on another device."""
        return replace(self, device=device)

    def as_float64(self) -> Tensor:
        """The inputs in float64, on the CPU; a static image stays one image, shown T times."""
        return self._unpacked(lambda kept: torch.float64, _CPU)

    def as_stored(self) -> Tensor:
        """The inputs on the device, as small as they are: spikes are perhaps uint8."""
        return self._unpacked(lambda kept: kept.dtype, self.device)

    def _unpacked(self, dtype: Callable[[Tensor], torch.dtype], device: torch.device) -> Tensor:
        stored, steps = self.stored, self.shown
        if isinstance(stored, Stored):
            kept = stored.tensor() if steps else stored.tensor().transpose(0, 1)
        else:
            steps = len(stored) if _shown_again(stored) else 0
            kept = stored[0] if steps else stored
        kept = kept.to(device)
        kept = kept.clamp(max=1) if self.clipped else kept
        numbers = kept.to(dtype(kept)).contiguous()
        return numbers.expand(steps, *numbers.shape) if steps else numbers

    def take(self, index: Index) -> EncodedSplit:
        """Some of the samples; a static image stays one image, shown T times."""
        outputs = None if self.outputs is None else self.outputs[index]
        return replace(self, stored=self._taken(index), labels=self.labels[index], outputs=outputs)

    def _taken(self, index: Index) -> Tensor | Stored:
        stored = self.stored
        if isinstance(stored, Stored):
            return stored.take(index)
        if _shown_again(stored):
            images = stored[0][index]
            return images.expand(len(stored), *images.shape)
        return stored[:, index]


def encode(split: Split, encoding: str, time_steps: int, *, seed: int = 0) -> EncodedSplit:
    """A split as sequences; `encoding` is one of `network.Encoding`.

    `direct` shows each sample T times (without copying it); `rate` draws Bernoulli spikes with
    the value as probability, once per sample, from a generator keyed by seed, split and sample
    index; `latency` gives each value a spike, the larger the earlier; `spikes`, `sequence` (any values), `counts`
    (0, 1, 2, ...), `clipped` (counts, clipped to 1) and `delta` (spikes where values rise) take samples that have a
    leading time axis.

    Raises:
        DataError: values or a time axis that the encoding cannot use.
        ModelError: no such encoding.

    """
    how = Encoding(encoding)
    return _ENCODERS[how.kind](split, how, time_steps, seed)


def _direct(split: Split, how: Encoding, time_steps: int, seed: int) -> EncodedSplit:
    x = split.x
    if isinstance(x, Stored):
        return EncodedSplit(split.name, x, split.y, True, split.outputs, shown=time_steps)
    return EncodedSplit(split.name, x.expand(time_steps, *x.shape), split.y, True, split.outputs)


def _rate(split: Split, how: Encoding, time_steps: int, seed: int) -> EncodedSplit:
    _check_range(split, how.kind, "probabilities in [0, 1]")
    return EncodedSplit(split.name, _bernoulli(split, time_steps, seed), split.y, False, split.outputs)


def _latency(split: Split, how: Encoding, time_steps: int, seed: int) -> EncodedSplit:
    _check_range(split, how.kind, "values in [0, 1]")
    settings = how.settings
    assert isinstance(settings, LatencySettings)
    spikes = Packed.room((len(split), time_steps, *split.x.shape[1:]))
    for part in pieces(len(split)):
        spikes.fill(part, latency_spikes(split.x[part], settings, time_steps, str(split.name)).numpy())
    return EncodedSplit(split.name, spikes, split.y, False, split.outputs)


def _delta(split: Split, how: Encoding, time_steps: int, seed: int) -> EncodedSplit:
    _check_time(split, how, time_steps)
    settings = how.settings
    assert isinstance(settings, DeltaSettings)
    if how.analog:
        found = torch.cat([delta_spikes(split.x[part], settings) for part in pieces(len(split))])
        return EncodedSplit(split.name, found.transpose(0, 1), split.y, True, split.outputs)
    spikes = Packed.room(tuple(split.x.shape))
    for part in pieces(len(split)):
        spikes.fill(part, delta_spikes(split.x[part], settings).numpy())
    return EncodedSplit(split.name, spikes, split.y, False, split.outputs)


def _as_they_are(split: Split, how: Encoding, time_steps: int, seed: int) -> EncodedSplit:
    _check_time(split, how, time_steps)
    x, analog = split.x, how.analog
    if how == Encoding.SPIKES and not _each(x, _are_spikes):
        raise DataError(
            f"encoding 'spikes' needs samples of 0 and 1, {split.name} holds other values; 'counts' takes events"
            " counted in each step, 'clipped' clips these to 1, 'sequence' takes any values, 'delta' makes spikes"
            " where they rise"
        )
    if how in (Encoding.COUNTS, Encoding.CLIPPED) and not _each(x, _are_counts):
        raise DataError(
            f"encoding '{how}' needs counts 0, 1, 2, ..., {split.name} holds other values; 'sequence' takes any values"
        )
    if isinstance(x, Stored):
        clipped = how == Encoding.CLIPPED and not x.binary
        return EncodedSplit(split.name, x, split.y, analog, split.outputs, clipped=clipped)
    kept = x.transpose(0, 1) if analog else Packed.of(x.numpy())
    return EncodedSplit(split.name, kept, split.y, analog, split.outputs)


_ENCODERS: Mapping[str, Callable[[Split, Encoding, int, int], EncodedSplit]] = {
    "direct": _direct,
    "rate": _rate,
    "latency": _latency,
    "delta": _delta,
    "spikes": _as_they_are,
    "sequence": _as_they_are,
    "counts": _as_they_are,
    "clipped": _as_they_are,
}


def recoded(data: EncodedSplit, encoding: str) -> EncodedSplit:
    """Samples for a model whose encoding differs from that of the data in one thing: that counts are clipped to 1."""
    if encoding != "clipped":
        return data
    return replace(data, clipped=True, analog=False)


def check_fits(
    data: Dataset, encoding: str, input_shape: tuple[int, ...], classes: int, objective: str = CLASSIFICATION
) -> None:
    """Whether samples and labels suit a network; a regression's `classes` are the values that it tells.

    Raises:
        DataError: what was found and what the network takes.

    """
    timed = Encoding(encoding).timed
    if timed and data.sample_shape == input_shape:
        raise DataError(
            f"{data.name}: samples are {times(input_shape)}, without time, and encoding '{encoding}' needs them in each"
            " time step; direct, rate and latency take samples without time"
        )
    shape = data.sample_shape[1:] if timed else data.sample_shape
    if shape != input_shape:
        way_out = _in_shape(data.sample_shape, shape, input_shape, timed)
        padded = (*input_shape[:-1], -(-input_shape[-1] // 8) * 8)
        packed = "; bits in a file are a multiple of 8: write the array as it is where others are meant"
        raise DataError(
            f"{data.name}: samples are {times(shape)} a time step, the network takes {times(input_shape)}"
            f"{packed if shape == padded else way_out}"
        )
    if data.labels is not Labels.NONE:
        check_told(data.name, {str(split.name): split.y for split in data.splits}, objective, classes)


def _in_shape(given: tuple[int, ...], shape: tuple[int, ...], input_shape: tuple[int, ...], timed: bool) -> str:
    """How samples `given`, `shape` in a time step, become what a network takes, where that is likely."""
    if not timed and given[1:] == input_shape:
        return "; samples with time, T first, take another encoding, such as spikes, sequence or counts"
    if shape == (*input_shape[1:], input_shape[0]):
        return f"; where channels stand last, write numpy.moveaxis(x, -1, {2 if timed else 1})"
    if math.prod(shape) == math.prod(input_shape):
        leading = "*x.shape[:2]" if timed else "len(x)"
        return f"; write x.reshape({', '.join([leading, *map(str, input_shape)])}) where the order is that"
    return ""


def _shown_again(stored: Tensor) -> bool:
    """Whether inputs `[T, N, ...]` are one image in each step, in memory once."""
    return len(stored) > 1 and stored.stride(0) == 0


def _check_time(split: Split, how: Encoding, time_steps: int) -> None:
    if split.x.ndim < 3 or split.x.shape[1] != time_steps:
        raise DataError(
            f"encoding '{how}' needs {split.name} samples with {time_steps} time steps first,"
            f" found samples of shape {times(split.x.shape[1:])}"
        )


def _each(x: Tensor | Stored, holds: Callable[[Tensor], bool]) -> bool:
    if isinstance(x, Stored):
        return x.binary or all(holds(part) for part in x.parts())
    return all(holds(part) for part in torch.split(x, AT_ONCE))


def _are_spikes(values: Tensor) -> bool:
    return int(values.max()) <= 1 if values.dtype == torch.uint8 else bool(((values == 0) | (values == 1)).all())


def _are_counts(values: Tensor) -> bool:
    return values.dtype == torch.uint8 or bool(((values >= 0) & (values == values.round())).all())


def _bernoulli(split: Split, time_steps: int, seed: int) -> Packed:
    shape = tuple(split.x.shape[1:])
    spikes = Packed.room((len(split), time_steps, *shape))
    for row, index in enumerate(split.index):
        draw = np.random.default_rng((seed, _SPLIT_KEYS[split.name], int(index)))
        part = slice(row, row + 1)
        spikes.fill(part, draw.random((1, time_steps, *shape)) < split.x[part].numpy()[:, None])
    return spikes


def _check_range(split: Split, encoding: str, needed: str) -> None:
    parts = list(torch.split(split.x, AT_ONCE)) if isinstance(split.x, Tensor) else split.x.parts()
    ends = [torch.aminmax(part) for part in parts]
    low, high = min(float(least) for least, _ in ends), max(float(most) for _, most in ends)
    if low < 0 or high > 1:
        raise DataError(
            f"encoding {encoding!r} needs {needed}, {split.name} goes from {low:g} to {high:g}; scale the data"
        )
