"""A model on one chip: its limits, its arithmetic, and whether anything can be reached there at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from spear_deploy.backends.backend import Backend, measure_on
from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.backends.registry import arithmetic_of
from spear_deploy.data import EncodedSplit
from spear_deploy.errors import BudgetError, ModelError
from spear_deploy.hardware import (
    SYNOPS,
    Activity,
    Follows,
    Limit,
    OnChip,
    Profile,
    Quantity,
    Use,
    activity_of,
    require_known,
    structural_uses,
)
from spear_deploy.hardware.amounts import both_texts
from spear_deploy.hardware.spreading import cores_for, least_needed
from spear_deploy.measure import Compared, Measurement
from spear_deploy.network import Model, Network
from spear_deploy.network.unchanging import unchanging
from spear_deploy.search import (
    CandidateFactory,
    LreSample,
    PredictedLimit,
    Prediction,
    Tuner,
    ratio_estimator,
)
from spear_deploy.search.bounds import factor_ahead
from spear_deploy.search.tuning import MOST_HELD, can_be_held, least_budget, may_be_held
from spear_deploy.targets.walls import walls_of
from spear_deploy.training import Quantiser, fine_tune

NEAR = 0.25
"""Share of a limit on activity that the narrowest network may use before its fine-tune, and be let through unseen."""

FURTHER = f"after a plain fine-tune, and no later one is held to less than {1 / MOST_HELD:.0%} of its spikes"


@dataclass(frozen=True)
class Target:
    """What a run needs to know of one chip.

    Attributes:
        chip: its profile.
        backend: its arithmetic.
        limits: what the user allows there, as absolute values; mean SynOps first.
        dense: the dense network on the validation split, in that arithmetic.
        synops_factor: its SynOps over those in torch: how SynOps of the two arithmetics compare.
        validation: the split that choices are made on.
        samples_ahead: how many samples the test split has.
        least_cores: cores that layers take even where fewer would hold them, so that the busiest core keeps the limits.

    """

    chip: Profile
    backend: Backend
    limits: tuple[Limit, ...]
    dense: Measurement
    synops_factor: float
    validation: EncodedSplit
    samples_ahead: int
    least_cores: Mapping[str, int] = field(default_factory=dict)

    @property
    def budget_synops(self) -> float:
        """SynOps per inference that are allowed, in the chip's arithmetic."""
        return self.limits[0].allowed

    @property
    def key(self) -> str:
        """Tells it from every other target of a run: chip, arithmetic and limits."""
        limits = (f"{limit.name} {limit.allowed!r} of {limit.origin}" for limit in self.limits)
        return "; ".join((self.chip.name, self.backend.name, *limits))

    def to_torch(self, synops: float) -> float:
        """SynOps of the chip's arithmetic in torch's."""
        return synops / self.synops_factor

    def from_torch(self, prediction: Prediction) -> Prediction:
        """A prediction of SynOps in torch, in the chip's arithmetic."""
        return prediction.scaled(self.synops_factor)

    def with_synops_limit(self, limit: Limit) -> Target:
        """The same target with another limit on mean SynOps; the others stay."""
        return replace(self, limits=(limit.absolute(self.dense.synops), *self.limits[1:]))

    def measure(self, model: Model) -> Measurement:
        """A model on the validation split, in the chip's arithmetic."""
        return measure_on(self.backend, model, self.validation)

    def predicted_limits(self, factory: CandidateFactory, samples: Sequence[LreSample]) -> list[PredictedLimit]:
        """The limits on activity, each predicted by its own fit on LRE's samples, as networks are judged by it."""
        limits = self.limits_on(Follows.ACTIVITY)
        if not limits:
            return []
        found, smallest = [], factory.candidate(factory.smallest)
        for limit in limits:
            value = partial(self._value, limit, self._as_judged(limit, factory))
            silent = partial(_silent, value, factory.model.untrained)
            networks = [factory.pruned_network(sample.features.keep_ratios) for sample in samples]
            before = [value(network, sample.before) for network, sample in zip(networks, samples, strict=True)]
            after = [value(network, sample.after) for network, sample in zip(networks, samples, strict=True)]
            least = silent(smallest.model.network, smallest.activity)
            found.append(PredictedLimit(limit, value, ratio_estimator(samples, before, after), silent, least))
        return found

    def activity_uses(self, network: Network, activity: Activity) -> tuple[Use, ...]:
        """What a network was measured to use of the limits on activity."""
        on_chip = self.on_chip(network, activity)
        return tuple(Use(limit, limit.quantity.value(on_chip)) for limit in self.limits_on(Follows.ACTIVITY))

    def quantiser(self, model: Model) -> Quantiser | None:
        """What rounds a model as the chip does while it is fine-tuned, where that pays."""
        return self.backend.quantiser(model)

    def uses(self, model: Model, measured: Measurement) -> tuple[Use, ...]:
        """What a model was measured to use of the limits on activity beside mean SynOps.

        It is the bound of what the samples ahead will show, as far as values of single samples are known.
        """
        limits = self.limits_on(Follows.ACTIVITY)
        if not limits:
            return ()
        network, activity = model.network, self.activity(model, measured)
        on_chip = self.on_chip(network, activity)
        silent = self.on_chip(network, _silenced(activity, network, model.untrained))
        return tuple(
            Use(
                limit,
                _ahead(limit, on_chip, self.samples_ahead),
                limit.quantity.value(silent) if limit.quantity.falls_with_spikes else None,
            )
            for limit in limits
        )

    def activity(self, model: Model, measured: Measurement) -> Activity:
        """What a model was measured to do, on samples that are encoded as validation is."""
        return activity_of(measured, model.time_steps, analog_input=self.validation.analog)

    def structural(self, network: Network) -> tuple[Use, ...]:
        """What a network uses of the chip's limits and of the user's on its structure."""
        return structural_uses(self.on_chip(network), self.limits)

    def on_chip(self, network: Network, activity: Activity | None = None, answers: Compared | None = None) -> OnChip:
        """A network on the cores that this target gives it."""
        return OnChip(network, self.chip, activity, answers, self.least_cores)

    def plain_on_chip(self, dense: Model) -> OnChip:
        """The dense network with what it does on validation, on as few cores as it needs."""
        return OnChip(dense.network, self.chip, self.activity(dense, self.dense))

    def settled(self, model: Model, measured: Measurement) -> Target:
        """The same with no more cores than a network that was chosen needs for its limits.

        The cores were found for the dense network; pruning may have taken what needed them.
        """
        plain = OnChip(model.network, self.chip, self.activity(model, measured))
        return replace(self, least_cores=least_needed(plain, self.least_cores, _aims(self.limits, self.samples_ahead)))

    def _value(self, limit: Limit, factor: float, network: Network, activity: Activity) -> float:
        return factor * _ahead(limit, self.on_chip(network, activity), self.samples_ahead)

    def _as_judged(self, limit: Limit, factory: CandidateFactory) -> float:
        """What the dense network uses where networks are judged, over what it uses where LRE's samples were measured.

        Judged are all validation samples, in the chip's arithmetic; LRE's samples know theirs from training, in
        torch's, and step by step of a few of them, the same of every network.
        """
        judged = replace(self.plain_on_chip(factory.model), least_cores=self.least_cores)
        seen = replace(judged, activity=factory.activity(factory.dense))
        used, used_there = (_ahead(limit, each, self.samples_ahead) for each in (judged, seen))
        return used / used_there if used_there else 1.0

    def limits_on(self, follows: Follows) -> list[Limit]:
        """Those on quantities that follow from one thing."""
        return [limit for limit in self.limits if limit.quantity.follows is follows]


def aim_at(
    chip: Profile,
    factory: CandidateFactory,
    validation: EncodedSplit,
    dense: Measurement,
    budgets: Sequence[Limit],
    samples_ahead: int,
    weight_bits: WeightBits | None = None,
    file_format: str | None = None,
    *,
    adapted: bool = False,
) -> Target:
    """Hold the dense network against a chip; `dense` is its measurement in torch on the validation split.

    `samples_ahead` is the size of the split that the result will be judged on. No conversion is a way out for a network
    that was `adapted`.

    Raises:
        ModelError: rules of the chip that no pruning can satisfy, all at once.
        BackendError: the chip's integers cannot hold the network.
        ProfileError: `file_format` is given, and the chip has no integers.
        BudgetError: a budget of energy, time or power where the chip's prices are not known, or a network that
            the chip's rounding silences.

    """
    if walls := walls_of(chip, factory.model, analog=validation.analog, adapted=adapted):
        raise ModelError(f"{chip.name} cannot run this network, however it is pruned:\n  " + "\n  ".join(walls))
    backend = arithmetic_of(chip, factory.train, weight_bits, file_format=file_format)
    measured = measure_on(backend, factory.model, validation)
    if not measured.synops:
        raise BudgetError(
            f"{chip.name}: 0 SynOps on {len(validation)} validation samples in {backend.arithmetic}, where torch counts"
            f" {dense.synops:,.0f}: the chip's rounding silences the network, so nothing can be pruned"
        )
    factor = measured.synops / dense.synops
    target = Target(chip, backend, (), measured, factor, validation, samples_ahead)
    plain = target.plain_on_chip(factory.model)
    limits = limits_of(budgets, plain)
    return replace(target, limits=limits, least_cores=cores_for(plain, _aims(limits, samples_ahead)))


def limits_of(budgets: Sequence[Limit], dense: OnChip) -> tuple[Limit, ...]:
    """The limits that budgets set on a chip where the dense network does what it does.

    Always one on mean SynOps, first: the dense network's own, where none was given. Limits that
    follow from the chip's prices are named with how sure those are: an estimate is never shown
    as if it were published.

    Raises:
        BudgetError: a quantity that cannot be known there, naming what is missing.

    """
    for limit in budgets:
        require_known(limit, dense.chip, dense.cost)
    if not any(limit.quantity is SYNOPS for limit in budgets):
        budgets = (Limit(SYNOPS, 1.0, "budget 100%", share=True), *budgets)
    found = []
    for limit in sorted(budgets, key=lambda limit: limit.quantity is not SYNOPS):
        quantity = limit.quantity
        if quantity.missing is not None:
            quantity = replace(quantity, name=f"{quantity.name}, {quantity.end} end ({quantity.status(dense.cost)})")
        taken = limit.absolute(quantity.value(dense)) if limit.share else limit
        found.append(replace(taken, quantity=quantity))
    return tuple(found)


def check_reachable(tuner: Tuner, target: Target, path: Path) -> None:
    """Say before the long work when even one channel a layer is far too much.

    What follows from structure is exact. Activity is that of the narrowest network on validation, in the chip's
    arithmetic, fine-tuned as LRE's samples are. Later fine-tunes take more away, so a limit is refused only where it
    would have to be more than any of them is held to (`search.tuning.can_be_held`).

    Raises:
        BudgetError: which limit cannot be kept, and the least budget of SynOps that is tried.

    """
    factory = tuner.factory
    candidate = factory.candidate(factory.smallest)
    network = candidate.model.network
    narrowest = factory.widths.narrowest_in_words
    _refuse_overshoot(target.structural(network), narrowest)
    # Only near a limit is it worth a fine-tune to know.
    shares = [use.share for use in target.activity_uses(network, candidate.activity)]
    if max(candidate.features.recalibrated_synops / target.budget_synops, *shares, 0.0) < NEAR:
        return
    plain = fine_tune(
        candidate.model,
        factory.train,
        tuner.plan.plain,
        seed=tuner.seed,
        notice=tuner.notice,
        journal=tuner.journal,
    )
    least = tuner.measured(plain)
    if can_be_held(tuner, least):
        return
    _refuse_overshoot([use for use in least.uses if not may_be_held(use)], narrowest, f", {FURTHER}")
    tried, dense = least_budget(tuner, least), target.dense.synops
    raise BudgetError(
        f"{path}: a budget of {target.budget_synops:,.0f} SynOps is out of reach: {narrowest} still takes"
        f" {least.synops_bound:,.0f} ({_percent(least.synops_bound / dense)} of the dense network's) {FURTHER};"
        f" budgets from {_percent(tried / dense)} on are tried"
    )


def _silent(
    value: Callable[[Network, Activity], float], frozen: Set[str], network: Network, activity: Activity
) -> float:
    return value(network, _silenced(activity, network, frozen))


def _silenced(activity: Activity, network: Network, frozen: Set[str]) -> Activity:
    """With those spikes alone that no training changes."""
    return activity.silenced(network, unchanging(network, frozen))


def _aims(limits: Sequence[Limit], samples: int) -> list[Limit]:
    """Limits on what `_ahead` tells of their quantities."""
    return [replace(limit, quantity=_of_samples_ahead(limit, samples)) for limit in limits]


def _of_samples_ahead(limit: Limit, samples: int) -> Quantity:
    return replace(limit.quantity, value=lambda on_chip: _ahead(limit, on_chip, samples))


def _ahead(limit: Limit, on_chip: OnChip, samples: int) -> float:
    """The bound of what a network uses of a limit on so many further samples, as far as those measured tell."""
    quantity = limit.quantity
    used = quantity.value(on_chip)
    if quantity.each is None:
        return used
    factor = factor_ahead(np.array(quantity.each(on_chip)), quantity.over, samples)
    return used / factor if quantity.least else used * factor


def _percent(share: float) -> str:
    """Rounded up, so that a budget of it can be reached."""
    return f"{math.ceil(1000 * share) / 10:g}%"


def _refuse_overshoot(uses: Sequence[Use], narrowest: str, further: str = "") -> None:
    for use in uses:
        if use.overshoot:
            used, allowed, unit = both_texts(use.used, use.limit.allowed, use.limit.unit)
            raise BudgetError(
                f"{use.limit.origin}: not even {narrowest} fits: {use.name} {used} {unit}, allowed {allowed} {unit}"
                f"{further}"
            )
