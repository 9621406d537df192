"""What a user should hear before the long work: data that cannot serve, and what makes a result worth little."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from spear_deploy.data import Dataset, Labels, Split
from spear_deploy.data.splitting import class_counts, shares_differ
from spear_deploy.data.stored import pieces
from spear_deploy.errors import DataError
from spear_deploy.hardware import SYNOPS, Limit, OnChip
from spear_deploy.jobs.scorable import no_score
from spear_deploy.measure import SCORINGS, Measurement
from spear_deploy.measure.answers import DENSE
from spear_deploy.network import Model, Objective
from spear_deploy.search.bounds import FEWEST, factor_ahead, margin, samples_for

FEW_TO_JUDGE = 20
"""Validation samples below which a confidence bound from their own spread is worth little."""


SURE_MARGIN = 0.05
"""A bound this far above the mean still leaves a budget to be used; it is what samples are asked for."""

WIDE_MARGIN = 0.1
"""A bound further above the mean than this is told."""

SHARED = 0.01
"""Of a split; where that many samples are those of another, it is no chance that few values are alike."""

SHIFTED = 0.01
"""Means that chance would make so different less often than this are of different data."""


def check_labels(data: Dataset, objective: Objective = Objective.CLASSIFICATION) -> None:
    """Refuse training data that is all of one class or value, and validation that choices cannot be made on.

    Raises:
        DataError: a network fine-tuned on it gives that answer whatever it sees; validation lacks a
            class of the labels, or holds too few samples to have a spread.

    """
    if len(data.validation) < FEWEST:
        raise DataError(
            f"{data.name}: {len(data.validation)} validation sample has no spread, so no bound can be held against a"
            f" budget: at least {FEWEST} are needed, and {FEW_TO_JUDGE} or more say something"
        )
    for split in data.splits:
        if why := no_score(split.name, split.y, data.labels, objective):
            raise DataError(f"{data.name}: {why}")
    if not data.train.y.is_floating_point():
        _check_classes(data)


def _check_classes(data: Dataset) -> None:
    missing = sorted(set(data.train.y.tolist()) - set(data.validation.y.tolist()))
    if missing and data.labels is Labels.DATA:
        raise DataError(
            f"{data.name}: validation holds no sample of class {', '.join(map(str, missing))}, which training has:"
            " what is chosen on it says nothing of them; give x_val and y_val of all classes"
        )
    only, count = int(data.train.y[0]), len(data.train)
    if bool((data.train.y != only).any()):
        return
    if data.labels is Labels.DENSE_NETWORK:
        raise DataError(
            f"{data.name}: the network gives class {only} to all {count} training samples, so its classes cannot serve"
            " as labels; give labels (y_train, y_test), or data that suits the network"
        )
    raise DataError(
        f"{data.name}: all {count} training samples are of class {only}; fine-tuning needs two classes or more"
    )


def small_data(data: Dataset, batch: int) -> list[str]:
    """Say when an epoch is a single step (with all of the data), and when too little is left to judge a budget by."""
    found = []
    if len(data.train) < batch:
        found.append(
            f"{data.name}: {len(data.train)} training samples are fewer than a batch of {batch}:"
            " each epoch is one step with all of them"
        )
    if len(data.validation) < FEW_TO_JUDGE:
        found.append(
            f"{data.name}: {len(data.validation)} validation samples say little of mean SynOps and of answers:"
            " the budget may be met there and missed on test"
        )
    return found


def class_shares(data: Dataset) -> list[str]:
    """Say where a split lacks classes that another has, or holds them in other shares; labels that were given only."""
    if data.labels is not Labels.DATA or data.train.y.is_floating_point():
        return []
    classes = 1 + max(int(split.y.max()) for split in data.splits)
    counts = {str(split.name): class_counts(split.y.numpy(), classes) for split in data.splits}
    found = []
    for name, count in counts.items():
        lacking = [
            str(label) for label in range(classes) if not count[label] and sum(c[label] for c in counts.values())
        ]
        if lacking:
            found.append(f"{data.name}: {name} holds no sample of class {', '.join(lacking)}")
    for name in ("validation", "test"):
        if shares_differ(counts["train"], counts[name]):
            found.append(
                f"{data.name}: {name} holds its classes in other shares than train:"
                " figures of one do not carry over to the other"
            )
    return found


def shared_samples(data: Dataset) -> list[str]:
    """Say when samples that choices are made on, or figures measured on, are training samples too."""
    train, found = _hashes(data.train), []
    for split, use in ((data.validation, "choices are made"), (data.test, "the final figures are measured")):
        shared = int(np.isin(_hashes(split), train).sum())
        if shared >= max(SHARED * len(split), 1):
            found.append(
                f"{data.name}: {shared:,} of {len(split):,} {split.name} samples are training samples too, and say"
                f" nothing of new ones: {use} on them"
            )
    return found


def _hashes(split: Split) -> NDArray[np.int64]:
    each = (hash(sample.tobytes()) for part in pieces(len(split)) for sample in split.x[part].numpy())
    return np.fromiter(each, np.int64, len(split))


def wide_bound(dense: Measurement, ahead: int) -> list[str]:
    """Say when validation is too small for a bound that leaves the budget to be used, and how much would do."""
    each = dense.per_sample.numpy()
    reach = margin(each, ahead)
    if reach <= WIDE_MARGIN:
        return []
    needed = samples_for(each, ahead, SURE_MARGIN)
    way_out = (
        f"{needed} would bring that to {SURE_MARGIN:.0%}" if needed else f"with {ahead} test samples no number would"
    )
    return [
        f"{dense.samples} validation samples leave the bound of mean SynOps {reach:.0%} above the mean, and"
        f" {reach / (1 + reach):.0%} of a budget unused; {way_out}"
    ]


def wide_tails(limits: Sequence[Limit], dense: OnChip, ahead: int) -> list[str]:
    """Say where the bound of a limit on `ahead` further samples leaves much of its budget unused."""
    found = []
    for limit in limits:
        quantity = limit.quantity
        each = np.array([] if quantity.each is None else quantity.each(dense))
        reach = factor_ahead(each, quantity.over, ahead) - 1
        if reach > WIDE_MARGIN:
            found.append(
                f"{limit.origin}: what {ahead} test samples may show of {quantity.name} lies {reach:.0%} from what"
                f" {len(each)} validation samples show, and {reach / (1 + reach):.0%} of the budget is left unused for"
                " it; more validation samples narrow it"
            )
    return found


def shift(validation: Measurement, test: Measurement) -> list[str]:
    """Say when the dense network's SynOps on the inputs of test are not those on validation's.

    Only the inputs of test are read for it, and nothing is chosen by it.
    """
    before, after = validation.per_sample.numpy(), test.per_sample.numpy()
    if min(len(before), len(after)) < FEWEST or not before.mean():
        return []
    if not by_chance(before, after) < SHIFTED:
        return []
    change = after.mean() / before.mean() - 1
    return [
        f"the dense network's SynOps on the inputs of test lie {change:+z.1%} from those on validation's, which chance"
        " does not explain: a budget that is kept on validation may be"
        f" {'broken' if change > 0 else 'left unused'} on test by as much"
    ]


def by_chance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """How often means of samples `[N]` and `[M]` of equal distributions lie so far apart: Welch's t-test.

        t = (mean a - mean b) / sqrt(s_a^2 / N + s_b^2 / M)

    with the degrees of freedom of Welch and Satterthwaite; nan where nothing is spread or apart.
    """
    shares = np.array([first.var(ddof=1) / len(first), second.var(ddof=1) / len(second)])
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (first.mean() - second.mean()) / np.sqrt(shares.sum())
        freedom = shares.sum() ** 2 / (shares**2 / (len(first) - 1, len(second) - 1)).sum()
    return 2 * float(special.stdtr(1.0 if np.isnan(freedom) else freedom, -abs(t)))


def chance(data: Dataset, model: Model, dense: Measurement) -> list[str]:
    """Say when the dense network cannot be told from a guesser on the validation split.

    This is told and not refused: an untrained network is a fair question to a chip, its SynOps and limits are
    measured all the same, and with few samples a good network may look like chance.
    """
    scoring = SCORINGS[model.objective.kind]
    wanted, given = data.validation.y, dense.predictions
    answers = scoring.between(given, given, wanted, data.train.y, model.classes, DENSE)
    if answers.undecided:
        return [
            f"whether the network works cannot be told by {answers.samples} validation samples, however right it is:"
            f" {answers.undecided}"
        ]
    if not answers.is_guessing:
        return []
    return [
        f"the network cannot be told from guessing on validation: its {scoring.name} of {scoring.text(dense.accuracy)}"
        f" on {dense.samples} samples may be chance (up to {scoring.text(answers.most_by_guessing)}): is it trained,"
        f" and are data and encoding those it was trained with? Without that, a change of {scoring.name} means nothing"
    ]


def slack_budgets(limits: Sequence[Limit], time_steps: int) -> list[str]:
    """Say when a limit on a tail leaves no way to use up the budget of mean SynOps.

    No inference takes more than T times its busiest step. A mean above the 99th percentile
    would need a hundredth of the inferences to outweigh all others. The limits can be kept
    together; the looser one is without effect, which is rarely what was meant.
    """
    mean = next(limit for limit in limits if limit.quantity is SYNOPS)
    steps = {"p99": 1, "step": time_steps}
    most = [(limit, limit.allowed * steps[limit.quantity.key]) for limit in limits if limit.quantity.key in steps]
    return [
        f"{limit.origin} leaves at most {synops:,.0f} SynOps an inference: {mean.origin} ({mean.allowed:,.0f}) cannot"
        " be used up"
        for limit, synops in most
        if synops < mean.allowed
    ]
