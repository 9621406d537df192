"""What the work on a network needs of memory, held against what it may take before the work begins.

How many samples run at a time follows from the network alone (`network.batching`), so that no result depends on the
bound. What follows from it is how many processes share the work, and whether it can be done at all.
"""

from __future__ import annotations

from collections.abc import Callable

from spear_deploy.errors import MachineError
from spear_deploy.network import Network, samples_at_once
from spear_deploy.network.batching import states_of, trained_at_once
from spear_deploy.search import TuningPlan
from spear_deploy.system.memory import free_bytes

SHARE = 0.8
"""Of the memory that is free, what work may take by default."""

PROCESS_BYTES = 450 << 20
"""What Python, torch and what else is imported take in a process: 310 to 430 MiB were measured, data not among it."""

RUN_COPIES = 8
"""Copies of the states in float64 that stand while samples run and are counted: outputs, currents, what convolutions
need, the record of spikes; 6.5 to 7.5 were measured."""

TRAINED_COPIES = 6
"""Copies of the states in float32 that stand while gradients are taken; 3.3 were measured of an event network, 5 of one
whose single convolution has nearly all states."""

WEIGHT_COPIES = 8
"""Copies of the weights in float32: gradients, the optimiser's moments, what an epoch may go back to."""


def run_bytes(network: Network, time_steps: int) -> int:
    """What running a network takes beside the process itself, of as many samples as run at a time."""
    samples = samples_at_once(network, time_steps)
    return 8 * RUN_COPIES * samples * states_of(network, time_steps) + WEIGHT_COPIES * _weight_bytes(network)


def trained_bytes(network: Network, time_steps: int, batch: int, *, whole: bool) -> int:
    """What a training step takes beside the process itself and what a run left there (`run_bytes`).

    Args:
        network: that is trained.
        time_steps: of a sample.
        batch: samples of a step.
        whole: whether the batch runs as one, as under a constraint.

    """
    samples = batch if whole else trained_at_once(network, time_steps, batch)
    return 4 * TRAINED_COPIES * samples * states_of(network, time_steps) + WEIGHT_COPIES * _weight_bytes(network)


def _weight_bytes(network: Network) -> int:
    return sum(
        4 * array.size for node in network.nodes.values() if (array := getattr(node, "weight", None)) is not None
    )


def allowed_bytes(asked: int | None) -> int | None:
    """What work may take: what was asked for, or a share of what is free; None where nobody knows."""
    if asked is not None:
        return asked
    free = free_bytes()
    return None if free is None else int(SHARE * free)


def check_room(
    network: Network,
    time_steps: int,
    asked: int | None,
    plan: TuningPlan | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> None:
    """Whether a network can be run, and trained by a plan where there is one, within some memory.

    Needs are estimated, and what is free changes: so a bound that was asked for is kept by refusing, and where none
    was, `tell` is told that there may be too little.

    Raises:
        MachineError: it cannot within what was asked for; says what it needs.

    """
    allowed = allowed_bytes(asked)
    lack = "" if allowed is None else _lack(network, time_steps, plan, allowed, asked)
    if lack and asked is not None:
        raise MachineError(lack)
    if lack:
        tell(f"there may be {lack}")


def _lack(network: Network, time_steps: int, plan: TuningPlan | None, allowed: int, asked: int | None) -> str:
    """What there is less memory for than is needed, in words; nothing where there is enough."""
    samples, needed = samples_at_once(network, time_steps), run_bytes(network, time_steps)
    what = f"{'one sample' if samples == 1 else f'{samples} samples, which run together,'} of {time_steps} time steps"
    if plan is not None and PROCESS_BYTES + needed <= allowed:
        batch, whole = (plan.final.batch, True) if plan.constrained else (plan.plain.batch, False)
        needed += trained_bytes(network, time_steps, batch, whole=whole)
        held = ", held at its budget," if whole else ""
        what = f"a training step on {batch} samples of {time_steps} time steps{held}"
    if PROCESS_BYTES + needed <= allowed:
        return ""
    given = "`memory_bytes` allows" if asked is not None else f"{SHARE:.0%} of what is free is"
    return (
        f"less memory than {what} needs: about {memory_text(PROCESS_BYTES + needed)},"
        f" {memory_text(PROCESS_BYTES)} of it for the process itself; {given} {memory_text(allowed)}"
    )


def processes_within(
    network: Network, time_steps: int, batch: int, wanted: int, asked: int | None, *, whole: bool = False
) -> int:
    """How many of the wanted processes that train have room beside the first one; at least one.

    `whole` is whether a batch runs as one, as under a constraint.
    """
    allowed = allowed_bytes(asked)
    if allowed is None:
        return wanted
    each = PROCESS_BYTES + run_bytes(network, time_steps) + trained_bytes(network, time_steps, batch, whole=whole)
    return max(1, min(wanted, (allowed - PROCESS_BYTES) // each))


def memory_text(size: float) -> str:
    """An amount as people read it: 512 MiB, 3.2 GiB; below a MiB in KiB or bytes."""
    if size < 2**20:
        return f"{size / 2**10:,.0f} KiB" if size >= 2**10 else f"{size:,.0f} B"
    return f"{size / 2**20:,.0f} MiB" if size < 2**30 else f"{size / 2**30:.1f} GiB"
