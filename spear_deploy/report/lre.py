"""What LRE predicted and how far it can be trusted, for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spear_deploy.report.lre_part import (
    AnchorPoint,
    DeliveredLre,
    EstimatorReport,
    LinearLre,
    LreCheck,
    LreReport,
    ScatterPoint,
)
from spear_deploy.search import (
    AnchoredEstimator,
    Estimator,
    Features,
    LeaveOneOut,
    LinearEstimator,
    LreSample,
    Prediction,
    extrapolates,
    judgeable,
    leave_one_out,
)


def lre_report(
    samples: Sequence[LreSample],
    features: Features,
    prediction: Prediction,
    *,
    estimator: Estimator,
    target_factor: float,
    groups: Sequence[str],
    check: Mapping[str, LreCheck],
    claimed: float | None = None,
    delivered: DeliveredLre | None = None,
) -> LreReport:
    """Every estimator that so few samples can judge, beside the `prediction` of the one that the search used.

    `features` are the pruned network's, `groups` names its keep ratios; `check` holds the prediction against what
    was measured, `claimed` is what of it the search took, `delivered` is the prediction of the delivered network.
    """
    fits = judgeable(samples)
    judged = {name: leave_one_out(fit, samples) for name, fit in fits.items()}
    line = LinearEstimator.fit(samples)
    near = estimator if isinstance(estimator, AnchoredEstimator) else None
    unsure = "" if near is None else near.unsure.name
    return LreReport(
        estimator=estimator.name,
        predicted=prediction.value,
        low=prediction.low,
        high=prediction.high,
        samples=len(samples),
        anchors=[
            AnchorPoint(
                keep_ratios=anchor.features.keep_ratios.tolist(),
                recalibrated_synops=anchor.features.recalibrated_synops,
                synops=anchor.synops,
                accuracy=anchor.accuracy,
            )
            for anchor in (near.anchors if near else ())
        ],
        unsure=unsure,
        target_factor=target_factor,
        linear=LinearLre(
            slope=line.slope,
            intercept=line.intercept,
            r2=line.r2,
            predicted=line.predict(features).value,
        ),
        estimators={
            name: _estimator_report(fit(samples).predict(features), judged[name]) for name, fit in fits.items()
        },
        check=dict(check),
        claimed=claimed,
        delivered=delivered,
        scatter=[
            ScatterPoint(
                keep_ratios=sample.features.keep_ratios.tolist(),
                pruned_synops=sample.features.pruned_synops or 0.0,
                recalibrated_synops=sample.features.recalibrated_synops,
                synops=sample.synops,
                accuracy=sample.accuracy,
                loo_predicted=without.value,
            )
            for sample, without in zip(samples, judged[unsure or estimator.name].predictions, strict=True)
        ],
        extrapolated=extrapolates(samples, features, groups),
    )


def _estimator_report(prediction: Prediction, judged: LeaveOneOut) -> EstimatorReport:
    return EstimatorReport(
        predicted=prediction.value,
        low=prediction.low,
        high=prediction.high,
        loo_mean_error_percent=100 * judged.mean_error,
        loo_worst_error_percent=100 * judged.worst_error,
        loo_coverage=judged.coverage,
        loo_r2=judged.r2,
    )
