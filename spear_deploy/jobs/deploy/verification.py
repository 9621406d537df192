"""Running the result in Lava, in floating point and in the target's integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from spear_deploy.backends.backend import Ready
from spear_deploy.backends.lava import LavaRun, run_lava, run_lava_fixed, status
from spear_deploy.backends.lava.job import floating_job
from spear_deploy.data import EncodedSplit
from spear_deploy.errors import BackendError
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.network import Model
from spear_deploy.progress import Clock
from spear_deploy.validation import Comparison, compare_with_lava

TIME_LIMIT = 5.0
"""The Lava worker is ended after this many times the time that its samples may take."""


@dataclass(frozen=True)
class Verification:
    """What Lava said.

    Attributes:
        comparisons: by the backend that Lava was held against, torch or loihi.
        missing: why a run that was wanted is not among them; empty where all are.
        version: of Lava.

    """

    comparisons: dict[str, Comparison] = field(default_factory=dict)
    missing: str = ""
    version: str = ""


def check_runs_in_lava(path: Path, model: Model, data: EncodedSplit) -> None:
    """Find out before the long work whether Lava can run what pruning will leave of a network.

    Raises:
        BackendError: which layer Lava cannot run, and the way out.

    """
    try:
        floating_job(model.network, analog_input=data.analog)
    except BackendError as error:
        raise BackendError(f"{path}: {error}: --no-lava") from None


def verify_in_lava(
    model: Model, in_torch: Ready, on_target: Ready, data: EncodedSplit, request: DeployRequest, clock: Clock
) -> Verification:
    """Run test samples in Lava, in float64 and, for a target in integers, in fixed point."""
    if not request.lava:
        return Verification()
    found = status(request.lava_python)
    if not found.available:
        clock.progress.notice(f"Lava is not installed, so the result is not verified in it; {found.advice}")
        return Verification(missing=f"not verified in Lava, which is not installed ({found.advice}, or --no-lava)")
    comparisons: dict[str, Comparison] = {}

    def run(name: str, ready: Ready, start: Callable[..., LavaRun], subject: object) -> None:
        stage = "Lava" if name == "torch" else "Lava, integers"
        with clock.stage(stage, len(data)) as advance:
            ran = start(
                subject,
                data.as_float64(),
                time_limit_s=TIME_LIMIT * request.lava_seconds,
                sample_budget_s=request.lava_seconds,
                python=request.lava_python,
                on_progress=lambda done, total: advance(done=done),
            )
            comparisons[name] = compare_with_lava(name, ready, model, ran, data)

    try:
        run("torch", in_torch, run_lava, model)
        if on_target.quantized is not None:
            run("loihi", on_target, run_lava_fixed, on_target.quantized)
    except BackendError as error:
        clock.progress.notice(str(error))
        return Verification(comparisons, f"not verified in Lava: {error}", found.versions.get("lava", ""))
    return Verification(comparisons, "", found.versions.get("lava", ""))
