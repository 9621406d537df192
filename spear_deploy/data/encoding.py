"""How samples become sequences of time steps, the same for every backend and candidate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from spear_deploy.data.dataset import Dataset, Split, SplitName, times
from spear_deploy.errors import DataError

TIMED = ("spikes", "sequence", "counts", "clipped")
"""Encodings of samples that have a time axis of their own."""

CHECKED_AT_ONCE = 64
"""Samples that are looked at together: no mask of a whole split stands in memory."""

_CPU = torch.device("cpu")
_SPLIT_KEYS = {SplitName.TRAIN: 0, SplitName.VALIDATION: 1, SplitName.TEST: 2}


@dataclass(frozen=True)
class EncodedSplit:
    """A split ready to run: inputs `[T, N, *input_shape]` and labels `[N]`.

    Attributes:
        name: of the split.
        stored: the inputs as they are kept, on the CPU, `[T, N, *input_shape]`; spikes may be uint8.
        labels: `[N]`, on the CPU.
        analog: whether the inputs are values (direct) or spikes (0 and 1).
        outputs: those of `Split`.
        device: where the samples are run.

    """

    name: SplitName
    stored: Tensor
    labels: Tensor
    analog: bool
    outputs: Tensor | None = None
    device: torch.device = _CPU

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def inputs(self) -> Tensor:
        """All inputs as floating-point numbers on the device; of many samples, take some first.

        A static image stays one image, shown T times.
        """
        static = len(self.stored) > 1 and self.stored.stride(0) == 0
        kept = (self.stored[0] if static else self.stored).to(self.device)
        floating = kept if kept.is_floating_point() else kept.to(torch.float32)
        return floating.expand(self.stored.shape) if static else floating.contiguous()

    def on(self, device: torch.device) -> EncodedSplit:
        """The same samples, to be run on another device."""
        return replace(self, device=device)

    def as_float64(self) -> Tensor:
        """The inputs in float64, on the CPU; a static image stays one image, shown T times."""
        if self.stored.stride(0) == 0:
            return self.stored[0].to(torch.float64).expand(self.stored.shape)
        return self.stored.to(torch.float64)

    def take(self, index: Tensor | slice) -> EncodedSplit:
        """Some of the samples."""
        outputs = None if self.outputs is None else self.outputs[index]
        return replace(self, stored=self.stored[:, index], labels=self.labels[index], outputs=outputs)


def encode(split: Split, encoding: str, time_steps: int, *, seed: int = 0) -> EncodedSplit:
    """A split as sequences.

    `direct` shows each sample T times (without copying it); `rate` draws Bernoulli spikes with
    the value as probability, once per sample, from a generator keyed by seed, split and sample
    index; `spikes`, `sequence` (any values), `counts` (0, 1, 2, ...) and `clipped` (counts, clipped to 1)
    take samples that have a leading time axis.

    Raises:
        DataError: values or a time axis that the encoding cannot use.

    """
    x = split.x
    if encoding == "direct":
        return EncodedSplit(split.name, x.expand(time_steps, *x.shape), split.y, True, split.outputs)
    if encoding == "rate":
        _check_range(split, "rate", "probabilities in [0, 1]")
        return EncodedSplit(split.name, _bernoulli(split, time_steps, seed), split.y, False, split.outputs)
    if encoding in TIMED:
        if x.ndim < 3 or x.shape[1] != time_steps:
            raise DataError(
                f"encoding {encoding!r} needs {split.name} samples with {time_steps} time steps first,"
                f" found samples of shape {times(x.shape[1:])}"
            )
        if encoding == "spikes" and not _each(x, _are_spikes):
            raise DataError(
                f"encoding 'spikes' needs samples of 0 and 1, {split.name} holds other values; 'counts' takes events"
                " counted in each step, 'clipped' clips these to 1, 'sequence' takes any values"
            )
        if encoding in ("counts", "clipped") and not _each(x, _are_counts):
            raise DataError(f"encoding {encoding!r} needs counts 0, 1, 2, ..., {split.name} holds other values")
        analog = encoding in ("sequence", "counts")
        sequences = x.clamp(max=1) if encoding == "clipped" else x
        kept = sequences if analog else sequences.to(torch.uint8)
        return EncodedSplit(split.name, kept.transpose(0, 1), split.y, analog, split.outputs)
    raise DataError(f"unknown encoding {encoding!r}; known: {', '.join(('direct', 'rate', *TIMED))}")


def recoded(data: EncodedSplit, encoding: str) -> EncodedSplit:
    """Samples for a model whose encoding differs from that of the data in one thing: that counts are clipped to 1."""
    if encoding != "clipped":
        return data
    return replace(data, stored=data.stored.clamp(max=1), analog=False)


def check_fits(data: Dataset, encoding: str, input_shape: tuple[int, ...], classes: int) -> None:
    """Whether samples and labels suit a network.

    Raises:
        DataError: what was found and what the network takes.

    """
    shape = data.sample_shape[1:] if encoding in TIMED else data.sample_shape
    if shape != input_shape:
        raise DataError(f"{data.name}: samples are {times(shape)} a time step, the network takes {times(input_shape)}")
    top = max(int(split.y.max()) for split in data.splits)
    if top >= classes:
        raise DataError(
            f"{data.name}: labels go up to {top}, the network has {classes} outputs (labels 0 to {classes - 1})"
        )


def _each(x: Tensor, holds: Callable[[Tensor], bool]) -> bool:
    return all(holds(part) for part in torch.split(x, CHECKED_AT_ONCE))


def _are_spikes(values: Tensor) -> bool:
    return int(values.max()) <= 1 if values.dtype == torch.uint8 else bool(((values == 0) | (values == 1)).all())


def _are_counts(values: Tensor) -> bool:
    return values.dtype == torch.uint8 or bool(((values >= 0) & (values == values.round())).all())


def _bernoulli(split: Split, time_steps: int, seed: int) -> Tensor:
    spikes = np.empty((time_steps, *split.x.shape), dtype=np.uint8)
    values = split.x.numpy()
    for row, index in enumerate(split.index):
        draw = np.random.default_rng((seed, _SPLIT_KEYS[split.name], int(index)))
        spikes[:, row] = draw.random((time_steps, *values.shape[1:])) < values[row]
    return torch.from_numpy(spikes)


def _check_range(split: Split, encoding: str, needed: str) -> None:
    low, high = float(split.x.min()), float(split.x.max())
    if low < 0 or high > 1:
        raise DataError(
            f"encoding {encoding!r} needs {needed}, {split.name} goes from {low:g} to {high:g}; scale the data"
        )
