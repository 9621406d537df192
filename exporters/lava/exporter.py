"""Writes the stand-alone Lava script with its weights, and runs it."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from spear_deploy import __version__
from spear_deploy.backends.fixed_point.quantized import QuantizedNetwork
from spear_deploy.backends.lava import LavaStatus, status
from spear_deploy.backends.lava.interpreter import executable
from spear_deploy.backends.lava.job import LavaJob, fixed_job, floating_job
from spear_deploy.backends.lava.process_group import worker_group
from spear_deploy.errors import BackendError, ExportError, NotRunnableError
from spear_deploy.exporters.lava.program import matrix_names, needs_own_process, program, remembers
from spear_deploy.exporting import Exporter, JudgedIntegers, sample_inputs, simulate
from spear_deploy.exporting.judged import needed
from spear_deploy.exporting.samples import static_sample
from spear_deploy.network import Model

TIME_LIMIT_S = 600.0
LOG_LINES = 8


class LavaExporter(Exporter):
    """Writes `_lava.py` and `_lava.npz`: a script that runs with lava-nc alone.

    Args:
        fixed: in fixed point, bit-accurate to Loihi, instead of floating point.
        integers: those that a script in fixed point runs.
        no_integers: why there are none; empty where that is not known.
        samples: `[T, B, *input_shape]`, which the script runs where it is given none; made up by default.
        python: an interpreter that has Lava; this one by default.

    """

    name = "lava"
    suffix = "_lava.py"
    family = "lava"
    tool = "Lava"
    says = "a stand-alone Python script for lava-nc, with its weights (.npz)"
    options: ClassVar = {"fixed": "the script in fixed point"}

    def __init__(
        self,
        *,
        fixed: bool = False,
        integers: JudgedIntegers | None = None,
        no_integers: str = "",
        samples: Tensor | None = None,
        python: Path | None = None,
    ) -> None:
        self.fixed = fixed
        self.integers = integers
        self.no_integers = no_integers
        self.samples = samples
        self.python = python or Path(sys.executable)
        self.arithmetic = "integers" if fixed else "float64"

    def refuses(self, model: Model) -> tuple[str, ...]:
        """What Lava cannot run, and in fixed point what its own LIF is not."""
        try:
            job, _ = self._job(model)
        except (BackendError, ExportError) as error:
            return (str(error),)
        if not self.fixed:
            return ()
        reasons = [
            f"{layer.name}: in fixed point the script has Lava's own LIF only, which resets to zero and has one du, dv"
            " and vth a layer; export in floating point instead"
            for layer in job.layers
            if needs_own_process(layer)
        ]
        if remembers(job):
            reasons.append("a network with delays or loops is exported in floating point only")
        return tuple(reasons)

    def write(self, model: Model, path: Path) -> None:
        """Write the script and, beside it, the arrays."""
        job, quantized = self._job(model)
        levels = None if quantized is None else quantized.levels
        path.write_text(program(model, job, path.name, __version__, levels), encoding="utf-8")
        content = io.BytesIO()
        np.savez_compressed(content, **_arrays(job), inputs=self._samples(model))
        path.with_suffix(".npz").write_bytes(content.getvalue())

    def run(self, path: Path, inputs: Tensor) -> dict[str, Tensor]:
        """Run the script as its user would, in a process of its own."""
        found = _status(self.python)
        if not found.available:
            raise NotRunnableError(f"Lava is not installed ({found.missing}); {found.advice}")
        with tempfile.TemporaryDirectory(prefix="spear-deploy-lava-") as name:
            folder = Path(name)
            with np.load(path.with_suffix(".npz")) as arrays:
                static = arrays["inputs"].ndim < inputs.ndim
            np.save(folder / "inputs.npy", (static_sample(inputs) if static else inputs).double().numpy())
            for file in (path, path.with_suffix(".npz")):  # Python imports from where a script lies
                shutil.copy(file, folder)
            # -B: Lava imports a script that has processes of its own, and its bytecode would lie beside the files.
            command = [executable(self.python), "-B", "-W", "ignore", path.name, "inputs.npy"]
            self._finish([*command, "--save", "outputs.npz"], folder, path)
            with np.load(folder / "outputs.npz") as outputs:
                return {key.removesuffix(".outputs"): torch.from_numpy(outputs[key]) for key in outputs.files}

    def expected(self, model: Model, inputs: Tensor) -> dict[str, Tensor]:
        """Our own simulation in float64, or what the chip does with the judged integers."""
        outputs = self._judged.run(inputs) if self.fixed else simulate(model, inputs, torch.float64)
        return {name: values.flatten(2) for name, values in outputs.items()}

    def notes(self, model: Model, inputs: Tensor) -> dict[str, object]:
        """Which arithmetic the script has."""
        return {"arithmetic": "fixed point, bit-accurate to Loihi" if self.fixed else "floating point"}

    def _job(self, model: Model) -> tuple[LavaJob, QuantizedNetwork | None]:
        if not self.fixed:
            return floating_job(model.network, analog_input=model.encoding.analog), None
        quantized = self._judged.quantized
        return fixed_job(quantized), quantized

    @property
    def _judged(self) -> JudgedIntegers:
        return needed(self.integers, "a script in fixed point", self.no_integers)

    def _samples(self, model: Model) -> Any:
        """Samples for a run without arguments, as a user would give them."""
        inputs = sample_inputs(model) if self.samples is None else self.samples
        return (static_sample(inputs) if model.encoding.static else inputs).numpy()

    def _finish(self, command: list[str], folder: Path, path: Path) -> None:
        log = folder / "log.txt"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        with worker_group(command, log, environment, folder) as process:
            try:
                code = process.wait(TIME_LIMIT_S)
            except subprocess.TimeoutExpired:
                raise ExportError(f"{path.name}: Lava gave no answer within {TIME_LIMIT_S:g} s") from None
        if code:
            words = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
            raise ExportError("\n  ".join([f"{path.name}: the script failed in Lava", *words]))


@cache
def _status(python: Path) -> LavaStatus:
    """Asked once: it starts an interpreter."""
    return status(python)


def _arrays(job: LavaJob) -> dict[str, Any]:
    found: dict[str, Any] = {}
    names = matrix_names(job)
    for layer in job.layers:
        called = names[layer.name]
        found |= {f"{layer.name}.{key}": values for key, values in layer.constants.items()}
        matrices = dict(zip(called.synapses, (each.weights for each in layer.synapses), strict=True))
        if layer.axon is not None:
            matrices[called.axon] = sparse.csr_matrix(layer.axon[:, None])
        for name, matrix in matrices.items():
            found[f"{name}.data"], found[f"{name}.indices"] = matrix.data, matrix.indices
            found[f"{name}.indptr"], found[f"{name}.shape"] = matrix.indptr, np.array(matrix.shape)
    return found
