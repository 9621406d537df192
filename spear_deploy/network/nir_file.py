"""NIR files: a model written as HDF5 that any NIR reader loads, and read back.

How to use the network (time steps, encoding, read-out, data) stands in the metadata of the
graph; what a neuron node adds stands in its own metadata. See docs/nir-metadata.md.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import nir

from spear_deploy.errors import ModelError
from spear_deploy.network.faults import READ_ERRORS, first_line
from spear_deploy.network.model import Encoding, Model, ReadOut, graph_from_dict

_KEYS = ("time_steps", "encoding", "read_out", "data")


def write_nir(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model as a NIR file."""
    usage = {"time_steps": model.time_steps, "encoding": str(model.encoding), "read_out": str(model.read_out)}
    if model.data is not None:
        usage["data"] = model.data
    content = model.graph.to_dict()
    content["metadata"] = {**content.get("metadata", {}), **usage}
    nir.write(path, graph_from_dict(content))


def read_nir(path: str | os.PathLike[str]) -> Model:
    """Read a NIR file as a model.

    Raises:
        ModelError: the file is missing or damaged, or does not say how the network is used.

    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such NIR file")
    try:
        graph = nir.read(path, type_check=False)
    except READ_ERRORS as error:
        raise ModelError(f"{path}: not a NIR file, or damaged ({first_line(error)})") from None
    meta = graph.metadata
    if "time_steps" not in meta:
        raise ModelError(
            f"{path}: this NIR graph does not say for how many time steps it runs; it needs the graph metadata"
            f" {', '.join(_KEYS[:3])} (see docs/nir-metadata.md)"
        )
    try:
        model = Model(
            graph,
            int(meta["time_steps"]),
            Encoding(str(meta.get("encoding", Encoding.DIRECT))),
            ReadOut(str(meta.get("read_out", ReadOut.COUNT))),
        )
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except ValueError as error:
        raise ModelError(f"{path}: graph metadata: {error}") from None
    data = meta.get("data")
    return replace(model, data=None if data is None else str(data))
