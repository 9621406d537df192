"""Runs an ONNX file of ours in onnxruntime, whichever form it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.errors import ExportError
from spear_deploy.exporters.onnx.forms import NEXT, Form
from spear_deploy.exporting.samples import static_sample
from spear_deploy.system.outside.plain import read_bytes
from spear_deploy.system.outside.refusal import RefusedError, first_line

Array = NDArray[np.float32]
LARGEST_FILE = 2 << 30
"""Bytes; the limit of the format itself."""


def open_file(path: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """A session on the processor.

    Raises:
        ExportError: onnxruntime cannot read the file, or it takes weights from another one.

    """
    onnxruntime.disable_telemetry_events()  # it is on by default where a build has it, and writes to the home folder
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        content = read_bytes(path, LARGEST_FILE)
        _check_whole(onnx.load_from_string(content).graph)
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors have no common base but this
        raise ExportError(f"{path}: onnxruntime cannot read it ({first_line(error)})") from None


def _check_whole(graph: onnx.GraphProto) -> None:
    """Whether all weights lie in the file itself; ONNX may name others, anywhere on the disk.

    Raises:
        RefusedError: they do not.

    """
    tensors = list(graph.initializer)
    for node in graph.node:
        for attribute in node.attribute:
            tensors += [attribute.t, *attribute.tensors]
            for below in (attribute.g, *attribute.graphs):
                if below.node or below.initializer:
                    _check_whole(below)
    for tensor in tensors:
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise RefusedError(f"{tensor.name}: its values lie in another file")


def run_file(path: Path, inputs: Tensor) -> dict[str, Tensor]:
    """The outputs of all layers for inputs `[T, B, *input_shape]`.

    Raises:
        ExportError: the file is no ONNX file of ours, or takes other inputs.

    """
    session = open_file(path)
    metadata = session.get_modelmeta().custom_metadata_map
    form = metadata.get("spear_deploy.form")
    if form not in list(Form):
        raise ExportError(f"{path}: an ONNX file, but spear-deploy did not write it (its metadata names no form)")
    static = form != Form.STEP and metadata["spear_deploy.encoding"] == "direct"
    given = (static_sample(inputs) if static else inputs).to(torch.float32).numpy()
    try:
        return run_steps(session, given) if form == Form.STEP else run_whole(session, given)
    except Exception as error:
        raise ExportError(f"{path}: onnxruntime cannot run it ({str(error).splitlines()[0]})") from None


def run_steps(session: onnxruntime.InferenceSession, inputs: Array) -> dict[str, Tensor]:
    """Call the step function once a time step, from states of zeros."""
    (x, *states), outputs = session.get_inputs(), [output.name for output in session.get_outputs()]
    batch = inputs.shape[1]
    values: dict[str, Any] = {state.name: np.zeros((batch, *state.shape[1:]), np.float32) for state in states}
    rows: dict[str, list[Array]] = {name: [] for name in outputs if not name.endswith(NEXT)}
    for current in inputs:
        found = dict(zip(outputs, session.run(outputs, {x.name: np.ascontiguousarray(current), **values}), strict=True))
        values = {name: found[f"{name}{NEXT}"] for name in values}
        for name, row in rows.items():
            row.append(found[name])
    return {name: torch.from_numpy(np.stack(row)) for name, row in rows.items()}


def run_whole(session: onnxruntime.InferenceSession, inputs: Array) -> dict[str, Tensor]:
    """One call for the whole inference."""
    outputs = [output.name for output in session.get_outputs()]
    found = session.run(outputs, {session.get_inputs()[0].name: np.ascontiguousarray(inputs)})
    return {name: torch.from_numpy(np.asarray(values)) for name, values in zip(outputs, found, strict=True)}
