"""The files through which a run and its worker speak; `worker/main.py` is the other side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.backends.lava.job import LavaJob, LavaLayer
from spear_deploy.errors import BackendError
from spear_deploy.network import Connection

Array = NDArray[Any]


def write_job(folder: Path, job: LavaJob, inputs: Tensor, given: dict[str, Any]) -> None:
    """Write a job: `job.json` with what is `given` besides, `arrays.npz` and `inputs.npy`.

    Inputs are `[T, B, *input_shape]`; static ones (stride 0 over time) are stored once.
    """
    arrays: dict[str, Array] = {}
    place = {job.network.input: 0} | {layer.name: index + 1 for index, layer in enumerate(job.layers)}
    described = [_describe(index, layer, place, arrays) for index, layer in enumerate(job.layers)]
    np.savez(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]
    static = len(inputs) > 1 and inputs.stride(0) == 0
    stored = (inputs[:1] if static else inputs).detach().flatten(2).numpy()
    np.save(folder / "inputs.npy", stored.astype(np.int32 if job.fixed else np.float64))
    content = {
        "inputs": stored.shape[2],
        "samples": stored.shape[1],
        "interval": len(inputs),
        "depth": max(layer.depth for layer in job.layers),
        "fixed": job.fixed,
        "layers": described,
    }
    (folder / "job.json").write_text(json.dumps(content | given), encoding="utf-8")


def read_outputs(folder: Path, job: LavaJob, samples: int, steps: int) -> dict[str, Array]:
    """What every layer sent, `[T, N, *shape]`: spikes, or the membrane in the float network's units."""
    outputs = {}
    for index, layer in enumerate(job.layers):
        rows = _rows(folder / f"l{index}_output.npy", layer, samples, steps)
        outputs[layer.name] = rows / layer.unit if layer.kind == "membrane" and job.fixed else rows
    return outputs


def read_states(folder: Path, job: LavaJob, samples: int, steps: int) -> dict[str, tuple[Array, Array]]:
    """Currents u and membranes v of every layer after every step, `[T, N, *shape]`, as Lava held them."""
    return {
        layer.name: (
            _rows(folder / f"l{index}_u.npy", layer, samples, steps),
            _rows(folder / f"l{index}_v.npy", layer, samples, steps),
        )
        for index, layer in enumerate(job.layers)
    }


def read_fan_out(folder: Path, job: LavaJob) -> dict[Connection, NDArray[np.int64]]:
    """The non-zero weights in each column of Lava's matrices, `[*source_shape]`."""
    fan_out = {}
    for index, layer in enumerate(job.layers):
        for number, found in enumerate(layer.synapses):
            counts = _load(folder / f"{_key(index, number)}_fan_out.npy")
            shape = job.network.shapes[found.connection.source]
            fan_out[found.connection] = counts.astype(np.int64).reshape(shape)
    return fan_out


def _describe(index: int, layer: LavaLayer, place: dict[str, int], arrays: dict[str, Array]) -> dict[str, Any]:
    for key, value in layer.constants.items():
        arrays[f"l{index}_{key}"] = value
    if layer.axon is not None:
        arrays[f"l{index}_axon"] = layer.axon
    synapses = []
    for number, found in enumerate(layer.synapses):
        key = _key(index, number)
        for part in ("data", "indices", "indptr", "shape"):
            arrays[f"{key}_{part}"] = np.asarray(getattr(found.weights, part))
        synapses.append(
            {
                "key": key,
                "source": place[found.connection.source],
                "exponent": found.exponent,
                "mixed": found.mixed,
                "relays": found.relays,
                "late": found.late,
                "graded": found.graded,
            }
        )
    return {
        "size": int(np.prod(layer.shape)),
        "depth": layer.depth,
        "kind": layer.kind,
        "reset_delay": layer.reset_delay,
        "axon": layer.axon is not None,
        "axon_exponent": layer.axon_exponent,
        "synapses": synapses,
    }


def _key(layer: int, number: int) -> str:
    return f"l{layer}_c{number}"


def _rows(path: Path, layer: LavaLayer, samples: int, steps: int) -> Array:
    """Cut a record at the depth of its layer: the steps of one sample after the other."""
    seen = _load(path)[layer.depth : layer.depth + samples * steps]
    try:
        by_sample = seen.reshape(samples, steps, *layer.shape)
    except ValueError as error:
        raise BackendError(f"Lava: the worker's output of {layer.name} has the wrong size ({error})") from None
    return np.ascontiguousarray(by_sample.swapaxes(0, 1))


def _load(path: Path) -> Array:
    try:
        loaded: Array = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise BackendError(f"Lava: the worker's output cannot be read ({error})") from None
    return loaded
