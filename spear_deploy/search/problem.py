"""The search problem: keep ratios in, reward out, under every limit at once."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from spear_deploy.data import EncodedSplit
from spear_deploy.hardware import SYNOPS, Limit, Use
from spear_deploy.measure import Scoring, accuracy_on
from spear_deploy.search.candidate import Candidate, CandidateFactory, Ratios
from spear_deploy.search.claims import Claim, Predicted, PredictedLimit, upper_end
from spear_deploy.search.first_guess import LEAST_FACTOR, DenseRatesLaw, Guess
from spear_deploy.search.known_shares import Key, KnownShares, key_of
from spear_deploy.search.lre import Estimator, Prediction
from spear_deploy.search.reward import Reward, TargetAwareReward
from spear_deploy.search.scouts import NOBODY, Scouts
from spear_deploy.search.structure import BISECTIONS, StructuralLimits, Structure
from spear_deploy.system.journal import NOTHING, Journal

SEARCH = "search"
"""Who sets the limit on mean SynOps that candidates are held to."""

PROJECTIONS = 5
RETREAT = 0.8
"""How far ratios are drawn in at a time where no projection met the budget."""

PROJECTED = 0.95
"""A projected candidate's upper prediction lies between this share of the budget and the budget."""

FILLED = 0.9
"""A projected candidate below this share is filled up, channel by channel."""

AIM = float(np.log((1.0 + PROJECTED) / 2))
"""The log share that guesses aim at."""

LEAST_AIM = float(np.log(PROJECTED))
"""Where whole channels leave no candidate between it and the aim, the next wider one is made."""

NEAR = (0.3, 3.0)
"""Candidates whose predicted share lies between them tell where a ray meets the limits."""

KEPT_CANDIDATES = 8
"""Candidates whose weights stay in memory."""


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
    limits: tuple[Use, ...]
    reward: Reward

    def summary(self, scoring: Scoring) -> str:
        """For someone who watches."""
        return f"{scoring.name} {scoring.text(self.accuracy)}, {self.prediction.value:,.0f} SynOps"


class SearchProblem:
    """Brings keep ratios to the limits and evaluates them; remembers what it evaluated.

    Args:
        factory: makes candidates of the dense model.
        estimator: predicts SynOps after fine-tuning.
        budget_synops: SynOps per inference that are allowed.
        structural: the chip's limits on a network's structure.
        validation: the data on which accuracy is measured.
        activity_limits: limits on what follows from the network's activity.
        lowest: the smallest keep ratio considered, unless a limit demands less.
        reward: TAR, with its constants.
        claim: what of a prediction is held against the budget; by default its upper end.
        multiple: of what is allowed in the end that `budget_synops` is, as the last fine-tune takes the rest away.
        projects: whether ratios are scaled until every limit is predicted to be kept. Without, they are only bounded
            by what the chip holds, and the reward alone draws the search to the other limits.
        strict: whether one that is predicted to break a limit is among the best only where none keeps all; without,
            the reward decides.
        journal: keeps what is known of candidates; its scope says what else it depends on.

    """

    def __init__(
        self,
        factory: CandidateFactory,
        estimator: Estimator,
        budget_synops: float,
        structural: StructuralLimits,
        validation: EncodedSplit,
        *,
        activity_limits: Sequence[PredictedLimit] = (),
        lowest: float = 0.05,
        reward: TargetAwareReward | None = None,
        claim: Claim | None = None,
        multiple: float = 1.0,
        projects: bool = True,
        strict: bool = True,
        journal: Journal = NOTHING,
    ) -> None:
        self.factory = factory
        self.estimator = estimator
        self.budget_synops = budget_synops
        self.structure = Structure(factory, structural)
        self.validation = validation
        self.activity_limits = tuple(activity_limits)
        self.lowest = lowest
        self.claim, self.multiple = claim or upper_end, multiple
        self.projects = projects
        self.strict = strict
        self.reward = reward or TargetAwareReward()
        self.journal = journal.within("search", budget_synops)
        self.history: list[Evaluation] = []
        self.shares = KnownShares(len(factory.groups))
        self.scouts: Scouts = NOBODY
        self._made: dict[Key, Candidate] = {}
        self._predictions: dict[Key, Predicted] = {}
        self._measured: dict[Key, tuple[float, Prediction, tuple[Use, ...]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What another process needs to evaluate candidates as this one does; whose journal it is given there."""
        fresh = {"history": [], "journal": NOTHING, "scouts": NOBODY, "_made": {}, "_measured": {}}
        return self.__dict__ | fresh

    @property
    def dimensions(self) -> int:
        """Number of keep ratios."""
        return len(self.factory.groups)

    def evaluate(self, ratios: Ratios) -> Evaluation:
        """Bring the ratios to the limits, then measure accuracy and predict SynOps."""
        return self._evaluated(self._brought(ratios))

    def evaluate_anew(self, ratios: Ratios) -> tuple[Evaluation, bool]:
        """As `evaluate`, and whether the network is a new one; one that is known is told, and not evaluated again."""
        executed = self._brought(ratios)
        known = self._measured.get(key_of(executed))
        if known is None:
            return self._evaluated(executed), True
        accuracy, prediction, limits = known
        return Evaluation(executed, accuracy, prediction, limits, self.reward.now(accuracy, limits)), False

    @property
    def evaluated(self) -> frozenset[Key]:
        """The executed ratios of all networks that were evaluated."""
        return frozenset(self._measured)

    def evaluate_ahead(self, ratios: Ratios, evaluated: Container[Key]) -> None:
        """Keep in the journal what `evaluate` would find, unless the network is one that was evaluated."""
        executed = self._brought(ratios)
        if key_of(executed) not in evaluated:
            self._measure(executed)

    def bounded(self, ratios: Ratios) -> Ratios:
        """The executed ratios, each as wide as the chip still holds it where all later ones were narrowest."""
        return self.structure.bounded(self.factory.executed(np.clip(ratios, self.lowest, 1.0)))

    def project(self, ratios: Ratios) -> Candidate:
        """The candidate on the ray through `ratios` that just keeps every limit.

        All ratios are scaled by one factor (within their bounds): to the largest for which the
        structure fits and the predicted SynOps, with the upper end of the interval, meet the
        budget. Where none does, it is the smallest candidate there is.
        """
        return self._candidate(self._projected(ratios))

    def best(self, count: int, *again: Evaluation) -> list[Evaluation]:
        """The best distinct candidates that keep every limit, the least bad ones if none does.

        By accuracy; of a problem that is not strict by the reward, all at the weight that stands now. What is known and
        was told `again` goes by what it was told last.
        """
        distinct = {tuple(evaluation.ratios): evaluation for evaluation in (*self.history, *again)}
        if not self.strict:
            value = {key: self.reward.now(one.accuracy, one.limits).value for key, one in distinct.items()}
            return [distinct[key] for key in sorted(distinct, key=lambda key: -value[key])[:count]]
        keeping = [evaluation for evaluation in distinct.values() if evaluation.reward.keeps_limits]
        ranked: Sequence[Evaluation] = keeping or list(distinct.values())
        return sorted(ranked, key=lambda evaluation: (-evaluation.reward.value, -evaluation.prediction.value))[:count]

    def _brought(self, ratios: Ratios) -> Ratios:
        """The executed ratios within the limits that candidates are brought to."""
        return self._projected(ratios) if self.projects else self.bounded(ratios)

    def _evaluated(self, executed: Ratios) -> Evaluation:
        key = key_of(executed)
        if key not in self._measured:
            self._measured[key] = self._measure(executed)
        accuracy, prediction, limits = self._measured[key]
        evaluation = Evaluation(executed, accuracy, prediction, limits, self.reward(accuracy, limits))
        self.history.append(evaluation)
        return evaluation

    def _measure(self, executed: Ratios) -> tuple[float, Prediction, tuple[Use, ...]]:
        """Accuracy, predicted SynOps and the use of every limit."""
        accuracy = self.journal.remember(
            float,
            "evaluation",
            *key_of(executed),
            make=lambda: accuracy_on(self._candidate(executed).model, self.validation),
        )
        claimed = self._claimed(executed)
        if self.projects:
            claimed = min(claimed, self._share(executed) * self.budget_synops)
        limits = (
            Use(Limit(SYNOPS, self.budget_synops, SEARCH), claimed),
            *self._activity_uses(executed),
            *self.structure.uses(executed),
        )
        return accuracy, self._predicted(executed).synops, limits

    def _projected(self, ratios: Ratios) -> Ratios:
        """The executed ratios of the projected candidate."""
        largest, along = self._largest_that_fits(ratios), partial(self._scaled, ratios)
        guess, limit = self._guess, AIM
        best: Ratios | None = None
        tried: set[Key] = set()
        for _ in range(PROJECTIONS):
            factor = guess.widest(along, largest, limit)
            if guess.log_share(along(factor)) < LEAST_AIM:  # whole channels jump over the aim
                factor = guess.widest(along, largest, 0.0)
            executed = along(factor)
            if key_of(executed) in tried:
                break  # whole channels leave nothing between
            tried.add(key_of(executed))
            share = self._share(executed)
            if share <= 1.0:
                if best is None or share > self._share(best):
                    best, limit = executed, 0.0
                if share >= PROJECTED or factor >= largest:
                    break
            guess = guess.shifted_to(executed, share)
        while best is None:  # few channels: the guesses jump over the budget
            executed = along(factor)
            if self._share(executed) <= 1 or np.array_equal(executed, self.factory.smallest):
                best = executed
            factor *= RETREAT
        return self._filled(best, ratios)

    def _filled(self, executed: Ratios, ratios: Ratios) -> Ratios:
        """With channels added where a coarse step along the ray left much of the budget unused.

        One step for each group at most, first for those that rounding left furthest behind.
        """
        behind = np.argsort(executed / np.maximum(ratios, LEAST_FACTOR), kind="stable")
        for place in behind:
            if not 0 < self._share(executed) < FILLED:
                break
            more = executed.copy()
            more[place] = min(more[place] + self.factory.widths.multiple / self.factory.groups[place].size, 1.0)
            more = self.factory.executed(more)
            if not np.array_equal(more, executed) and self.structure.fits(more) and self._share(more) <= 1:
                executed = more
        return executed

    def claims(self, ratios: Ratios, factors: Sequence[float]) -> list[float]:
        """The share of the limits that candidates along a ray are predicted to use; it never falls as factors rise."""
        along = [self._scaled(ratios, factor) for factor in factors]
        for executed in along:
            self._share(executed)
        return [self._share(executed) for executed in along]

    def _candidate(self, executed: Ratios) -> Candidate:
        """The candidate of executed ratios; the last few are kept."""
        key = key_of(executed)
        if key not in self._made:
            if len(self._made) == KEPT_CANDIDATES:
                del self._made[next(iter(self._made))]
            self._made[key] = self.factory.candidate(executed, measure_pruned=self.estimator.needs_pruned_synops)
        return self._made[key]

    @cached_property
    def _floor(self) -> float:
        """How far projection may narrow a layer: to `lowest`, or to one channel if limits demand it."""
        every = self.factory.executed(np.full(self.dimensions, self.lowest))
        return self.lowest if self.structure.fits(every) and self._share(every) <= 1 else 0.0

    def _share(self, executed: Ratios) -> float:
        """The largest share that a candidate is predicted to use of SynOps or another limit on activity.

        A candidate is a part of every one that is at least as wide in each group, and is not
        predicted to use more than any of these that is known: so the share is monotone along
        every ray, however wide intervals grow for narrow networks.
        """
        if executed not in self.shares:
            synops = self._claimed(executed) / self.budget_synops
            self.shares.add(executed, max(synops, *(use.share for use in self._activity_uses(executed)), 0.0))
        return self.shares.least(executed)

    def _claimed(self, executed: Ratios) -> float:
        return self._predicted(executed).claimed(self.claim, self.multiple)

    def _activity_uses(self, executed: Ratios) -> list[Use]:
        """What a candidate is predicted to use of the limits on activity."""
        shares = self._predicted(executed).shares
        return [Use.of_share(each.limit, share) for each, share in zip(self.activity_limits, shares, strict=True)]

    def _predicted(self, executed: Ratios) -> Predicted:
        key = key_of(executed)
        if key not in self._predictions:
            self._predictions[key] = self.journal.remember(
                Predicted, "prediction", *key, make=lambda: self._predict(self._candidate(executed))
            )
        return self._predictions[key]

    def _predict(self, candidate: Candidate) -> Predicted:
        shares = tuple(limit.share(candidate, self.claim, self.multiple) for limit in self.activity_limits)
        features = candidate.features
        return Predicted(self.estimator.predict(features), features.fixed_synops, shares)

    @property
    def _guess(self) -> Guess:
        """What share a candidate is likely to be predicted to use."""
        return self._rates_law.corrected(self.shares.between(*NEAR), self.budget_synops)

    @cached_property
    def _rates_law(self) -> DenseRatesLaw:
        return DenseRatesLaw(self.factory)

    def _scaled(self, ratios: Ratios, factor: float) -> Ratios:
        """The executed ratios at a factor."""
        return self.factory.executed(np.clip(ratios * factor, self._floor, 1.0))

    def _largest_that_fits(self, ratios: Ratios) -> float:
        """The largest factor for which the structure keeps the chip's limits (else the smallest)."""
        top = float(1.0 / max(ratios.min(), self.lowest))
        if self.structure.fits(self._scaled(ratios, top)):
            return top
        low, high = LEAST_FACTOR, top
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.structure.fits(self._scaled(ratios, middle)) else (low, middle)
        return low
