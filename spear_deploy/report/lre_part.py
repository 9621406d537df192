"""What a report tells of LRE: its samples and its fit, and its predictions beside what was measured."""

from __future__ import annotations

from pydantic import Field

from spear_deploy.report.part import Part


class LinearLre(Part):
    """SPEAR's line: synops after fine-tuning = slope * synops after pruning + intercept."""

    slope: float
    intercept: float
    r2: float
    predicted: float


class EstimatorReport(Part):
    """One estimator: its prediction for the pruned network, and its errors at samples left out of its fit."""

    predicted: float
    low: float
    high: float
    loo_mean_error_percent: float
    loo_worst_error_percent: float
    loo_coverage: float = Field(description="share of the samples that its 95 % intervals hold")
    loo_r2: float | None = Field(None, description="share of the variance of SynOps that it explains")


class ScatterPoint(Part):
    """One of LRE's samples: a network that was really pruned and fine-tuned, on the training split."""

    keep_ratios: list[float] = Field(description="by group of channels, in the order of the network")
    pruned_synops: float
    recalibrated_synops: float
    synops: float = Field(description="after fine-tuning")
    accuracy: float
    loo_predicted: float = Field(description="by the report's estimator, or the unsure one, fitted without this sample")


class AnchorPoint(Part):
    """A uniform network near the search's limit, really fine-tuned because no estimator was sure enough."""

    keep_ratios: list[float] = Field(description="by group of channels, in the order of the network")
    recalibrated_synops: float
    synops: float = Field(description="after fine-tuning")
    accuracy: float


class LreCheck(Part):
    """A prediction beside what one backend measured of the network that it is about, on test samples.

    The prediction is the one for these images and this arithmetic.
    """

    arithmetic: str
    samples: int
    synops: float
    predicted: float
    low: float
    high: float
    covered: bool
    error_percent: float | None = Field(description="100 (predicted - synops) / synops; null where synops is 0")


class DeliveredLre(Part):
    """The delivered network's SynOps, predicted in torch before any fine-tune, with a 95 % prediction interval.

    What LRE predicts of its keep ratios after the plain fine-tune, or what the second phase holds
    networks at where that is less. `check` holds it against measurements of the delivered network, by backend.
    """

    predicted: float
    low: float
    high: float
    constant: float = Field(description="the same by a single constant ratio instead of LRE's estimator")
    check: dict[str, LreCheck]


class LreReport(Part):
    """Predicted SynOps after the plain fine-tune, with a 95 % prediction interval.

    `check` holds them against measurements of the plainly fine-tuned network, by backend. The
    delivered network has gone through a second phase; what is predicted of it stands in `delivered`.
    """

    estimator: str = Field(
        description="what the search goes by; anchored: the mean ratio of `anchors`, with an interval as wide as the"
        " unsure estimator's, relative to its value"
    )
    predicted: float
    low: float
    high: float
    samples: int
    anchors: list[AnchorPoint] = Field(default_factory=list)
    unsure: str = Field(
        "", description="the estimator that errs least at the samples; empty where the search goes by it"
    )
    target_factor: float = Field(
        description="SynOps of the dense network in the target's arithmetic / in torch, on validation; the prediction"
        " times this is held against the target's SynOps"
    )
    linear: LinearLre
    check: dict[str, LreCheck] = Field(default_factory=dict)
    claimed: float | None = Field(
        None, description="what of it the search held against the budget; null in earlier reports: the upper end"
    )
    delivered: DeliveredLre | None = Field(None, description="null where that is the plainly fine-tuned network itself")
    estimators: dict[str, EstimatorReport] = Field(
        default_factory=dict,
        description="on the same samples, those that can be judged: fitted where one sample is left out",
    )
    scatter: list[ScatterPoint] = Field(default_factory=list)
    extrapolated: str = Field(
        "", description="in what the pruned network lies outside of the samples; empty where it does not"
    )

    @property
    def of_samples(self) -> str:
        """The estimator that the samples are held against."""
        return self.unsure or self.estimator

    @property
    def basis(self) -> str:
        """The estimator that the search went by, and what it rests on, in words."""
        near = f" and {len(self.anchors)} networks near the limit" if self.anchors else ""
        return f"{self.estimator}, {self.samples} samples{near}"
