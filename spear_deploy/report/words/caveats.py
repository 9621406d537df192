"""What makes a result worth less than its figures say, and what to do about it."""

from __future__ import annotations

from spear_deploy.hardware import QUANTITIES, SYNOPS, Follows
from spear_deploy.hardware.limit import BUDGET
from spear_deploy.report.answers_part import MOST_LOST_POINTS, interval_text
from spear_deploy.report.schema import LimitReport, Report
from spear_deploy.report.search_part import PLAIN
from spear_deploy.report.words.scores import points, score_text, scoring

LEAST_USED = 0.6
"""A budget of which less is used was not what held the network back."""

WIDEST_INTERVAL = 1.5
"""An interval whose upper end is more times its lower says little."""

SPLITS = ("validation", "test")
"""Whose samples make the bound of the mean SynOps: those it is measured on, and those it is to hold for."""

MOST_TIMES = 1000
"""Beyond it nobody needs to know how many times."""


def caveats(report: Report) -> list[str]:
    """Each with what to do."""
    found = [_undone(report), _lost(report), _unused(report), _unsure(report), _collapsed(report)]
    return [caveat for caveat in found if caveat]


def _undone(report: Report) -> str:
    """A fine-tune that was undone, with what the network was worth before and after it."""
    chosen = next((one for one in report.finalists if one.chosen), None)
    if chosen is None or chosen.undone is None:
        return ""
    kept = "after its plain fine-tune" if chosen.undone.back_to == PLAIN else "before any fine-tune"
    return (
        f"Fine-tuning surely made this network worse: {scoring(report).name} on validation is"
        f" {score_text(report, chosen.accuracy)} {kept}, which keeps every limit as well and is what is delivered, and"
        f" {score_text(report, chosen.undone.accuracy)} after all of it. Shorter fine-tunes may do less"
        " harm."
    )


def _lost(report: Report) -> str:
    """A loss that is there, and may be more than a network that still works has; where the user set no limit to it."""
    lost = report.answers
    if (
        lost is None
        or any(_on_answers(limit) for limit in report.budget.limits)
        or not 0 < lost.drop_low <= MOST_LOST_POINTS < lost.drop_high
    ):
        return ""
    interval = interval_text(lost.drop_low, lost.drop_high)
    return (
        f"{lost.drop_points:.1f} {points(report)} were lost against the {lost.reference}, and by {lost.samples}"
        f" test samples it may be more than {MOST_LOST_POINTS:g} ({interval}). A larger budget or longer fine-tunes"
        " lose less; a limit on the drop makes it part of the verdict."
    )


def _on_answers(limit: LimitReport) -> bool:
    """Whether a limit is one of answers, by its unit: what it is called depends on how they are scored."""
    return limit.unit in {known.unit for known in QUANTITIES.values() if known.follows is Follows.ANSWERS}


def _unused(report: Report) -> str:
    chosen = next((one for one in report.finalists if one.chosen), None)
    if chosen is not None and chosen.undone is not None:  # nobody filled what it leaves
        return ""
    shares = {limit: limit.pruned / limit.allowed for limit in report.budget.limits if limit.allowed}
    if any(limit.binds and (limit.least or shares.get(limit, 1.0) >= LEAST_USED) for limit in report.budget.limits):
        return ""
    typed = [limit for limit in shares if limit.origin.startswith(BUDGET) and not limit.least]
    granted = {limit: shares[limit] for limit in typed if not _on_answers(limit)}  # nobody means to lose what they may
    if not granted:
        return ""
    budget = max(granted, key=lambda limit: granted[limit])
    used = f"Only {granted[budget]:.1%} of {budget.origin} is used ({budget.name})"
    if budget.name == SYNOPS.name and chosen is not None and chosen.synops_bound >= LEAST_USED * budget.allowed:
        counts = " and ".join(f"{report.splits[name].samples:,} {name}" for name in SPLITS if name in report.splits)
        return (
            f"{used}: the search holds an upper 99 % bound of the mean against it, which is {chosen.synops_bound:,.0f}"
            f" SynOps where validation shows {chosen.synops:,.0f} ({counts} samples). More validation or test samples"
            " bring the bound nearer to what is used."
        )
    if report.search is not None and len(report.search.groups) == 1:
        return (
            f"{used}: the channels of one group alone can be pruned, and LRE let fewer of them be kept than it had to."
            " More of LRE's samples or a longer first fine-tune help to use what there is."
        )
    return (
        f"{used}: the search gave away more than it had to. More of LRE's samples, a longer first fine-tune or more"
        " finalists help it to use what there is."
    )


def _unsure(report: Report) -> str:
    lre = report.lre
    if lre.high <= WIDEST_INTERVAL * lre.low:
        return ""
    times = f"{lre.high / lre.low:.1f} times" if lre.high < MOST_TIMES * lre.low else f"more than {MOST_TIMES} times"
    takes = lre.high if lre.claimed is None else lre.claimed
    held = "is held to the upper one" if takes >= lre.high else f"takes the {takes:,.0f} between them as it is"
    return (
        f"LRE was not sure: the upper end of its interval ({lre.low:,.0f} to {lre.high:,.0f}) is {times} the lower, and"
        f" the search {held}. More samples, or longer fine-tunes of them, make it surer."
    )


def _collapsed(report: Report) -> str:
    search = report.search
    if search is None or search.most_by_guessing is None or not search.history:
        return ""
    chance = search.most_by_guessing
    lost = sum(one.accuracy <= chance for one in search.history)
    if 2 * lost <= len(search.history):
        return ""
    if chance >= 1 and "validation" in report.splits:
        return (
            f"Whether a candidate of the search works cannot be told by {report.splits['validation'].samples:,}"
            " validation samples, however right it is, so their scores say little of which is better: give more of"
            " them."
        )
    return (
        f"{lost} of {len(search.history)} candidates of the search could not be told from guessing before their"
        " fine-tune, so their scores say little of which is better: allow a larger budget, or fine-tune more of"
        " them."
    )
