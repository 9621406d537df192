"""The report of a run, `report.json`; its JSON Schema is kept in docs/report.schema.json.

Throughout, `synops` are synaptic operations caused by spikes, per inference, over all time
steps; `synops_analog` are those of analog input values, which no budget holds.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LayerReport(_Part):
    """One neuron layer; means per inference."""

    layer: str
    neurons: int
    spikes: float = Field(description="spikes the layer fires")
    synops: float = Field(description="synaptic operations that spikes cause in the connections into the layer")


class NetworkReport(_Part):
    """The dense network on the test split, in torch float64."""

    accuracy: float
    synops: float
    synops_analog: float
    effective_acs: float = Field(description="NeuroBench's Effective_ACs")
    effective_macs: float = Field(description="NeuroBench's Effective_MACs")
    parameters: int
    per_layer: list[LayerReport]


class PrunedReport(NetworkReport):
    """The pruned and fine-tuned network on the test split, in torch float64."""

    keep_ratios: dict[str, float] = Field(description="kept channels / all channels, by the layer they belong to")


class SplitReport(_Part):
    """Which samples a split holds."""

    samples: int
    source: str = Field(description="what the index numbers: a data set or an array of a file")
    index: str = Field(description="sample numbers in order, runs written as first-last")


class LimitReport(_Part):
    """One limit, what the dense and the pruned network use of it, and whether it is the tightest."""

    name: str
    unit: str
    allowed: float
    dense: float
    pruned: float
    origin: str = Field(description="who set it: a budget as it was typed, or the profile")
    binds: bool = Field(description="whether the pruned network uses a larger share of it than of any other")


class BudgetReport(_Part):
    """The SynOps budget, fixed before the search, and every limit of the search."""

    synops: float
    source: str = Field(description="as it was given, such as 50%")
    split: str = Field(description="the split on which a share of the dense SynOps was taken")
    arithmetic: str
    limits: list[LimitReport]
    unchecked: list[str] = Field(description="limits of the chip that nobody has published")


class LinearLre(_Part):
    """The paper's line: synops after fine-tuning = slope * synops after pruning + intercept."""

    slope: float
    intercept: float
    r2: float
    predicted: float


class LreReport(_Part):
    """Predicted SynOps after fine-tuning, with a 95 % prediction interval."""

    estimator: str
    predicted: float
    low: float
    high: float
    samples: int
    target_factor: float = Field(
        description="SynOps of the dense network in the target's arithmetic / in torch, on validation; the prediction"
        " times this is held against the target's SynOps"
    )
    linear: LinearLre


class Measured(_Part):
    """What one backend measured on the test split, or on its first samples."""

    arithmetic: str
    samples: int
    synops: float
    synops_analog: float
    accuracy: float
    per_layer: list[LayerReport]


class FirstDifference(_Part):
    """The first place at which two backends differ."""

    layer: str
    step: int
    sample: int
    neuron: int
    spikes: dict[str, int] = Field(description="spikes of that layer over all samples, by backend")


class Agreement(_Part):
    """Whether two backends gave the same spikes in every layer."""

    samples: int
    layers: list[str]
    equal: bool
    first_difference: FirstDifference | None = None


class AdaptationReport(_Part):
    """One thing that the target forbids and `--adapt` converted, before anything else was done."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    layer: str
    rule: str = Field(description="what of the target asked for it: decay or reset")
    before: str = Field(alias="from")
    after: str = Field(alias="to")
    spike_change_percent: float | None = Field(
        description="spikes of the layer in the dense network on validation, in torch: 100 (after - before) / before;"
        " null where it was silent before"
    )


class QuantisationReport(_Part):
    """What rounding one connection of the pruned network to the target's integers cost."""

    layer: str
    source: str = Field(description="where the connection comes from; a layer with several has a row for each")
    weight_bits: int
    scale: float = Field(description="k of the layer: a weight w becomes k w / 2^exponent")
    exponent: int
    worst_error: float = Field(description="largest error of a weight, relative to the largest weight")
    mean_error: float = Field(description="mean error of a weight that is not zero, relative to the largest weight")
    clipped: int = Field(description="weights that lay outside the range")
    vanished: int = Field(description="weights that became zero")
    headroom_bits: float | None = Field(
        description="bits of the layer's membrane left free on the test split, before resets; negative: it saturated"
    )


class Verdict(_Part):
    """The outcome.

    `prediction_error_percent` is 100 (predicted - measured) / measured on the same images; for a
    subset of them the prediction is scaled by what torch measured on the subset over all.
    """

    basis: str = Field(description="the backend whose SynOps are judged")
    within_budget: bool
    covered: bool = Field(description="whether LRE's interval holds the measured SynOps")
    prediction_error_percent: float
    ok: bool
    reason: str = ""


class Report(_Part):
    """All that a run found."""

    schema_version: int = SCHEMA_VERSION
    model: str
    model_sha256: str
    data: str
    data_sha256: str
    target: str
    seed: int
    threads: int
    time_steps: int
    encoding: str
    splits: dict[str, SplitReport]
    budget: BudgetReport
    dense: NetworkReport
    pruned: PrunedReport
    lre: LreReport
    measured: dict[str, Measured]
    agreement: dict[str, Agreement]
    adaptations: list[AdaptationReport] = []
    quantisation: list[QuantisationReport] = Field(
        default=[], description="empty for a target that does not compute in integers"
    )
    verdict: Verdict
    repairs: int
    evaluations: int
    seconds: dict[str, float]
    versions: dict[str, str]
    command: list[str]
