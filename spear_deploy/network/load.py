"""One way in for every format: a file is recognised by what it holds, not by its name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spear_deploy.errors import ModelError
from spear_deploy.network.device import fresh_torch, own_random_numbers
from spear_deploy.network.encoding import Encoding
from spear_deploy.network.faults import check_file, member
from spear_deploy.network.importing.netx import read_netx
from spear_deploy.network.model import FORMAT, Model, from_content
from spear_deploy.network.nir_file import read_nir
from spear_deploy.network.objective import Objective, doubt
from spear_deploy.network.read_out import ReadOut
from spear_deploy.network.torch_file import read_torch_file
from spear_deploy.system.outside.hdf5 import MAGIC as HDF5_MAGIC
from spear_deploy.system.outside.hdf5 import open_hdf5
from spear_deploy.system.outside.refusal import READ_ERRORS, RefusedError, first_line


@dataclass(frozen=True)
class Reading:
    """What a file leaves unsaid about its network, or how else it is to be used; see `load_any`.

    Raises:
        ModelError: a time step that lasts no time, or for ever.

    """

    arch: str | None = None
    input_shape: tuple[int, ...] | None = None
    time_steps: int | None = None
    dt_s: float | None = None
    encoding: Encoding | None = None
    read_out: ReadOut | None = None
    objective: Objective | None = None

    def __post_init__(self) -> None:
        if self.dt_s is not None and not 0 < self.dt_s < float("inf"):
            raise ModelError(f"`dt_s` is a number of seconds above 0, found {self.dt_s:g}")

    def load(self, path: str | os.PathLike[str]) -> Model:
        """Load a file in this way."""
        return load_any(path, **vars(self))


@fresh_torch()
@own_random_numbers()
def load_any(
    path: str | os.PathLike[str],
    *,
    arch: str | None = None,
    input_shape: Sequence[int] | None = None,
    time_steps: int | None = None,
    dt_s: float | None = None,
    encoding: str | None = None,
    read_out: str | None = None,
    objective: str | None = None,
) -> Model:
    """Load a network from a model file, a NIR file, a Lava netx file or an snnTorch checkpoint.

    What was assumed or changed on the way stands in the model's `notices`.

    Args:
        path: the file.
        arch: `package.module:factory` or a TOML file, where the weights alone do not say how
            they are connected.
        input_shape: shape of one time step of one sample, where the file does not say it.
        time_steps: T, the length of one inference, if not as the file says.
        dt_s: seconds that one time step stands for, where the file does not say it.
        encoding: how a sample becomes T steps, if not as the file says; see `Encoding`.
        read_out: what of the outputs is looked at, if not as the file says; see `ReadOut`.
        objective: what the network answers, if not as the file says; see `Objective`.

    Raises:
        ModelError: the file is missing, damaged, of no known kind, or needs an argument; an argument is not
            known, or contradicts the file.

    """
    if not isinstance(path, str | os.PathLike):
        raise ModelError(f"a model is loaded from the path of its file, found {type(path).__name__}")
    path = Path(path)
    reading = Reading(
        arch,
        None if input_shape is None else tuple(input_shape),
        time_steps,
        dt_s,
        None if encoding is None else Encoding(encoding),
        None if read_out is None else member(ReadOut, read_out, "read-out"),
        None if objective is None else Objective(objective),
    )
    found = _load(path, reading)
    if reading.input_shape not in (None, found.network.input_shape):
        asked, has = ("x".join(map(str, each)) for each in (reading.input_shape or (), found.network.input_shape))
        raise ModelError(f"{path}: the network takes an input of {has}, not of {asked}")
    return found


def _load(path: Path, reading: Reading) -> Model:
    check_file(path)
    with path.open("rb") as file:
        start = file.read(len(HDF5_MAGIC))
    if start != HDF5_MAGIC:
        content = _torch_content(path)
        if isinstance(content, Mapping) and content.get("format") == FORMAT:
            return _used(from_content(content, str(path)), path, reading)
        # snnTorch is only needed where a file holds one of its networks.
        from spear_deploy.network.importing.checkpoint import is_checkpoint, read_checkpoint

        if is_checkpoint(content):
            return read_checkpoint(content, str(path), **vars(reading))
        return from_content(content, str(path))
    try:
        with open_hdf5(path) as content:
            keys = set(content)
    except RefusedError as error:
        raise ModelError(f"{path}: refused: {error}") from None
    except READ_ERRORS as error:
        raise ModelError(f"{path}: a damaged HDF5 file ({first_line(error)})") from None
    if "node" in keys:
        return read_nir(
            path,
            time_steps=reading.time_steps,
            dt_s=reading.dt_s,
            encoding=reading.encoding,
            read_out=reading.read_out,
            objective=reading.objective,
        )
    if "layer" in keys:
        found = read_netx(path, time_steps=reading.time_steps, input_shape=reading.input_shape, dt_s=reading.dt_s)
        return _used(found, path, reading)
    raise ModelError(f"{path}: an HDF5 file, but neither NIR (group 'node') nor Lava netx (group 'layer')")


def _torch_content(path: Path) -> Any:
    try:
        return read_torch_file(path)
    except ModelError:
        if path.suffix.lower() != ".onnx":
            raise
        raise ModelError(
            f"{path}: ONNX files are written, not read; read are model files (spear_deploy.save_model), NIR, Lava netx"
            " (.net) and state_dicts: give the one that it was written from"
        ) from None


def _used(model: Model, path: Path, reading: Reading) -> Model:
    """The model, used as asked where that is not as its file says."""
    if reading.dt_s not in (None, model.network.dt_s):
        raise ModelError(f"{path}: its time step is {model.network.dt_s:g} s, not {reading.dt_s:g} s")
    asked = reading.objective
    objective = None if asked is None else asked.over(model.objective)
    changed = {key: getattr(reading, key) for key in ("time_steps", "encoding", "read_out")} | {"objective": objective}
    try:
        found = replace(model, **{key: value for key, value in changed.items() if value is not None})
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    if asked is not None and asked.names_scale:
        return found
    held, used = ((each.time_steps, each.read_out) for each in (model, found))
    return replace(found, notices=(*found.notices, *doubt(found.objective, held, used)))
