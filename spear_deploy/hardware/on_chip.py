"""A network on a chip, from which all that can be limited follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.cost.activity import Activity
from spear_deploy.hardware.cost.cost import Cost
from spear_deploy.hardware.cost.estimate import estimate
from spear_deploy.hardware.placement.placement import Placement, place
from spear_deploy.measure import Compared
from spear_deploy.network import Network


@dataclass(frozen=True)
class OnChip:
    """A network on a chip with what it was measured to do; placement and cost are worked out when asked for.

    `least_cores` are the cores that layers take even where fewer would hold them (see `hardware.spreading`).
    """

    network: Network
    chip: Profile
    activity: Activity | None = None
    answers: Compared | None = None
    least_cores: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def placement(self) -> Placement:
        """The network on the chip's cores."""
        return place(self.network, self.chip, least_cores=self.least_cores)

    @cached_property
    def cost(self) -> Cost:
        """What an inference costs there."""
        return estimate(self.network, self.placement, self.measured)

    @property
    def answered(self) -> Compared:
        """The answers, of a network that was tested."""
        if self.answers is None:
            raise ValueError("the network was not tested: nothing is known of its answers")
        return self.answers

    @property
    def measured(self) -> Activity:
        """The activity, of a network that was measured."""
        if self.activity is None:
            raise ValueError("the network was not measured: nothing that follows from activity is known of it")
        return self.activity
