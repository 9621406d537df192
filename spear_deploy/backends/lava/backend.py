"""Lava in the shape of our other backends: a batch of samples is one run of its worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from spear_deploy.backends.backend import Ready, cast, integer_states
from spear_deploy.backends.lava.job import fixed_job, floating_job
from spear_deploy.backends.lava.runner import LavaRun, run_lava, run_lava_fixed
from spear_deploy.backends.recording import LayerStates, Watched, range_of
from spear_deploy.errors import BackendError
from spear_deploy.network import Connection, Encoding, Model

TIME_LIMIT_S = 600.0
"""The worker is ended after this time; a batch of 100 samples takes seconds."""


@dataclass(frozen=True)
class Worker:
    """How Lava is run.

    Attributes:
        python: an interpreter that has Lava; None for this one.
        time_limit_s: of one batch.

    """

    python: Path | None = None
    time_limit_s: float = TIME_LIMIT_S


def lava_ready(model: Model, worker: Worker) -> Ready:
    """The model in Lava's floating point.

    Raises:
        BackendError: Lava cannot run it; names layer, rule and way out.

    """
    floating_job(model.network, analog_input=model.encoding is Encoding.DIRECT)

    def started(inputs: Tensor, watch: bool) -> LavaRun:
        return run_lava(
            model,
            cast(inputs, torch.float64),
            time_limit_s=worker.time_limit_s,
            min_samples=inputs.shape[1],
            python=worker.python,
            watch=watch,
        )

    def watched(inputs: Tensor) -> Watched:
        run = started(inputs, True)
        neurons = model.network.neurons
        states = {
            layer: LayerStates(
                None if neurons[layer].alpha is None else range_of(torch.from_numpy(u)), range_of(torch.from_numpy(v))
            )
            for layer, (u, v) in run.states.items()
        }
        return Watched(_outputs(run), states, _fan_out(run))

    return Ready(lambda inputs: _outputs(started(inputs, False)), watched)


def lava_fixed_ready(on_target: Ready, worker: Worker) -> Ready:
    """What our own integers hold, in Lava's fixed point; a layer on the host stays there.

    Raises:
        BackendError: the target has no integers, or Lava cannot run them.

    """
    quantized = on_target.quantized
    if quantized is None:
        raise BackendError("lava-fixed runs a chip's integers, and the target has none; choose --target loihi2")
    fixed_job(quantized)

    def started(inputs: Tensor, watch: bool) -> LavaRun:
        return run_lava_fixed(
            quantized,
            inputs,
            time_limit_s=worker.time_limit_s,
            min_samples=inputs.shape[1],
            python=worker.python,
            watch=watch,
        )

    def watched(inputs: Tensor) -> Watched:
        before = None if on_target.host is None else on_target.host(inputs)
        run = started(inputs if before is None else before.outputs[quantized.network.input], True)
        u, v = ({layer: torch.from_numpy(pair[part]).double() for layer, pair in run.states.items()} for part in (0, 1))
        seen = Watched(_outputs(run), integer_states(quantized, u, v), _fan_out(run))
        if before is None:
            return seen
        reached = {**(on_target.fan_out or {}), **_fan_out(run)}
        return Watched({**before.outputs, **seen.outputs}, {**before.states, **seen.states}, reached)

    return Ready(lambda inputs: watched(inputs).outputs, watched, quantized=quantized)


def _outputs(run: LavaRun) -> dict[str, Tensor]:
    return {layer: torch.from_numpy(output) for layer, output in run.outputs.items()}


def _fan_out(run: LavaRun) -> Mapping[Connection, Tensor]:
    return {connection: torch.from_numpy(counts) for connection, counts in run.fan_out.items()}
