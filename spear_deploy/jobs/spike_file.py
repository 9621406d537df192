"""`spikes.npz`: what every layer sent, written as it comes.

    <backend>/<layer>        [T, N, *shape], bool for spikes, float64 for membranes of layers without threshold
    <backend>/predictions    [N], int64: the class of each sample; of a regression [N, K], float64: its values
    labels                   [N], int64; of a regression [N, K], float32
    index                    [N], int64: number of each sample within what it was taken from

`numpy.load("spikes.npz")["torch/lif1"]` reads one array. While a run lasts, its arrays lie beside
the file on disk, not in memory.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.network import Model
from spear_deploy.system.files import replaced_when_complete


class SpikeFile:
    """Takes batch after batch of the outputs of several backends; see `spike_file`."""

    def __init__(self, folder: Path, model: Model, backends: Sequence[str], samples: int) -> None:
        self.folder, self.model = folder, model
        self.members: dict[str, Path] = {}
        self.arrays: dict[str, NDArray[np.generic]] = {}
        for backend in backends:
            for layer in model.network.layers:
                shape = (model.time_steps, samples, *model.network.shapes[layer])
                self._open(f"{backend}/{layer}", np.bool_ if model.network.neurons[layer].spikes else np.float64, shape)
            if model.objective.tells_classes:
                self._open(f"{backend}/predictions", np.int64, (samples,))
            else:
                self._open(f"{backend}/predictions", np.float64, (samples, model.values))

    def write(self, backend: str, part: slice, outputs: Mapping[str, Tensor]) -> None:
        """The outputs of all layers `[T, B, *shape]` for some samples."""
        for layer in self.model.network.layers:
            self.arrays[f"{backend}/{layer}"][:, part] = outputs[layer].numpy()
        model = self.model
        answers = model.answers(outputs[model.network.read_out])
        self.arrays[f"{backend}/predictions"][part] = answers.numpy()

    def pack(self, path: Path, **alone: NDArray[Any]) -> None:
        """Write the archive, with arrays that no backend sent beside the others."""
        for name, values in alone.items():
            self._open(name, values.dtype.type, values.shape)
            self.arrays[name][:] = values
        self.arrays.clear()  # closes the maps
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, member in self.members.items():
                archive.write(member, f"{name}.npy")

    def _open(self, name: str, dtype: type, shape: tuple[int, ...]) -> None:
        self.members[name] = self.folder / f"{len(self.members)}.npy"
        self.arrays[name] = np.lib.format.open_memmap(self.members[name], "w+", np.dtype(dtype), shape)


@contextmanager
def spike_file(
    path: Path, model: Model, backends: Sequence[str], samples: int, **alone: NDArray[Any]
) -> Iterator[SpikeFile]:
    """A file that appears at `path` when the context ends well, and not at all otherwise."""
    with (
        replaced_when_complete(path, ours=_is_spike_file) as working,
        tempfile.TemporaryDirectory(dir=path.parent, prefix=".spikes-") as name,
    ):
        found = SpikeFile(Path(name), model, backends, samples)
        yield found
        found.pack(working, **alone)


def _is_spike_file(path: Path) -> bool:
    """Whether a file is one of these, by the members that only they have."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    return {"labels.npy", "index.npy"} <= set(names) and any(name.endswith("/predictions.npy") for name in names)
