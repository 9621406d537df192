"""The search problem: keep ratios in, reward out, under every limit at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from spear_deploy.data import EncodedSplit
from spear_deploy.network import Network
from spear_deploy.search.candidate import Candidate, CandidateFactory, Ratios
from spear_deploy.search.estimator import Estimator, Prediction
from spear_deploy.search.reward import LimitUse, Reward, TargetAwareReward

StructuralLimits = Callable[[Network], tuple[LimitUse, ...]]
"""What a chip's limits say of a network's structure, exactly: see `hardware.placement`."""

SYNOPS = "synops"
BISECTIONS = 12
PROJECTIONS = 3
PROJECTED = 0.985
"""A projected candidate's upper prediction lies between this share of the budget and the budget."""


@dataclass(frozen=True)
class Evaluation:
    """What the search knows of one candidate, before fine-tuning.

    Attributes:
        ratios: the keep ratios that were executed.
        accuracy: on the validation split, after recalibration.
        prediction: SynOps per inference after fine-tuning.
        limits: every limit with what the candidate uses of it.
        reward: TAR, and what it is made of.

    """

    ratios: Ratios
    accuracy: float
    prediction: Prediction
    limits: tuple[LimitUse, ...]
    reward: Reward


class SearchProblem:
    """Projects keep ratios onto the limits and evaluates them; remembers what it evaluated.

    Args:
        factory: makes candidates of the dense model.
        estimator: predicts SynOps after fine-tuning.
        budget_synops: SynOps per inference that are allowed.
        structural: the chip's limits on a network's structure.
        validation: the data on which accuracy is measured.
        lowest: the smallest keep ratio considered.

    """

    def __init__(
        self,
        factory: CandidateFactory,
        estimator: Estimator,
        budget_synops: float,
        structural: StructuralLimits,
        validation: EncodedSplit,
        *,
        lowest: float = 0.05,
        reward: TargetAwareReward | None = None,
    ) -> None:
        self.factory = factory
        self.estimator = estimator
        self.budget_synops = budget_synops
        self.structural = structural
        self.validation = validation
        self.lowest = lowest
        self.reward = reward or TargetAwareReward()
        self.history: list[Evaluation] = []
        self._known: dict[tuple[float, ...], tuple[float, Candidate]] = {}

    @property
    def dimensions(self) -> int:
        """Number of keep ratios."""
        return len(self.factory.groups)

    def evaluate(self, ratios: Ratios) -> Evaluation:
        """Project the ratios onto the limits, then measure accuracy and predict SynOps."""
        candidate = self.project(ratios)
        features = candidate.features
        key = tuple(features.keep_ratios)
        if key not in self._known:
            accuracy = self.factory.measure(candidate.model, self.validation).accuracy
            self._known[key] = (accuracy, candidate)
        accuracy = self._known[key][0]
        prediction = self.estimator.predict(features)
        limits = (
            LimitUse(SYNOPS, prediction.high, self.budget_synops),
            *self.structural(candidate.model.network),
        )
        evaluation = Evaluation(features.keep_ratios, accuracy, prediction, limits, self.reward(accuracy, limits))
        self.history.append(evaluation)
        return evaluation

    def project(self, ratios: Ratios) -> Candidate:
        """The candidate on the ray through `ratios` that just keeps every limit.

        All ratios are scaled by one factor (within their bounds): first to the largest for
        which the structure fits, then until the predicted SynOps, with the upper end of the
        interval, meet the budget.
        """
        largest = self._largest_that_fits(ratios)
        low, high = 0.0, largest
        factor = min(1.0, largest)
        best: Candidate | None = None
        for _ in range(PROJECTIONS):
            candidate = self.factory.candidate(self._scaled(ratios, factor))
            share = self.estimator.predict(candidate.features).high / self.budget_synops
            if share <= 1.0:
                best, low = candidate, factor
                if share >= PROJECTED or factor >= largest:
                    break
            else:
                high = factor
            # SynOps grow with the product of the widths on both sides of a connection: the square.
            guess = factor / np.sqrt(share)
            factor = float(np.clip(guess, low + 0.05 * (high - low), low + 0.95 * (high - low)))
            factor = min(factor, largest)
        return best if best is not None else self.factory.candidate(self._scaled(ratios, low or factor))

    def best(self, count: int) -> list[Evaluation]:
        """The best distinct candidates that keep every limit; the least bad ones if none does."""
        distinct = {tuple(evaluation.ratios): evaluation for evaluation in self.history}
        keeping = [evaluation for evaluation in distinct.values() if evaluation.reward.keeps_limits]
        ranked: Sequence[Evaluation] = keeping or list(distinct.values())
        return sorted(ranked, key=lambda evaluation: (-evaluation.reward.value, -evaluation.prediction.value))[:count]

    def _scaled(self, ratios: Ratios, factor: float) -> Ratios:
        return np.clip(ratios * factor, self.lowest, 1.0)

    def _largest_that_fits(self, ratios: Ratios) -> float:
        """The largest factor for which the structure keeps the chip's limits (else the smallest)."""
        top = float(1.0 / max(ratios.min(), self.lowest))
        if self._fits(self._scaled(ratios, top)):
            return top
        low, high = 0.0, top
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if self._fits(self._scaled(ratios, middle)) else (low, middle)
        return low

    def _fits(self, ratios: Ratios) -> bool:
        uses = self.structural(self.factory.pruned_network(ratios))
        return not any(use.overshoot for use in uses)
