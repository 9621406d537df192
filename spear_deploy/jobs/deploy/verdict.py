"""The verdict of a run: limits kept, backends in agreement, and a network that still works."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from spear_deploy.hardware import Follows, Use
from spear_deploy.hardware.amounts import both_texts
from spear_deploy.jobs.deploy.search import Try
from spear_deploy.measure import Compared
from spear_deploy.report.answers_part import MOST_LOST_POINTS, interval_text
from spear_deploy.report.lre_part import LreCheck
from spear_deploy.report.schema import Agreement, Verdict


def judge(
    basis: str,
    check: LreCheck,
    uses: Sequence[Use],
    dense_synops: float,
    agreement: Mapping[str, Agreement],
    answers: Compared,
    *,
    unfit: Sequence[str] = (),
    unrounded: Compared | None = None,
    unverified: str = "",
    front: Sequence[Try] = (),
) -> Verdict:
    """The verdict of a run, of its network on the whole test split in the target's arithmetic.

    Args:
        basis: the backend whose figures are judged.
        check: LRE's prediction against that backend.
        uses: every limit with what the network was measured to use of it; mean SynOps first.
        dense_synops: what a budget of SynOps is a share of.
        agreement: of backends, by their names joined by `_`, the reference first.
        answers: beside those of the network that accuracy was lost against, in the same arithmetic.
        unfit: design rules of the chip that the network breaks.
        unrounded: beside those of the dense network in floating point, where the target computes in integers.
        unverified: why a backend that was asked for did not run; empty where all did.
        front: what other SynOps cost in accuracy, of networks that were fine-tuned on the way.

    """
    synops, *others = uses
    over = [_over(synops, dense_synops)] if synops.overshoot else []
    broken = over + [_broken(use, front, answers.points) for use in others if use.overshoot] + list(unfit)
    differing = [unverified] if unverified else []
    for names, found in agreement.items():
        if found.equal:
            continue
        reference, other = names.split("_", 1)
        at = found.first_difference
        where = "" if at is None else f" from layer {at.layer}, step {at.step}"
        differing.append(f"{other}'s spikes differ from {reference}'s{where}")
    asked = [use for use in others if use.limit.quantity.follows is Follows.ANSWERS]
    ruined = _ruined(answers, asked, unrounded) or _ruined_by_rounding(unrounded, asked)
    faults = [*ruined, *broken, *differing]
    return Verdict(
        basis=basis,
        within_budget=not over,
        limits_kept=not broken,
        backends_agree=not differing,
        works=not ruined,
        covered=check.covered,
        prediction_error_percent=check.error_percent,
        ok=not faults,
        reason="; ".join(faults),
    )


def basis_of(target: str, checks: Mapping[str, LreCheck]) -> str:
    """The backend that is judged: the target's own, and in torch's arithmetic one that had to repeat torch, if any ran.

    `checks` are by backend, torch first.
    """
    in_torch, *others = checks
    if target != in_torch:
        return target
    return others[-1] if others else in_torch


def _over(synops: Use, dense_synops: float) -> str:
    nearest = math.ceil(1000 * synops.used / dense_synops) / 10
    return (
        f"{synops.used:,.0f} SynOps on test exceed the budget of {synops.limit.allowed:,.0f};"
        f" the nearest budget that this network keeps is {nearest:g}%"
    )


def _broken(use: Use, front: Sequence[Try], points: str) -> str:
    limit = use.limit
    used, allowed, unit = both_texts(use.used, limit.allowed, limit.unit)
    against = "fall short of" if limit.quantity.least else "exceed"
    fault = f"{use.name}: {used} {unit} {against} the {allowed} of {limit.origin}"
    if limit.quantity.follows is Follows.ANSWERS:
        return f"{fault} ({_near(front, points)})"
    return fault


def _near(front: Sequence[Try], points: str) -> str:
    """What it takes to lose less, as far as this run saw it."""
    if not front:
        return "results at several larger budgets show what it takes"
    told = ", ".join(f"{one.share:.1%} of the SynOps lose {one.drop_points:.1f} {points}" for one in front)
    return f"on validation, of the networks that were fine-tuned here, {told}: allow more SynOps or more loss"


_LESS_ROUNDING = "more bits, or inputs, weights and values without some far above all others, keep more"


def _ruined(answers: Compared, asked: Sequence[Use], unrounded: Compared | None) -> list[str]:
    """Why the network does not work; `asked` are what the user allowed of its answers."""
    if untold := answers.undecided or answers.unsure:
        return [f"whether the network works cannot be told by {answers.samples} test samples: {untold}"]
    if answers.is_guessing:
        dense = ""
        if answers.of_reference.is_guessing:
            dense = f", and neither can the {answers.reference}: {_why_dense(unrounded)}"
        return [
            f"the network does not work: {answers.told}, which cannot be told from guessing"
            f" (up to {answers.text(answers.most_by_guessing)} by chance){dense}"
        ]
    return _much_lost(answers, asked, "a larger budget or longer fine-tunes keep more")


def _why_dense(unrounded: Compared | None) -> str:
    """Why the dense network may not work either."""
    if unrounded is None or unrounded.of_reference.is_guessing:
        return "is it trained, and on such data?"
    before = unrounded.text(unrounded.reference_accuracy)
    return f"in floating point it does ({before}), and the target's integers ruin it; {_LESS_ROUNDING}"


def _ruined_by_rounding(unrounded: Compared | None, asked: Sequence[Use]) -> list[str]:
    """Why a network does not work that is as good as the dense one there: both are ruined by the target's integers."""
    if unrounded is None:
        return []
    return _much_lost(unrounded, asked, _LESS_ROUNDING)


def _much_lost(answers: Compared, asked: Sequence[Use], remedy: str) -> list[str]:
    """That surely more was lost than a network may lose unasked."""
    low, high = answers.drop_interval_points
    if low <= MOST_LOST_POINTS or asked:
        return []
    return [
        f"the network lost too much: {answers.beside}; the loss of {answers.drop_points:.1f} {answers.points}"
        f" ({interval_text(low, high)}) is surely more than {MOST_LOST_POINTS:g};"
        f" {remedy}, or say how many {answers.points} may be lost"
    ]
