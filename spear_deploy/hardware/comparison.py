"""One network on several chips, a row each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.cost.activity import Activity
from spear_deploy.hardware.cost.cost import Cost
from spear_deploy.hardware.cost.estimate import estimate
from spear_deploy.hardware.placement.use import Use
from spear_deploy.hardware.rules.verdict import Verdict, check, keep_needed
from spear_deploy.network import Network


@dataclass(frozen=True)
class Row:
    """A network on a chip.

    Attributes:
        model: name of the network.
        profile: the chip.
        verdict: whether it fits, and why not.
        cost: what an inference costs; None without measured activity.
        keep: share of channels at which it would fit; None where pruning cannot make it.

    """

    model: str
    profile: Profile
    verdict: Verdict
    cost: Cost | None
    keep: float | None

    @property
    def binding(self) -> Use | None:
        """The limit that is used most."""
        return max(self.verdict.placement.uses, key=lambda use: use.share, default=None)


def compare(
    model: str, network: Network, profiles: Sequence[Profile], activity: Activity | None, *, analog_input: bool
) -> list[Row]:
    """Place and price one network on every chip; without activity there are no prices."""
    rows = []
    for profile in profiles:
        verdict = check(network, profile, analog_input=analog_input)
        cost = None if activity is None else estimate(network, verdict.placement, activity)
        rows.append(Row(model, profile, verdict, cost, keep_needed(network, verdict)))
    return rows


def _energy(row: Row) -> float:
    energy = row.cost.energy_pj if row.cost is not None else None
    return inf if energy is None else energy.typical


def _time(row: Row) -> float:
    time = row.cost.time_ns if row.cost is not None else None
    return inf if time is None else time.typical


SORT_KEYS: dict[str, Callable[[Row], tuple[float, str] | str]] = {
    "target": lambda row: row.profile.name,
    "fits": lambda row: (float(not row.verdict.fits), row.profile.name),
    "cores": lambda row: (float(row.verdict.placement.cores_needed), row.profile.name),
    "energy": lambda row: (_energy(row), row.profile.name),
    "time": lambda row: (_time(row), row.profile.name),
    "keep": lambda row: (-row.keep if row.keep is not None else inf, row.profile.name),
}
"""What rows can be ordered by; what is not available comes last."""
