"""Runs a model in Lava, in a worker process that cannot outlive its time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.backends.fixed_point.quantized import QuantizedNetwork, input_integers
from spear_deploy.backends.lava.exchange import read_fan_out, read_outputs, read_states, write_job
from spear_deploy.backends.lava.install import how_to_install, last_line
from spear_deploy.backends.lava.interpreter import worker_command
from spear_deploy.backends.lava.job import LavaJob, fixed_job, floating_job
from spear_deploy.backends.lava.process_group import worker_group
from spear_deploy.errors import BackendError
from spear_deploy.network import Connection, Model, Network

OnProgress = Callable[[int, int], None]
"""Called with the samples done and the samples given."""

LONGEST_SOCKET = 107 if sys.platform == "linux" else 103
"""Bytes that the path of a Unix socket may have. Source: `sun_path` in sys/un.h."""

_FOLDER = "spear-deploy-lava-"
_SOCKET_BELOW = len(f"/{_FOLDER}12345678/pymp-12345678/listener-12345678")
"""Of that, what multiprocessing and we put below the folder for temporary files."""

POLL_S = 0.05
LOG_LINES = 15
"""Lines of the worker's log that an error shows."""

_START = "from pathlib import Path; from worker.main import main; main(Path(sys.argv[1]))"


@dataclass(frozen=True)
class LavaRun:
    """What Lava did.

    Attributes:
        outputs: by neuron layer `[T, N, *shape]`: spikes (bool), or the membrane (float64) of a
            layer without threshold.
        fan_out: by connection `[*source_shape]`: the non-zero entries in each column of the
            weight matrix that Lava ran with (int64).
        samples: N, the number of samples that were run, the first ones of the input.
        seconds: for compiling and running, without starting the interpreter.
        versions: of lava, numpy and python in the worker.
        states: with `watch`, by layer, u and v after every step `[T, N, *shape]`.

    """

    outputs: dict[str, NDArray[Any]]
    fan_out: dict[Connection, NDArray[np.int64]]
    samples: int
    seconds: float
    versions: dict[str, str]
    states: dict[str, tuple[NDArray[Any], NDArray[Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """How long a run may take, and how many samples it is to run."""

    time_limit_s: float
    sample_budget_s: float
    min_samples: int


def run_lava(
    model: Model,
    inputs: Tensor,
    *,
    time_limit_s: float,
    sample_budget_s: float = 60.0,
    min_samples: int = 100,
    on_progress: OnProgress | None = None,
    python: Path | None = None,
    watch: bool = False,
) -> LavaRun:
    """Run samples through a network in lava-nc, in float64.

    Only the input is injected; every layer gets its input from Lava's own synapses. All samples
    stream through one compiled network, the first ones if not all fit into the time.

    Args:
        model: the network.
        inputs: `[T, B, *input_shape]`; expanded over time (stride 0) for static samples.
        time_limit_s: the worker is ended after this time, whatever it does.
        sample_budget_s: no further samples are begun when they would not end within this time.
        min_samples: run at least so many samples all the same (or all, if there are fewer).
        on_progress: called from time to time.
        python: another interpreter that has Lava; this one by default.
        watch: whether the states of all neurons are kept.

    Raises:
        BackendError: Lava is missing, cannot run this network, failed, or took too long.

    """
    _check_inputs(model.network, inputs)
    binary = bool(((inputs == 0) | (inputs == 1)).all())
    job = floating_job(model.network, analog_input=not binary)
    return _run(job, inputs.double(), Limits(time_limit_s, sample_budget_s, min_samples), on_progress, python, watch)


def run_lava_fixed(
    quantized: QuantizedNetwork,
    inputs: Tensor,
    *,
    time_limit_s: float,
    sample_budget_s: float = 60.0,
    min_samples: int = 100,
    on_progress: OnProgress | None = None,
    python: Path | None = None,
    watch: bool = False,
) -> LavaRun:
    """Run samples through a quantised network in Lava's fixed point, bit-accurate to Loihi.

    Inputs are those of the float network; everything else is as in `run_lava`.
    """
    _check_inputs(quantized.network, inputs)
    job = fixed_job(quantized)
    limits = Limits(time_limit_s, sample_budget_s, min_samples)
    return _run(job, input_integers(quantized, inputs), limits, on_progress, python, watch)


def _run(
    job: LavaJob, inputs: Tensor, limits: Limits, on_progress: OnProgress | None, python: Path | None, watch: bool
) -> LavaRun:
    with tempfile.TemporaryDirectory(prefix=_FOLDER, dir=temporary_folder()) as name:
        folder = Path(name)
        given = {
            "sample_budget_s": limits.sample_budget_s,
            "min_samples": limits.min_samples,
            "watch": watch,
        }
        try:
            write_job(folder, job, inputs, given)
        except OSError as error:
            raise BackendError(
                f"Lava: {folder}: cannot be written ({error.strerror or error}); set TMPDIR to a folder with more room"
            ) from None
        interpreter = python or Path(sys.executable)
        result = _supervise(folder, interpreter, limits.time_limit_s, inputs.shape[1], on_progress)
        samples = int(result["samples"])
        return LavaRun(
            outputs=read_outputs(folder, job, samples, len(inputs)),
            fan_out=read_fan_out(folder, job),
            samples=samples,
            seconds=float(result["seconds"]),
            versions=dict(result["versions"]),
            states=read_states(folder, job, samples, len(inputs)) if watch else {},
        )


def temporary_folder() -> str:
    """The folder for temporary files, or another one where that has a path too long for the sockets of Lava.

    Raises:
        BackendError: none is short enough.

    """
    known = tempfile.gettempdir()
    for folder in (known, "/tmp", "/var/tmp"):
        if len(os.fsencode(folder)) + _SOCKET_BELOW <= LONGEST_SOCKET and os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise BackendError(
        f"Lava: its sockets need a folder for temporary files of at most {LONGEST_SOCKET - _SOCKET_BELOW} bytes,"
        f" found {known}; set TMPDIR to a shorter one"
    )


def _check_inputs(network: Network, inputs: Tensor) -> None:
    expected = network.input_shape
    if inputs.ndim < 2 or tuple(inputs.shape[2:]) != expected or not inputs.shape[0] or not inputs.shape[1]:
        raise BackendError(
            f"Lava: the network takes inputs [T, B, {', '.join(map(str, expected))}], found {list(inputs.shape)}"
        )
    if not bool(inputs.isfinite().all()):
        raise BackendError("Lava: the inputs must be finite, found NaN or infinity")


def _supervise(
    folder: Path, python: Path, time_limit_s: float, total: int, on_progress: OnProgress | None
) -> dict[str, Any]:
    """Run the worker to its end or to the limit; returns its result, raises its fault."""
    command = worker_command(python, _START, str(folder))
    # What Lava's processes leave in their temporary folder goes with the job's, however they end.
    env = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TMPDIR": str(folder)}
    log = folder / "worker.log"
    deadline = time.monotonic() + time_limit_s
    result = folder / "result.json"
    done = 0
    try:
        with worker_group(command, log, env, folder) as process:
            while process.poll() is None and not result.exists():
                if time.monotonic() > deadline:
                    raise BackendError(
                        f"Lava: no result within {time_limit_s:g} s, {done} of {total} samples done; the worker was"
                        " ended. Run fewer samples or allow more time"
                    )
                time.sleep(POLL_S)
                done = _report(folder / "progress.json", done, total, on_progress)
            _report(folder / "progress.json", done, total, on_progress)
    except OSError as error:
        raise BackendError(f"Lava: {python} cannot be started ({error.strerror})") from None
    return _checked(result, process, log, python)


def _report(path: Path, done: int, total: int, on_progress: OnProgress | None) -> int:
    if not path.exists():
        return done
    try:
        now = int(json.loads(path.read_text(encoding="utf-8"))["samples"])
    except (ValueError, KeyError, TypeError):  # not worth losing a run for; the result decides
        return done
    if now != done and on_progress is not None:
        on_progress(now, total)
    return now


NO_MEMORY = "Lava: the worker ran out of memory; run fewer samples, or give it more"


def _checked(path: Path, process: subprocess.Popen[bytes], log: Path, python: Path) -> dict[str, Any]:
    if not path.exists():
        if _tail(log).endswith("MemoryError"):  # too little even to write the result
            raise BackendError(NO_MEMORY)
        ended = f"signal {-process.returncode}" if process.returncode < 0 else f"exit code {process.returncode}"
        raise BackendError(f"Lava: the worker ended with {ended} and without a result{_tail(log)}")
    try:
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        status = result["status"]
        complete = status != "done" or {"samples", "seconds", "versions"} <= set(result)
    except (ValueError, KeyError, TypeError):
        complete = False
    if not complete:
        raise BackendError(f"Lava: the worker's result cannot be read{_tail(log)}") from None
    if status == "missing":
        why = last_line(result["message"])
        raise BackendError(f"Lava is not available in {python} ({why}); {how_to_install(python)}")
    if status == "actor":
        raise BackendError(f"Lava: a process model failed:\n{result['message']}")
    if status == "no shared memory":
        raise BackendError(f"Lava: needs shared memory, as in /dev/shm, and there is none ({result['message']})")
    if status == "memory":
        raise BackendError(NO_MEMORY)
    if status != "done":
        raise BackendError(f"Lava: the worker failed:\n{result['message']}")
    return result


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    return ":\n" + "\n".join(lines) if lines else ""
