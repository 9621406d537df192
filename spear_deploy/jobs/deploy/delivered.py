"""The delivered network's own prediction beside what every backend measured of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from spear_deploy.backends.torch import TorchBackend
from spear_deploy.jobs.deploy.lre_check import check_of, for_images
from spear_deploy.jobs.deploy.prepare import Prepared
from spear_deploy.jobs.deploy.search import Pruned
from spear_deploy.jobs.deploy.verification import Verified
from spear_deploy.measure import Measurement
from spear_deploy.report.lre_part import DeliveredLre
from spear_deploy.search import Candidate, ConstantEstimator, Estimator, Held, Prediction, predict_delivered
from spear_deploy.search.bounds import closing_risk, margin, shared_risk
from spear_deploy.search.tuning import BOUND_AIM
from spear_deploy.targets.target import Target


def predicted(pruned: Pruned, estimators: Sequence[Estimator], target: Target, prepared: Prepared) -> list[Prediction]:
    """SynOps of the delivered network after all fine-tunes, in torch, by each estimator, from its keep ratios alone."""
    asks = any(each.needs_pruned_synops for each in estimators)
    candidate = prepared.factory.candidate(pruned.choice.winner.ratios, measure_pruned=asks)
    held = _held(pruned, candidate, target, prepared) if pruned.constrained else None
    return [predict_delivered(each, candidate.features, held) for each in estimators]


def _held(pruned: Pruned, candidate: Candidate, target: Target, prepared: Prepared) -> Held:
    """Where the constraint holds the delivered network, by what it is before any fine-tune."""
    choice = pruned.choice
    through = sum(one.final is not None for one in choice.tuned) - choice.repairs
    risk = closing_risk(choice.repairs) if choice.repairs else shared_risk(through)
    # Of few neurons samples differ more than of many: the dense network's spread would be too small.
    each_sample = prepared.factory.measure(candidate.model, target.validation).per_sample.numpy()
    spread = margin(each_sample, target.samples_ahead, risk)
    spikes = min((limit.spikes_for(candidate, BOUND_AIM) for limit in pruned.problem.activity_limits), default=math.inf)
    return Held(target.to_torch(target.budget_synops), spread, spikes)


def check_delivered(
    pruned: Pruned,
    target: Target,
    prepared: Prepared,
    measured: Mapping[str, Measurement],
    verified: Sequence[Verified],
) -> DeliveredLre:
    """The prediction against the delivered network on the test split.

    `measured` are those of torch and of the target's arithmetic, by backend; what `verified` ran is fewer samples.
    """
    estimators = (pruned.problem.estimator, ConstantEstimator.fit(prepared.samples))
    prediction, constant = predicted(pruned, estimators, target, prepared)
    floating = TorchBackend()
    in_torch = measured[floating.name]
    on_test = for_splits(prediction, in_torch, target, prepared)
    own = target.backend
    arithmetics = {
        floating.name: (floating.arithmetic, on_test),
        own.name: (own.arithmetic, target.from_torch(on_test)),
    }
    if own.name == floating.name:
        arithmetics = {floating.name: (floating.arithmetic, on_test)}
    checks = {name: check_of(name_of, one, measured[name]) for name, (name_of, one) in arithmetics.items()}
    for each in verified:
        reference = each.backend.reference
        if reference in arithmetics:
            whole = measured[reference].synops
            scale = each.reference.synops / whole if whole else 1.0
            checks[each.backend.name] = check_of(
                each.backend.arithmetic, arithmetics[reference][1].scaled(scale), each.measured
            )
    return DeliveredLre(
        predicted=prediction.value,
        low=prediction.low,
        high=prediction.high,
        constant=constant.value,
        check=checks,
    )


def for_splits(prediction: Prediction, tested: Measurement, target: Target, prepared: Prepared) -> Prediction:
    """A prediction of the delivered network's mean, widened by what two finite splits may lie apart.

    It was held at its budget on validation; what is below follows the training samples' mean.
    """
    seen = min(len(target.validation), len(prepared.factory.train))
    return for_images(prediction, tested, seen, target.dense)
