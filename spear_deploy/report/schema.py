"""The report of a run, `report.json`; its JSON Schema is kept in docs/report.schema.json.

Throughout, `synops` are synaptic operations caused by spikes, per inference, over all time
steps; `synops_analog` are those of analog input values, which no budget holds.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from spear_deploy.report.answers_part import AnswersReport, MaxDrop
from spear_deploy.report.chip_part import CostReport, PlacementReport, RoundingReport
from spear_deploy.report.lre_part import LreReport
from spear_deploy.report.part import Part as _Part
from spear_deploy.report.search_part import FinalistReport, SearchReport
from spear_deploy.report.spikes_part import SpikesReport

SCHEMA_VERSION = 2
READ_VERSIONS = (1, SCHEMA_VERSION)
"""Of reports that can be read."""


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


class LimitPrediction(_Part):
    """What the search predicted the plainly fine-tuned network to use of a limit on activity, and what it used.

    Predicted is what the search holds against the limit: the bound of what as many samples as the test split has
    will show, with the 95 % interval of the fit that it follows from. Measured is that network on the test split,
    in the target's arithmetic; the delivered network was held at its limits by a further fine-tune.
    """

    predicted: float
    low: float
    high: float
    measured: float
    kept: bool = Field(description="whether what was measured stays within the end that lies nearer to the limit")


class LimitReport(_Part):
    """One limit, what the dense and the pruned network use of it, and whether it is the tightest."""

    name: str
    unit: str
    allowed: float
    dense: float
    pruned: float
    origin: str = Field(description="who set it: a budget as it was typed, or the profile")
    least: bool = Field(False, description="whether `allowed` is the least that is allowed, not the most")
    bound: str = Field(
        "", description="what is known of `pruned` where a price or time is not: `at least`, `at most`, `about`"
    )
    binds: bool = Field(description="whether the pruned network uses a larger share of it than of any other")
    prediction: LimitPrediction | None = Field(
        None, description="by the search, of limits on activity beside mean SynOps (of those: `lre`)"
    )


class BudgetReport(_Part):
    """The SynOps budget, fixed before the search, and every limit of the search."""

    synops: float
    source: str = Field(description="as it was given, such as 50%")
    split: str = Field(description="the split on which a share of the dense SynOps was taken")
    arithmetic: str
    limits: list[LimitReport]
    unchecked: list[str] = Field(
        description="limits of the chip that are not known here, and rounding that nothing here computes"
    )


class Distribution(_Part):
    """SynOps of single inferences."""

    bound99: float | None = Field(description="one-sided upper 99 % confidence bound of the mean; null of a single one")
    p95: float
    p99: float
    maximum: float
    busiest_step: float | None = Field(default=None, description="SynOps of the busiest time step of all inferences")


class Measured(_Part):
    """What one backend measured on the test split, or on its first samples."""

    arithmetic: str
    samples: int
    synops: float
    synops_analog: float
    accuracy: float
    per_layer: list[LayerReport]
    distribution: Distribution | None = None


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
    """One thing that the target forbids and that was converted, before anything else was done."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    layer: str
    rule: str = Field(description="what of the target asked for it: decay or reset")
    before: str = Field(alias="from")
    after: str = Field(alias="to")
    spike_change_percent: float | None = Field(
        description="spikes of the layer in the dense network on validation, in torch: 100 (after - before) / before;"
        " null where it was silent before"
    )


class Verdict(_Part):
    """The outcome: OK where limits are kept, backends agree and the network works.

    `covered` and `prediction_error_percent` are those of `lre.check` for the backend that
    judges, after the plain fine-tune; the budget is judged after the second phase.
    """

    basis: str = Field(description="the backend whose SynOps are judged")
    within_budget: bool = Field(description="whether mean SynOps on test keep their budget")
    limits_kept: bool | None = Field(None, description="whether every limit is kept, that budget included")
    backends_agree: bool | None = Field(
        None, description="whether every backend that was asked for ran, and repeated the one that it must equal"
    )
    works: bool | None = Field(
        None, description="whether the network can be told from guessing, and lost no more accuracy than it may"
    )
    covered: bool = Field(description="whether LRE's interval holds the measured SynOps")
    prediction_error_percent: float | None
    ok: bool
    reason: str = ""


class EarlierWork(_Part):
    """Work that an earlier run did, read instead of done again: `seconds` are what it took then."""

    steps: int
    seconds: float


class Report(_Part):
    """All that a run found; what has a default, earlier reports do not hold."""

    schema_version: int = SCHEMA_VERSION
    model: str
    model_sha256: str
    data: str
    data_sha256: str = Field(description="of samples and labels, as they were given")
    data_place: str | None = Field(
        None,
        description="where the data lay, counted from this folder, or from the root where the folder was not known;"
        " null where they lay in no file",
    )
    labels: Literal["data", "dense network"] = Field(
        "data", description="dense network: the data held none, and every accuracy is the agreement with that network"
    )
    objective: str = Field(
        "classification",
        description="what the network answers; of a regression, every accuracy is R2, and a point is a hundredth of it",
    )
    target: str
    profile: str = Field(
        "", description="how many figures of the target's profile are another's; empty where it is of its own"
    )
    seed: int
    threads: int
    device: str = Field(
        "cpu",
        description="of training, search and measurement; another computes what the CPU does on a sample of the run",
    )
    time_steps: int
    encoding: str
    splits: dict[str, SplitReport]
    budget: BudgetReport
    dense: NetworkReport
    pruned: PrunedReport
    lre: LreReport
    measured: dict[str, Measured]
    agreement: dict[str, Agreement]
    file_format: str | None = Field(
        default=None, description="the file format whose integers were chosen; null for all of the target's"
    )
    adaptations: list[AdaptationReport] = Field([], description="empty without `adapt`, and where nothing is forbidden")
    adapted: str = Field("", description="what that did to the dense network, which all figures are held against")
    verdict: Verdict
    answers: AnswersReport | None = Field(default=None, description="what the verdict's `works` follows from")
    answers_to_given: AnswersReport | None = Field(
        default=None, description="the same against the dense network as it was given"
    )
    answers_to_tuned: AnswersReport | None = Field(
        default=None, description="the same against the dense network after the same fine-tune"
    )
    max_drop: MaxDrop | None = Field(default=None, description="where the largest drop was given")
    repairs: int
    interrupted: str = Field(default="", description="the stage in which the user cut the work short")
    evaluations: int
    seconds: dict[str, float]
    versions: dict[str, str]
    command: list[str]
    search: SearchReport | None = None
    finalists: list[FinalistReport] = Field([], description="every network that was fine-tuned")
    spikes: SpikesReport | None = None
    placement: PlacementReport | None = None
    cost: dict[str, CostReport] = Field({}, description="of the dense and the pruned network")
    rounding: list[RoundingReport] = Field([], description="empty where the target does not compute in integers")
    peak_memory_mib: float | None = Field(None, description="of the main process; null where unknown")
    earlier: dict[str, EarlierWork] = Field(
        {}, description="by kind; `seconds` of the stages are those of this run alone"
    )
    request: dict[str, Any] | None = Field(None, description="what was asked for, as `reproduce` reads it")
    told: list[str] = Field([], description="what the user was told while it ran, in order")
