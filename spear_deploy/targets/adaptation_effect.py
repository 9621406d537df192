"""What converting a network to what a chip allows did to its spikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from spear_deploy.data import EncodedSplit, recoded
from spear_deploy.errors import ProfileError
from spear_deploy.hardware import Profile
from spear_deploy.measure import SCORINGS, Measurement, measure_split
from spear_deploy.network import Model
from spear_deploy.network.objective import CLASSIFICATION
from spear_deploy.targets.adapt import Adaptation, adapt


@dataclass(frozen=True)
class AdaptationEffect:
    """The conversions, and both networks on the same samples in torch.

    Attributes:
        target: the chip that asked for them.
        changes: the conversions.
        before: the network as it was given; None without data.
        after: the converted network; None without data.
        objective: kind of the network's.

    """

    target: str
    changes: Sequence[Adaptation]
    before: Measurement | None = None
    after: Measurement | None = None
    objective: str = CLASSIFICATION

    def spike_change_percent(self, layer: str) -> float | None:
        """How many more spikes a layer fires; None without data, of the input, or where it fired none before."""
        if self.before is None or self.after is None or layer not in self.before.layers:
            return None
        before, after = self.before.layers[layer].spikes, self.after.layers[layer].spikes
        if not before:
            return 0.0 if not after else None
        return 100.0 * (after - before) / before

    def as_json(self) -> list[dict[str, str | float | None]]:
        """The conversions as they stand in JSON, each with what it did to the spikes of its layer."""
        return [
            {
                "layer": each.layer,
                "rule": each.rule,
                "from": each.before,
                "to": each.after,
                "spike_change_percent": self.spike_change_percent(each.layer),
            }
            for each in self.changes
        ]

    @property
    def lines(self) -> list[str]:
        """The same in words, a line a conversion and one for the accuracy."""
        found = []
        for each in self.changes:
            change = self.spike_change_percent(each.layer)
            measured = "; it was silent before" if change is None else f"; its spikes: {change:+z.2f} %"
            spikes = self.before is not None and each.layer in self.before.layers
            without = measured if spikes else ""
            found.append(f"{each.layer}: {each.before} became {each.after} ({each.rule} of {self.target}){without}")
        if self._measured:
            found.append(f"adapted to {self.target}: {self._measured}")
        return found

    @property
    def of_dense(self) -> str:
        """What the dense network of a run is, which its figures are held against, in a sentence."""
        layers = ", ".join(dict.fromkeys(each.layer for each in self.changes))
        measured = f": {self._measured}" if self._measured else ""
        return f"the dense network is the given one adapted to {self.target} ({layers}), not that itself{measured}"

    @property
    def _measured(self) -> str:
        if self.before is None or self.after is None:
            return ""
        score = SCORINGS[self.objective]
        return (
            f"{score.name} {score.text(self.before.accuracy)} became {score.text(self.after.accuracy)},"
            f" {self.before.synops:,.0f} SynOps became {self.after.synops:,.0f} ({self.before.samples} samples, torch)"
        )


def adapted_for(targets: Sequence[Profile], model: Model, calibration: Tensor) -> tuple[Model, list[Adaptation]]:
    """A network that is to be pruned, converted to what its one target allows; all of it stays on the chip.

    `calibration` are samples `[T, B, *input_shape]` on which the nearest of several conversions is found.

    Raises:
        ProfileError: several targets, whose conversions would differ.

    """
    if len(targets) > 1:
        raise ProfileError("`adapt=True` converts the network to what one chip allows; give one `chip` at a time")
    found = adapt(model, targets[0], calibration)
    return found.model, [each for each in found.changes if each.rule != "analog input"]


def effect_on(
    target: Profile, changes: Sequence[Adaptation], given: Model, adapted: Model, data: EncodedSplit
) -> AdaptationEffect | None:
    """Both networks on the same samples, encoded as `given` takes them, in torch; None without conversions."""
    if not changes:
        return None
    before, after = (measure_split(model, recoded(data, model.encoding)) for model in (given, adapted))
    return AdaptationEffect(target.name, changes, before, after, given.objective.kind)
