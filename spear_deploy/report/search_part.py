"""The search in the report: everything that was evaluated, and what became of the best."""

from __future__ import annotations

from pydantic import Field

from spear_deploy.report.part import Part

PLAIN, PRUNED = "plain", "pruned"
"""What a fine-tune that is undone leads back to: after the first phase, or before any."""


class EvaluationReport(Part):
    """A candidate before its fine-tune; SynOps are predictions in torch, with the 95 % interval."""

    keep_ratios: list[float] = Field(description="in the order of `search.groups`")
    accuracy: float = Field(description="on validation, after recalibration, before fine-tuning")
    predicted: float
    low: float
    high: float
    reward: float
    penalties: dict[str, float] = Field(description="what each limit took from the reward, where it took any")
    keeps_limits: bool


class AgentReport(Part):
    """The agent that was asked, and what it learned from."""

    carried: bool = Field(description="from the file of another run (`request.agent`), or trained in this one")
    sha256: str = Field(description="of its file; `agent.npz` of this folder, where it was trained in this run")
    groups: dict[str, int] = Field(description="the prunable groups of the network that it was trained on, by channels")
    budgets: dict[str, float] = Field(
        description="what it was trained on: what a search might use, as a share of the dense SynOps in torch"
    )
    evaluations: int = Field(description="candidates that it learned from, over all budgets and chips")
    seed: int = Field(description="of its training")


class SearchReport(Part):
    """The evaluations in their order."""

    strategy: str | None = Field(None, description="how candidates were looked for; null in earlier reports")
    agent: AgentReport | None = Field(None, description="null where none was asked")
    groups: list[str] = Field(description="the prunable groups, by the layer they belong to")
    budget_synops: float = Field(description="what the search may use, in torch's arithmetic, as predictions are")
    history: list[EvaluationReport]
    most_by_guessing: float | None = Field(
        None,
        description="the highest accuracy on validation that still counts as chance (99 %), or the R2 of the mean",
    )


class UndoneReport(Part):
    """A fine-tune that surely made a network worse, by the lower end of the paired 95 % interval, and was undone."""

    back_to: str = Field(description="what is delivered: `pruned`, before any fine-tune, or `plain`, after the first")
    accuracy: float = Field(description="on validation, after the fine-tune")
    synops: float


class FinalistReport(Part):
    """A candidate after its fine-tune, on the validation split in the target's arithmetic."""

    keep_ratios: list[float] = Field(description="in the order of `search.groups`")
    closes: int | None = Field(
        None, description="of a closing step, the place in `finalists` of the network that it closes; null of others"
    )
    predicted: float | None = Field(
        description="SynOps after fine-tuning as LRE predicts them, in torch's arithmetic; null, and so are the next"
        " four, of a closing step whose channels are no longer those that they are of"
    )
    low: float | None
    high: float | None
    plain_accuracy: float | None = Field(description="after the first phase, the plain fine-tune that LRE predicts")
    plain_synops: float | None
    finished: bool = Field(description="whether it went through the second phase as well")
    undone: UndoneReport | None = Field(None, description="null where no fine-tune was undone, and in earlier reports")
    accuracy: float = Field(description="after the last phase that it went through and that was not undone")
    synops: float
    synops_bound: float = Field(description="upper 99 % confidence bound of the mean SynOps")
    chosen: bool
