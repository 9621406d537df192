"""What LRE learns from: networks that were really pruned and fine-tuned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from spear_deploy.errors import DataError
from spear_deploy.hardware import Activity
from spear_deploy.search.candidate import Features


@dataclass(frozen=True)
class LreSample:
    """A network that was really pruned and fine-tuned: features before, mean SynOps after.

    Attributes:
        features: what was known before the fine-tune.
        synops: mean SynOps per inference after it, on the training split.
        accuracy: after it, on the training split.
        before: its activity on the probe, recalibrated.
        after: its activity on the training split, fine-tuned; from both follows whatever else a
            chip counts, such as energy or the busiest time step.
        synops_by_layer: SynOps after the fine-tune by neuron layer, in the connections into it.

    """

    features: Features
    synops: float
    accuracy: float
    before: Activity
    after: Activity
    synops_by_layer: Mapping[str, float] = field(default_factory=dict)


def need(samples: Sequence[LreSample], count: int) -> None:
    """Raise a DataError where an estimator has fewer than `count` samples."""
    if len(samples) < count:
        raise DataError(f"an estimator needs at least {count} samples of pruned networks, found {len(samples)}")
