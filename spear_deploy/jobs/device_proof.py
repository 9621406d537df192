"""That a device computes what the CPU computes, shown on a sample of each run before anything rests on it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from spear_deploy.backends.backend import Backend, Executable
from spear_deploy.backends.torch import TorchBackend
from spear_deploy.data import EncodedSplit
from spear_deploy.errors import DeviceError
from spear_deploy.exporting.ties import margins
from spear_deploy.measure import measure_split
from spear_deploy.network import Model
from spear_deploy.network.agreement import EXACT, FLOAT64, Tolerance, agreement
from spear_deploy.network.device import CPU, describe

PROOF_SAMPLES = 16
"""Samples that run on both."""

TIE = 1e-9
"""How near to its threshold, relative, a membrane in float64 may fall on either side: the order of its sums."""

FLOAT32_SHARE = 1e-3
"""How far SynOps in float32 may lie off, relative: spikes that fall otherwise change those that follow."""


def prove_device(model: Model, target: Backend, data: EncodedSplit) -> None:
    """Run the first samples on the device of `data` and on the CPU, in every arithmetic that the run uses.

    Integers must be equal bit by bit, spikes in float64 but for ties; SynOps in float32 nearly.

    Raises:
        DeviceError: they are not; says in which arithmetic and where.

    """
    if data.device == CPU:
        return
    few = data.take(slice(0, PROOF_SAMPLES))
    _prove(TorchBackend().prepare(model), model, few, ties=True)
    if target.integers:
        _prove(target.prepare(model), model, few, ties=False)
    ours, theirs = (measure_split(model, each).synops for each in (few.on(CPU), few))
    if abs(ours - theirs) > FLOAT32_SHARE * ours:
        raise DeviceError(
            f"{describe(data.device)} counts {theirs:,.1f} SynOps in float32, the CPU {ours:,.1f}; run on cpu"
        )


def _prove(executable: Executable, model: Model, few: EncodedSplit, *, ties: bool) -> None:
    ours = executable.run(few.on(CPU).inputs).outputs
    theirs = {layer: output.cpu() for layer, output in executable.run(few.inputs).outputs.items()}

    def near() -> Mapping[str, Tensor]:
        return {layer: margin < TIE for layer, margin in margins(model, few.as_float64(), theirs).items()}

    tolerance = Tolerance(FLOAT64.membrane, near) if ties else EXACT
    found = agreement(ours, theirs, tolerance, membranes=model.network.membranes)
    if not found.equal:
        raise DeviceError(
            f"{describe(few.device)} does not compute what the CPU computes,"
            f" in {'float64' if ties else 'integers'}: {found.fault}; run on cpu"
        )
