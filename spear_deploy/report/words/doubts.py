"""What makes a result worth less than its figures say, and what to do about it."""

from __future__ import annotations

from spear_deploy.report.schema import Report

LEAST_USED = 0.6
"""A budget of which less is used was not what held the network back."""

WIDEST_INTERVAL = 1.5
"""An interval whose upper end is more times its lower says little."""


def doubts(report: Report) -> list[str]:
    """Each with what to do."""
    found = [_unused(report), _unsure(report), _collapsed(report)]
    return [doubt for doubt in found if doubt]


def _unused(report: Report) -> str:
    tightest = next((limit for limit in report.budget.limits if limit.binds), None)
    if tightest is None or tightest.least or not tightest.allowed:
        return ""
    share = tightest.pruned / tightest.allowed
    if share >= LEAST_USED:
        return ""
    return (
        f"Only {share:.1%} of {tightest.origin} is used ({tightest.name}): the search gave away more than it had to."
        " More of LRE's samples, a longer first fine-tune or more finalists help it to use what there is."
    )


def _unsure(report: Report) -> str:
    lre = report.lre
    if lre.high <= WIDEST_INTERVAL * lre.low:
        return ""
    times = f"{lre.high / lre.low:,.1f} times" if lre.low else "without bound above"
    return (
        f"LRE was not sure: the upper end of its interval ({lre.low:,.0f} to {lre.high:,.0f}) is {times} the lower, and"
        " the search is held to the upper one. More samples, or longer fine-tunes of them, make it surer."
    )


def _collapsed(report: Report) -> str:
    search = report.search
    if search is None or search.most_by_guessing is None or not search.history:
        return ""
    chance = search.most_by_guessing
    lost = sum(one.accuracy <= chance for one in search.history)
    if 2 * lost <= len(search.history):
        return ""
    return (
        f"{lost} of {len(search.history)} candidates of the search could not be told from guessing before their"
        " fine-tune, so their accuracies say little of which is better: allow a larger budget, or fine-tune more of"
        " them."
    )
