"""Data sets of PyTorch's kind, and of tonic's: anything that gives a sample and its label by number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spear_deploy.data.dataset import Dataset
from spear_deploy.data.events import Frames, binning_named
from spear_deploy.data.given import as_array
from spear_deploy.data.recordings import recording_of
from spear_deploy.errors import DataError


class Samples(Protocol):
    """A map-style `torch.utils.data.Dataset`: sample and label by number."""

    def __len__(self) -> int:
        """How many samples there are."""
        ...

    def __getitem__(self, index: int, /) -> Any:
        """A sample and its label."""
        ...


def data_of(
    train: Samples,
    test: Samples,
    validation: Samples | None = None,
    *,
    name: str = "samples",
    input_shape: Sequence[int] | None = None,
    time_steps: int | None = None,
    binning: str = "time",
) -> Dataset:
    """A data set from sets of samples with labels: integers are classes, floats are values that a regression tells.

    Args:
        train: samples to learn from; arrays, tensors, or structured arrays of events (x, y, t, p), as tonic has them.
        test: samples that final figures are measured on.
        validation: samples that choices are made on; by default 15 % of train.
        name: what messages and reports call it.
        input_shape: of a network that takes events, `(2, H, W)`; they are binned into frames.
        time_steps: T, for events.
        binning: how events are divided among the frames; see `Binning`.

    Raises:
        DataError: samples that differ in shape, or events that cannot be binned.

    """
    by, frames = binning_named(binning), None
    if input_shape is not None and time_steps is not None:
        frames = Frames.asked(input_shape, time_steps, by)
    arrays: dict[str, object] = {}
    for part, given in (("train", train), ("test", test), ("val", validation)):
        if given is not None:
            arrays[f"x_{part}"], arrays[f"y_{part}"] = _stacked(given, f"{name}: {part}", frames)
    return Dataset.of_arrays(name, **arrays)


def _stacked(given: Samples, name: str, frames: Frames | None) -> tuple[NDArray[Any], NDArray[Any]]:
    if not hasattr(given, "__len__") or not hasattr(given, "__getitem__"):
        held = "; give the set that it loads, loader.dataset" if hasattr(given, "dataset") else "; list(...) makes one"
        raise DataError(f"{name}: needs a set that gives samples by number, found {type(given).__name__}{held}")
    samples: list[NDArray[Any]] = []
    labels: list[NDArray[Any]] = []
    for index in range(len(given)):
        found = given[index]
        if not isinstance(found, tuple | list) or len(found) != 2:
            many = f" of {len(found)}" if isinstance(found, tuple | list) else ""
            raise DataError(f"{name} {index} is a {type(found).__name__}{many}, where (sample, label) is needed")
        sample, label = found
        array: NDArray[Any] = as_array(name, f"sample {index}", sample)
        if array.dtype.names is not None:
            if frames is None:
                raise DataError(f"{name}: holds events; say input_shape and time_steps, so that they can be binned")
            columns = {key: array[key] for key in array.dtype.names}
            array = frames.of(recording_of(columns, f"{name} {index}"), f"{name} {index}")
        if samples and array.shape != samples[0].shape:
            raise DataError(
                f"{name} {index} is of shape {array.shape}, the first of {samples[0].shape}; pad all to one length"
                " (zeros at the end are silence), or leave it out"
            )
        samples.append(array)
        labels.append(_label(as_array(name, f"the label of sample {index}", label)))
        if labels[-1].shape != labels[0].shape:
            raise DataError(
                f"{name} {index} has a label of shape {labels[-1].shape}, the first of {labels[0].shape}: one"
                " class a sample, or as many values"
            )
    if not samples:
        raise DataError(f"{name} holds no samples")
    return np.stack(samples), np.stack(labels)


def _label(array: NDArray[Any]) -> NDArray[Any]:
    """A class as a single integer, values as they are."""
    return array.reshape(()) if array.size == 1 and array.dtype.kind != "f" else array
