"""A model on one chip: its limits, its arithmetic, and whether anything can be reached there at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from spear_deploy.backends.backend import Backend, backend_of, measure_on
from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.data import EncodedSplit
from spear_deploy.errors import BudgetError, ModelError
from spear_deploy.hardware import SYNOPS_KINDS, Activity, Limit, Profile, activity_of, check, parse_budgets
from spear_deploy.measure import Measurement
from spear_deploy.network import Model, Network
from spear_deploy.search import ActivityLimit, CandidateFactory, LimitUse, LreSample, RidgeEstimator, upper_bound
from spear_deploy.targets.limits import ACTIVITY, TAIL, activity_value, energy_status, limits_of, structural_uses
from spear_deploy.training import Quantiser, Recipe, fine_tune

NEAR = 0.25
"""Share of a limit on activity that the narrowest network may use before its fine-tune, and be let through unseen."""


@dataclass(frozen=True)
class OnTarget:
    """What a run needs to know of one chip.

    Attributes:
        profile: the chip.
        backend: its arithmetic.
        budgets: as typed.
        dense: the dense network on the validation split, in that arithmetic.
        target_factor: its SynOps over those in torch: predictions times it are the chip's.
        validation: the split that choices are made on.
        energy_status: how sure the chip's prices are: published, derived, estimated or unknown.

    """

    profile: Profile
    backend: Backend
    budgets: tuple[str, ...]
    dense: Measurement
    target_factor: float
    validation: EncodedSplit
    energy_status: str

    @cached_property
    def limits(self) -> tuple[Limit, ...]:
        """SynOps first, then the user's other limits."""
        return limits_of(
            self.budgets,
            self.dense.synops,
            dense_p99=self.dense.p99_synops,
            dense_step=self.dense.busiest_step_synops,
        )

    @property
    def budget_synops(self) -> float:
        """SynOps per inference that are allowed, in the chip's arithmetic."""
        return self.limits[0].allowed

    def with_synops_budget(self, budget: str) -> OnTarget:
        """The same target with another budget of SynOps, such as `30%`; the other budgets stay."""
        others = [text for text in self.budgets if parse_budgets([text])[0].kind not in SYNOPS_KINDS]
        return replace(self, budgets=(budget, *others))

    def measure(self, model: Model) -> Measurement:
        """A model on the validation split, in the chip's arithmetic."""
        return measure_on(self.backend, model, self.validation)

    def activity_limits(self, factory: CandidateFactory, samples: Sequence[LreSample]) -> list[ActivityLimit]:
        """The user's limits on tails, energy, time and power, each predicted by its own fit on LRE's samples.

        Samples are measured in torch: what is allowed of SynOps is taken into its arithmetic.
        """
        found = []
        for limit in self._on_activity:
            value = partial(activity_value, limit.quantity, self.profile)
            networks = [factory.pruned_network(sample.features.keep_ratios) for sample in samples]
            before = [value(network, sample.before) for network, sample in zip(networks, samples, strict=True)]
            after = [value(network, sample.after) for network, sample in zip(networks, samples, strict=True)]
            estimator = RidgeEstimator.between(samples, before, after)
            allowed = limit.allowed / (self.target_factor if limit.quantity in TAIL else 1.0)
            found.append(ActivityLimit(limit.name, allowed, limit.unit, limit.origin, value, estimator))
        return found

    def activity_uses(self, network: Network, activity: Activity) -> tuple[LimitUse, ...]:
        """What a network was measured to use of the user's limits on tails, energy, time and power."""
        return tuple(
            LimitUse(
                limit.name,
                activity_value(limit.quantity, self.profile, network, activity),
                limit.allowed,
                limit.unit,
                limit.origin,
            )
            for limit in self._on_activity
        )

    def quantiser(self, model: Model) -> Quantiser | None:
        """What rounds a model as the chip does while it is fine-tuned, where that pays."""
        return self.backend.quantiser(model)

    def uses(self, model: Model, measured: Measurement) -> tuple[LimitUse, ...]:
        """What a model was measured to use of the user's limits on energy, time and power."""
        activity = activity_of(measured, model.time_steps, analog_input=self.validation.analog)
        return self.activity_uses(model.network, activity)

    @property
    def _on_activity(self) -> list[Limit]:
        """Named with how sure they are: an estimate is never shown as if it were published."""
        return [
            limit if limit.quantity in TAIL else replace(limit, name=f"{limit.name}, high end ({self.energy_status})")
            for limit in self.limits
            if limit.quantity in (*TAIL, *ACTIVITY)
        ]

    def structural(self, network: Network) -> tuple[LimitUse, ...]:
        """What a network uses of the chip's limits and of the user's on its structure."""
        return structural_uses(network, self.profile, self.limits)


def aim_at(
    profile: Profile,
    factory: CandidateFactory,
    validation: EncodedSplit,
    dense: Measurement,
    budgets: tuple[str, ...],
    weight_bits: WeightBits | None = None,
) -> OnTarget:
    """Hold the dense network against a chip; `dense` is its measurement in torch on the validation split.

    Raises:
        ModelError: rules of the chip that no pruning can satisfy, all at once.
        BackendError: the chip's integers cannot hold the network.
        BudgetError: a budget of energy, time or power where the chip's prices are not known.

    """
    verdict = check(factory.model.network, profile, analog_input=validation.analog)
    walls = [finding.text for finding in verdict.violations if finding.keep is None]
    if walls:
        raise ModelError(f"{profile.name} cannot run this network, however it is pruned:\n  " + "\n  ".join(walls))
    backend = backend_of(profile, factory.train, weight_bits)
    measured = measure_on(backend, factory.model, validation)
    status = energy_status(budgets, profile, factory.model.network, factory.activity(measured))
    return OnTarget(profile, backend, budgets, measured, measured.synops / dense.synops, validation, status)


def check_reachable(on_target: OnTarget, factory: CandidateFactory, recipe: Recipe, seed: int, path: Path) -> None:
    """Say before the long work when even one channel a layer is too much.

    What follows from structure is exact. Activity is that of the narrowest network on
    validation, in the chip's arithmetic, fine-tuned as LRE's samples are.

    Raises:
        BudgetError: which limit cannot be kept, and the least that can be reached.

    """
    candidate = factory.candidate(factory.smallest)
    network = candidate.model.network
    _refuse_overshoot(on_target.structural(network))
    # Only near a limit is it worth a fine-tune to know.
    shares = [use.share for use in on_target.activity_uses(network, candidate.activity)]
    if max(candidate.features.recalibrated_synops / on_target.budget_synops, *shares, 0.0) < NEAR:
        return
    tuned = fine_tune(candidate.model, factory.train, recipe, seed=seed)
    measured = on_target.measure(tuned)
    _refuse_overshoot(on_target.uses(tuned, measured))
    least = upper_bound(measured)
    if least > on_target.budget_synops:
        raise BudgetError(
            f"{path}: a budget of {on_target.budget_synops:,.0f} SynOps cannot be reached: one channel in every layer"
            f" still takes {least:,.0f} after fine-tuning, the least that this network can be pruned to"
        )


def _refuse_overshoot(uses: Sequence[LimitUse]) -> None:
    for use in uses:
        if use.overshoot:
            raise BudgetError(
                f"{use.origin}: not even one channel in every layer fits: {use.name}"
                f" {use.used:,.6g} {use.unit}, allowed {use.allowed:,.6g} {use.unit}"
            )
