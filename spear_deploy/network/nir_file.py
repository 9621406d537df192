"""NIR files: a model written as HDF5 that any NIR reader loads, and read back.

How to use the network (time steps, encoding, read-out, data) stands in the metadata of the
graph; what a neuron node adds stands in its own metadata. See docs/nir-metadata.md.
"""

from __future__ import annotations

import io
import os
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import nir
import numpy as np

from spear_deploy.errors import ModelError
from spear_deploy.network import pools, resampling, unflattening
from spear_deploy.network.editing import with_nodes
from spear_deploy.network.encoding import Encoding
from spear_deploy.network.graph import Network
from spear_deploy.network.model import BINNINGS, Model, graph_from_dict
from spear_deploy.network.nir_convolution import for_any_reader
from spear_deploy.network.nir_graph import prepare
from spear_deploy.network.objective import CLASSIFICATION, KINDS, Objective, doubt
from spear_deploy.network.read_out import ReadOut
from spear_deploy.system.files import write_file
from spear_deploy.system.outside.hdf5 import open_hdf5
from spear_deploy.system.outside.refusal import READ_ERRORS, RefusedError, check_readable, first_line


def write_nir(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model as a NIR file.

    Raises:
        OutputError: it cannot be written.

    """
    write_file(path, _image(model, "gzip").getvalue())


def refusal_of_plain_nir(model: Model) -> str | None:
    """Why `nir.read` takes a model's file with `type_check=False` only; None where it takes it as it is."""
    try:
        nir.read(_image(model, None))  # type: ignore[arg-type]  # h5py reads what is no path too
    except READ_ERRORS as error:
        return first_line(error)
    return None


def _image(model: Model, compression: str | None) -> io.BytesIO:
    """The content of a model's file."""
    usage = {"time_steps": model.time_steps, "encoding": str(model.encoding), "read_out": str(model.read_out)}
    if model.population != 1:
        usage["population"] = model.population
    if model.binning != BINNINGS[0]:
        usage["binning"] = model.binning
    if not model.objective.tells_classes:
        usage["objective"] = str(model.objective)
    if model.data is not None:
        usage["data"] = model.data
    content = with_nodes(model.graph, {name: _as_written(model, name) for name in model.graph.nodes}).to_dict()
    content["metadata"] = {**content.get("metadata", {}), **usage}
    image = io.BytesIO()  # HDF5 ends the process where a disk is full
    nir.write(image, graph_from_dict(content), compression)  # type: ignore[arg-type]  # nir hands it on to h5py
    return image


def _as_written(model: Model, name: str) -> nir.NIRNode:
    """A node as a file holds it."""
    line = len(model.network.shapes[name]) == 2
    node = pools.marked(_of_its_shape(model, name), line=line)
    return for_any_reader(unflattening.marked(resampling.marked(node, line=line)))


def _of_its_shape(model: Model, name: str) -> nir.NIRNode:
    """The node with the shape of what leads into it: nir compares a Delay's, and its file needs others'."""
    node, network = model.graph.nodes[name], model.network
    if isinstance(node, nir.Flatten):
        return nir.Flatten(np.array(network.shapes[network.sources(name)[0]]), node.start_dim, node.end_dim)
    if isinstance(node, nir.Delay):
        return nir.Delay(np.full(network.shapes[name], np.asarray(node.delay).flat[0]))
    if isinstance(node, nir.Conv1d | nir.Conv2d) and node.input_shape is None:
        taken = network.shapes[network.sources(name)[0]][1:]
        node = copy(node)
        if isinstance(node, nir.Conv1d):
            node.input_shape = taken[0]
        else:
            node.input_shape = taken
    return node


def read_nir(
    path: str | os.PathLike[str],
    *,
    time_steps: int | None = None,
    dt_s: float | None = None,
    encoding: Encoding | None = None,
    read_out: ReadOut | None = None,
    objective: Objective | None = None,
) -> Model:
    """Read a NIR file of any origin as a model.

    Args:
        path: the file.
        time_steps: T, for a graph whose metadata does not name it.
        dt_s: seconds that one time step stands for, where the metadata does not say it.
        encoding: how a sample becomes T steps, if not as the metadata says.
        read_out: what of the outputs is looked at, if not as the metadata says.
        objective: what the network answers, if not as the metadata says.

    Raises:
        ModelError: the file is missing or damaged, or does not say how the network is used.

    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such NIR file")
    check_readable(path, ModelError)
    try:
        with open_hdf5(path):
            pass
        graph = nir.read(path, type_check=False)
    except RefusedError as error:
        raise ModelError(f"{path}: refused: {error}") from None
    except READ_ERRORS as error:
        raise ModelError(f"{path}: not a NIR file, or damaged ({first_line(error)})") from None
    try:
        return from_nir(
            graph, time_steps=time_steps, dt_s=dt_s, encoding=encoding, read_out=read_out, objective=objective
        )
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def from_nir(
    graph: nir.NIRGraph,
    *,
    time_steps: int | None = None,
    dt_s: float | None = None,
    encoding: Encoding | None = None,
    read_out: ReadOut | None = None,
    objective: Objective | None = None,
) -> Model:
    """Take a NIR graph in memory as a model; arguments as `read_nir`'s.

    Raises:
        ModelError: it is damaged, or does not say how the network is used.

    """
    said, asked = graph.metadata, None if objective is None else Objective(objective)
    use = {
        "encoding": encoding,
        "read_out": read_out,
        "objective": None if asked is None else asked.over(_held(said)),
    }
    meta = said | {key: str(value) for key, value in use.items() if value is not None}
    steps = meta.get("time_steps") if time_steps is None else time_steps
    if steps is None:
        raise ModelError(
            "this NIR graph does not say for how many time steps it runs: give `time_steps`"
            " (or the graph metadata of docs/nir-metadata.md)"
        )
    try:
        graph, notices = prepare(graph, dt_s)
        model = _model_of(graph, int(steps), meta, notices)
        return model if asked is not None and asked.names_scale else _doubted(model, said)
    except READ_ERRORS as error:
        raise ModelError(f"the NIR graph is damaged ({first_line(error)})") from None


def _held(said: dict[str, Any]) -> Objective:
    """What a graph says that it answers; classes where it says nothing that is known."""
    text = str(said.get("objective", CLASSIFICATION))
    return Objective(text) if text.partition(":")[0] in KINDS else Objective.CLASSIFICATION


def _doubted(model: Model, said: dict[str, Any]) -> Model:
    """The model with a line where its scale is the graph's, and it is used otherwise than the graph says."""
    used = (model.time_steps, str(model.read_out))
    held = (int(said.get("time_steps", used[0])), str(said.get("read_out", used[1])))
    return replace(model, notices=(*model.notices, *doubt(model.objective, held, used)))


def _model_of(graph: nir.NIRGraph, time_steps: int, meta: dict[str, Any], notices: tuple[str, ...]) -> Model:
    data = meta.get("data")
    if "encoding" not in meta:
        notices += ("the graph names no encoding: 'direct' is assumed",)
    if "read_out" not in meta:
        network = Network(graph)
        spikes = network.neurons[network.read_out].spikes
        meta = {**meta, "read_out": ReadOut.COUNT if spikes else ReadOut.MEMBRANE}
    return Model(
        graph,
        time_steps,
        Encoding(str(meta.get("encoding", Encoding.DIRECT))),
        ReadOut(str(meta.get("read_out", ReadOut.COUNT))),
        None if data is None else str(data),
        notices,
        int(meta.get("population", 1)),
        str(meta.get("binning", BINNINGS[0])),
        objective=Objective(str(meta.get("objective", Objective.CLASSIFICATION))),
    )
