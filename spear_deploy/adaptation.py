"""What converting a network to what a chip allows did to its spikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spear_deploy.execution.adapt import Adaptation
from spear_deploy.measure import Measurement


@dataclass(frozen=True)
class AdaptationEffect:
    """The conversions, and both networks on the same samples in torch.

    Attributes:
        target: the chip that asked for them.
        changes: the conversions.
        before: the network as it was given.
        after: the converted network.

    """

    target: str
    changes: Sequence[Adaptation]
    before: Measurement
    after: Measurement

    def spike_change_percent(self, layer: str) -> float | None:
        """How many more spikes a layer fires; None where it fired none, or never does."""
        before, after = self.before.layers[layer].spikes, self.after.layers[layer].spikes
        if not before:
            return 0.0 if not after else None
        return 100.0 * (after - before) / before

    @property
    def lines(self) -> list[str]:
        """The same in words, a line a conversion and one for the accuracy."""
        found = []
        for each in self.changes:
            change = self.spike_change_percent(each.layer)
            spikes = "not comparable, it was silent" if change is None else f"{change:+.2f} %"
            found.append(
                f"{each.layer}: {each.before} became {each.after} ({each.rule} of {self.target}); its spikes: {spikes}"
            )
        if found:
            found.append(
                f"adapted to {self.target}: accuracy {self.before.accuracy:.2%} became {self.after.accuracy:.2%},"
                f" {self.before.synops:,.0f} SynOps became {self.after.synops:,.0f}"
                f" ({self.before.samples} samples, torch)"
            )
        return found
