"""One network on several chips, a row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.cost.activity import Activity
from spear_deploy.hardware.cost.cost import Cost
from spear_deploy.hardware.cost.estimate import estimate
from spear_deploy.hardware.placement.use import ResourceUse
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
    def binding(self) -> ResourceUse | None:
        """The limit that is used most, of the placement or of a rule that is broken."""
        broken = [
            ResourceUse(finding.rule, *finding.amounts, finding.node, self.profile.origin)
            for finding in self.verdict.broken_rules
            if finding.amounts is not None
        ]
        return max((*self.verdict.placement.uses, *broken), key=lambda use: use.share, default=None)


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
