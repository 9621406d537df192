"""From domain values to parts of the report: limits, answers, the search and its finalists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from spear_deploy.hardware import Cost, Follows, Use
from spear_deploy.measure import Compared
from spear_deploy.report.answers_part import AnswersReport
from spear_deploy.report.schema import LimitPrediction, LimitReport
from spear_deploy.report.search_part import (
    PLAIN,
    PRUNED,
    AgentReport,
    EvaluationReport,
    FinalistReport,
    SearchReport,
    UndoneReport,
)
from spear_deploy.search import Choice, Finalist, Prediction, SearchProblem

_NONE: Mapping[str, LimitPrediction] = MappingProxyType({})


def limit_reports(
    dense: Sequence[Use],
    pruned: Sequence[Use],
    predicted: Mapping[str, LimitPrediction] = _NONE,
    cost: Cost | None = None,
) -> list[LimitReport]:
    """Every limit with what both networks use of it; the tightest one is marked.

    `predicted` is what the search predicted of limits on activity, by the key of the quantity; `cost` is the pruned
    network's, where it is known.

    A limit inside a core (how full the fullest core is) counts as the tightest only where the
    dense network breaks it: filling a core is no hardship. Limits on answers count as the
    tightest only where they are broken: nobody means to use them up.
    """
    shares = [-1.0 if _no_hardship(before, after) else after.share for before, after in zip(dense, pruned, strict=True)]
    tightest = shares.index(max(shares))
    return [
        LimitReport(
            name=after.name,
            unit=after.limit.unit,
            allowed=after.limit.allowed,
            dense=before.used,
            pruned=after.used,
            origin=after.limit.origin,
            least=after.limit.quantity.least,
            bound="" if cost is None else after.limit.quantity.bound(cost),
            binds=place == tightest,
            prediction=predicted.get(after.limit.quantity.key),
        )
        for place, (before, after) in enumerate(zip(dense, pruned, strict=True))
    ]


def limit_prediction(predicted: Prediction, measured: Use) -> LimitPrediction:
    """What was predicted of a limit, beside what the network of that prediction used."""
    used, least = measured.used, measured.limit.quantity.least
    return LimitPrediction(
        predicted=predicted.value,
        low=predicted.low,
        high=predicted.high,
        measured=used,
        kept=used >= predicted.low if least else used <= predicted.high,
    )


def answers_report(answers: Compared) -> AnswersReport:
    """What a network lost against another."""
    low, high = answers.drop_interval_points
    return AnswersReport(
        reference=answers.reference,
        samples=answers.samples,
        accuracy=answers.accuracy,
        reference_accuracy=answers.reference_accuracy,
        most_by_guessing=answers.most_by_guessing,
        drop_points=answers.drop_points,
        drop_low=low,
        drop_high=high,
    )


def search_report(
    problem: SearchProblem, most_by_guessing: float, strategy: str, agent: AgentReport | None
) -> SearchReport:
    """All that a search evaluated; `most_by_guessing` is the highest accuracy on validation that is still chance."""
    return SearchReport(
        strategy=strategy,
        agent=agent,
        groups=[group.name for group in problem.factory.groups],
        budget_synops=problem.budget_synops,
        history=[
            EvaluationReport(
                keep_ratios=one.ratios.tolist(),
                accuracy=one.accuracy,
                predicted=one.prediction.value,
                low=one.prediction.low,
                high=one.prediction.high,
                reward=one.reward.value,
                penalties={name: penalty for name, penalty in one.reward.penalties.items() if penalty},
                keeps_limits=one.reward.keeps_limits,
            )
            for one in problem.history
        ],
        most_by_guessing=most_by_guessing,
    )


def finalist_reports(choice: Choice) -> list[FinalistReport]:
    """All networks that were fine-tuned."""
    return [
        _finalist_report(one, closes, chosen=one is choice.winner)
        for one, closes in zip(choice.tuned, choice.closes, strict=True)
    ]


def _finalist_report(finalist: Finalist, closes: int | None, *, chosen: bool) -> FinalistReport:
    prediction = finalist.prediction if finalist.keeps_channels else None
    plain = finalist.plain.validation if finalist.keeps_channels else None
    return FinalistReport(
        keep_ratios=finalist.ratios.tolist(),
        closes=closes,
        predicted=prediction and prediction.value,
        low=prediction and prediction.low,
        high=prediction and prediction.high,
        plain_accuracy=plain and plain.accuracy,
        plain_synops=plain and plain.synops,
        accuracy=finalist.result.validation.accuracy,
        synops=finalist.result.validation.synops,
        synops_bound=finalist.result.synops_bound,
        finished=finalist.final is not None,
        undone=_undone_report(finalist),
        chosen=chosen,
    )


def _undone_report(finalist: Finalist) -> UndoneReport | None:
    if finalist.instead is None or finalist.final is None:
        return None
    return UndoneReport(
        back_to=PLAIN if finalist.instead.model is finalist.plain.model else PRUNED,
        accuracy=finalist.final.validation.accuracy,
        synops=finalist.final.validation.synops,
    )


def _no_hardship(dense: Use, pruned: Use) -> bool:
    if pruned.limit.quantity.follows is Follows.ANSWERS:
        return not pruned.overshoot
    return dense.name.endswith("per core") and not dense.overshoot
