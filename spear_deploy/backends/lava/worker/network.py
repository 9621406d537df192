"""Builds a job as Lava processes and runs it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIFReset
from lava.proc.sparse.process import Sparse
from lava.utils.weightutils import SignMode
from scipy import sparse

from .processes import Injector, Membrane, NeuronArray, Recorder, Subtract, Synapses

GRADED_BITS = 24
"""Message bits with which Sparse multiplies values instead of taking them for spikes."""


POLL_S = 0.002


class ActorError(Exception):
    """A process model failed; the message is its own traceback."""


class LavaNetwork:
    """Source, synapses, neurons and recorders of one job, connected but not yet running."""

    def __init__(self, job: dict[str, Any], folder: Path) -> None:
        self.folder = folder
        self.arrays = np.load(folder / "arrays.npz", allow_pickle=False)
        self.steps = job["samples"] * job["interval"] + job["depth"]
        self.interval = job["interval"]
        self.watch = job["watch"]
        self.fixed = job["fixed"]
        self.config = Loihi2SimCfg(select_tag="fixed_pt" if self.fixed else "floating_pt")
        self.injector = Injector(path=str(folder / "inputs.npy"), inputs=job["inputs"], interval=job["interval"])
        self.outputs = [self.injector.s_out]
        self.recorders = [self._layer(index, layer) for index, layer in enumerate(job["layers"])]

    def run(self, steps: int) -> None:
        """Advance all processes by a number of time steps.

        Lava's own blocking run waits for ever when an actor fails while others wait for it, so
        this looks at the actors meanwhile.

        Raises:
            ActorError: an actor failed or was killed.

        """
        self.injector.run(condition=RunSteps(num_steps=steps, blocking=False), run_cfg=self.config)
        runtime = self.injector.runtime
        while not all(port.probe() for port in runtime.service_to_runtime):
            self._check_actors(runtime._messaging_infrastructure.actors)
            time.sleep(POLL_S)
        self._check_actors(runtime._messaging_infrastructure.actors)
        runtime.wait()

    def stop(self) -> None:
        """End all processes of a run that went well."""
        self.injector.stop()

    def _check_actors(self, actors: list[Any]) -> None:
        faults = [actor.exception[1] for actor in actors if actor.exception]
        if faults:
            raise ActorError("\n".join(faults))
        dead = [actor.exitcode for actor in actors if actor.exitcode]
        if dead:
            raise ActorError(f"it was ended by signal {-dead[0]}" if dead[0] < 0 else f"exit code {dead[0]}")

    def _layer(self, index: int, layer: dict[str, Any]) -> Any:
        neurons = self._neurons(index, layer)
        self.outputs.append(neurons.s_out)
        for synapses in layer["synapses"]:
            process = self._synapses(synapses, layer["depth"])
            self._relayed(self.outputs[synapses["source"]], synapses["relays"], process.s_in)
            process.a_out.connect(neurons.a_in)
        if layer["axon"]:
            always_on = RingBuffer(data=np.ones((1, 1), dtype=int if self.fixed else float))
            weights = sparse.csr_matrix(self.arrays[f"l{index}_axon"][:, None])
            axon = Sparse(weights=weights, weight_exp=layer["axon_exponent"])
            always_on.s_out.connect(axon.s_in)
            axon.a_out.connect(neurons.a_in)
        spikes = layer["kind"] != "membrane"
        path = self._rows(f"l{index}_output", bool if spikes else self._state_type, layer["size"])
        recorder = Recorder(path=path, size=layer["size"])
        neurons.s_out.connect(recorder.a_in)
        return recorder

    def _synapses(self, synapses: dict[str, Any], depth: int) -> Any:
        extra = {}
        if self.fixed:
            extra = {"weight_exp": synapses["exponent"]}
            if synapses["mixed"]:
                extra["sign_mode"] = SignMode.MIXED
        return Synapses(
            weights=self._matrix(synapses["key"]),
            num_message_bits=GRADED_BITS if synapses["graded"] else 0,
            fan_out_path=str(self.folder / f"{synapses['key']}_fan_out.npy"),
            depth=depth,
            interval=self.interval,
            late=synapses["late"],
            **extra,
        )

    def _neurons(self, index: int, layer: dict[str, Any]) -> Any:
        """Lava's own LIFReset where one constant serves all neurons, else the same with arrays."""
        constants = {key: self.arrays[f"l{index}_{key}"] for key in ("du", "dv", "vth")}
        common = {
            "shape": (layer["size"],),
            "bias_mant": self.arrays[f"l{index}_bias"],
            "bias_exp": self.arrays[f"l{index}_bias_exponent"],
            "reset_interval": self.interval,
            "reset_offset": (1 + layer["depth"]) % self.interval,
        }
        uniform = all((value == value[0]).all() for value in constants.values())
        if layer["kind"] == "lif" and uniform and not self.watch:
            return LIFReset(**common, **{key: value[0].item() for key, value in constants.items()})
        if self.watch:
            common["watch"] = [self._rows(f"l{index}_{state}", self._state_type, layer["size"]) for state in "uv"]
        if layer["kind"] == "subtract":
            return Subtract(reset_delay=layer["reset_delay"], **common, **constants)
        return {"lif": NeuronArray, "membrane": Membrane}[layer["kind"]](**common, **constants)

    @property
    def _state_type(self) -> type:
        return np.int32 if self.fixed else np.float64

    def _rows(self, name: str, dtype: type, size: int) -> str:
        """An empty file for one row a step."""
        path = self.folder / f"{name}.npy"
        np.lib.format.open_memmap(path, "w+", np.dtype(dtype), (self.steps, size)).flush()
        return str(path)

    def _relayed(self, source: Any, steps: int, target: Any) -> None:
        """Join two ports through one-to-one synapses, each of which costs one time step."""
        for _ in range(steps):
            identity = sparse.identity(source.shape[0], dtype=int if self.fixed else float, format="csr")
            relay = Sparse(weights=identity, num_message_bits=GRADED_BITS)
            source.connect(relay.s_in)
            source = relay.a_out
        source.connect(target)

    def _matrix(self, key: str) -> Any:
        data, indices, indptr, shape = (self.arrays[f"{key}_{part}"] for part in ("data", "indices", "indptr", "shape"))
        return sparse.csr_matrix((data, indices, indptr), shape=tuple(shape))
