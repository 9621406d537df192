"""One way in for every format: a file is recognised by what it holds, not by its name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spear_deploy.errors import ModelError
from spear_deploy.network.importing.netx import read_netx
from spear_deploy.network.model import FORMAT, Model, from_content
from spear_deploy.network.nir_file import read_nir
from spear_deploy.network.torch_file import read_torch_file
from spear_deploy.outside.hdf5 import MAGIC as HDF5_MAGIC
from spear_deploy.outside.hdf5 import open_hdf5
from spear_deploy.outside.refusal import READ_ERRORS, RefusedError, first_line


@dataclass(frozen=True)
class Reading:
    """What a file may leave unsaid about its network; see `load_any`."""

    arch: str | None = None
    input_shape: tuple[int, ...] | None = None
    time_steps: int | None = None
    dt_s: float | None = None

    def load(self, path: str | os.PathLike[str]) -> Model:
        """Load a file, with this where the file does not say it."""
        return load_any(path, arch=self.arch, input_shape=self.input_shape, time_steps=self.time_steps, dt_s=self.dt_s)


def load_any(
    path: str | os.PathLike[str],
    *,
    arch: str | None = None,
    input_shape: Sequence[int] | None = None,
    time_steps: int | None = None,
    dt_s: float | None = None,
) -> Model:
    """Load a network from a model file, a NIR file, a Lava netx file or an snnTorch checkpoint.

    What was assumed or changed on the way stands in the model's `notices`.

    Args:
        path: the file.
        arch: `package.module:factory` or a TOML file, where the weights alone do not say how
            they are connected.
        input_shape: shape of one time step of one sample, where the file does not say it.
        time_steps: T, the length of one inference, where the file does not say it.
        dt_s: seconds that one time step stands for, where the file does not say it.

    Raises:
        ModelError: the file is missing, damaged, of no known kind, or needs an argument.

    """
    if not isinstance(path, str | os.PathLike):
        raise ModelError(f"a model is loaded from the path of its file, found {type(path).__name__}")
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such model file")
    with path.open("rb") as file:
        start = file.read(len(HDF5_MAGIC))
    if start != HDF5_MAGIC:
        content = read_torch_file(path)
        if isinstance(content, Mapping) and content.get("format") == FORMAT:
            return from_content(content, str(path))
        # snnTorch is only needed where a file holds one of its networks.
        from spear_deploy.network.importing.checkpoint import is_checkpoint, read_checkpoint

        if is_checkpoint(content):
            return read_checkpoint(
                content, str(path), arch=arch, input_shape=input_shape, time_steps=time_steps, dt_s=dt_s
            )
        return from_content(content, str(path))
    try:
        with open_hdf5(path) as content:
            keys = set(content)
    except RefusedError as error:
        raise ModelError(f"{path}: refused: {error}") from None
    except READ_ERRORS as error:
        raise ModelError(f"{path}: a damaged HDF5 file ({first_line(error)})") from None
    if "node" in keys:
        return read_nir(path, time_steps=time_steps, dt_s=dt_s)
    if "layer" in keys:
        shape = None if input_shape is None else tuple(input_shape)
        return read_netx(path, time_steps=time_steps, input_shape=shape, dt_s=dt_s)
    raise ModelError(f"{path}: an HDF5 file, but neither NIR (group 'node') nor Lava netx (group 'layer')")
