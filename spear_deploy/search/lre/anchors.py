"""Three networks that stand in where no estimator is sure enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from spear_deploy.search.candidate import CandidateFactory, Features
from spear_deploy.search.lre.diagnostics import uniform_near
from spear_deploy.search.lre.drawing import sample_seed
from spear_deploy.search.lre.estimator import Estimator
from spear_deploy.search.lre.prediction import Prediction
from spear_deploy.search.lre.ratio import ConstantEstimator
from spear_deploy.search.lre.sample import LreSample
from spear_deploy.search.lre.sampling import make_sample
from spear_deploy.system.journal import NOTHING, Journal
from spear_deploy.training import Recipe

ANCHORS = (0.8, 1.0, 1.25)
"""Shares of a search's limit at which uniform networks are fine-tuned where LRE is not sure."""


@dataclass(frozen=True)
class AnchoredEstimator:
    """after = c * recalibrated, with c of uniform networks near a search's limit.

    These tell what a fine-tune does there, and nothing of networks whose layers are pruned unlike: how far those lie
    apart the samples tell, too widely to be searched with. The interval is as wide as theirs, relative to its value.

    Attributes:
        anchors: the uniform networks, three at least.
        unsure: the estimator that was not sure enough.

    """

    anchors: Sequence[LreSample]
    unsure: Estimator
    name: ClassVar[str] = "anchored"
    fewest_samples: ClassVar[int] = ConstantEstimator.fewest_samples
    needs_pruned_synops: ClassVar[bool] = False

    def predict(self, features: Features) -> Prediction:
        """The ratio applied to the recalibrated SynOps; none where the network is silent."""
        near, far = ConstantEstimator.fit(self.anchors).predict(features), self.unsure.predict(features)
        if not near.value or not far.value:
            return near
        low, high = (near.value / far.value * end for end in (far.low, far.high))
        return Prediction(near.value, min(near.low, low), max(near.high, high)).capped(features.most_synops)


def anchored(
    factory: CandidateFactory,
    budget_synops: float,
    recipe: Recipe,
    seed: int,
    notice: Callable[[str], None] = lambda text: None,
    journal: Journal = NOTHING,
    on_made: Callable[[], None] = lambda: None,
) -> list[LreSample]:
    """Uniform networks near a search's limit, really fine-tuned: they stand in where no estimator can be trusted.

    `on_made` is told after each.
    """
    made = []
    for place, share in enumerate(ANCHORS):
        ratios = uniform_near(factory, share * budget_synops).keep_ratios
        made.append(make_sample(factory, ratios, recipe, sample_seed(seed, place), notice, journal))
        on_made()
    return [sample for sample in made if sample is not None]
