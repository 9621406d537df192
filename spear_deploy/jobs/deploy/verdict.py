"""The verdict of a run: every limit kept, and every backend in agreement with the one it must repeat."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from spear_deploy.report.schema import Agreement, LimitReport, LreCheck, MaxDrop, Verdict


def judge(
    basis: str,
    check: LreCheck,
    limits: Sequence[LimitReport],
    dense_synops: float,
    agreement: Mapping[str, Agreement],
    *,
    unverified: str = "",
    max_drop: MaxDrop | None = None,
) -> Verdict:
    """The verdict of a run.

    Args:
        basis: the backend whose figures are judged.
        check: LRE's prediction against that backend.
        limits: with what the network uses of each on the whole test split, in the target's
            arithmetic; mean SynOps first.
        dense_synops: what a budget of SynOps is a share of.
        agreement: of backends, by their names joined by `_`, the reference first.
        unverified: why a backend that was asked for did not run; empty where all did.
        max_drop: of accuracy, where one is allowed.

    """
    synops, *others = limits
    faults = []
    if synops.pruned > synops.allowed:
        nearest = math.ceil(1000 * synops.pruned / dense_synops) / 10
        faults.append(
            f"{synops.pruned:,.0f} SynOps on test exceed the budget of {synops.allowed:,.0f};"
            f" the nearest budget that this network keeps is {nearest:g}%"
        )
    within = not faults
    faults += [
        f"{limit.name}: {limit.pruned:,.0f} {limit.unit} exceed the {limit.allowed:,.0f} of {limit.origin}"
        for limit in others
        if limit.pruned > limit.allowed
    ]
    faults += [unverified] if unverified else []
    for names, found in agreement.items():
        difference, reference = found.first_difference, names.split("_")[0]
        if difference is not None:
            faults.append(
                f"Lava's spikes differ from {reference}'s from layer {difference.layer}, step {difference.step}"
            )
    if max_drop is not None and max_drop.test_drop_points > max_drop.points:
        drop = max_drop.test_drop_points
        faults.append(f"accuracy on test drops by {drop:.2f} points, more than --max-drop {max_drop.points:g}")
    return Verdict(
        basis=basis,
        within_budget=within,
        covered=check.covered,
        prediction_error_percent=check.error_percent,
        ok=not faults,
        reason="; ".join(faults),
    )


def basis_of(backend: str, checks: Mapping[str, LreCheck]) -> str:
    """The backend that is judged: the target's own integers, else Lava where it ran, else torch."""
    if backend != "torch":
        return backend
    return "lava" if "lava" in checks else "torch"
