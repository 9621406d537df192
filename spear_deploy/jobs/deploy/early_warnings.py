"""What a user should hear before the long work: data that cannot serve, and what makes a result worth little."""

from __future__ import annotations

from collections.abc import Sequence

from spear_deploy.data import Dataset, Labels
from spear_deploy.errors import DataError
from spear_deploy.hardware import SYNOPS, Limit
from spear_deploy.measure import Measurement, guess_rate, most_by_guessing

FEW_TO_JUDGE = 20
"""Validation samples below which a confidence bound from their own spread is worth little."""


def check_classes(data: Dataset) -> None:
    """Refuse training data that is all of one class.

    Raises:
        DataError: a network fine-tuned on it gives that class whatever it sees.

    """
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
            f"{data.name}: {len(data.validation)} validation samples say little of mean SynOps and accuracy:"
            " the budget may be met there and missed on test"
        )
    return found


def chance(data: Dataset, classes: int, dense: Measurement) -> list[str]:
    """Say when the dense network cannot be told from a guesser on the validation split.

    This is told and not refused: an untrained network is a fair question to a chip, its SynOps and limits are
    measured all the same, and with few samples a good network may look like chance.
    """
    rate = guess_rate(data.train.y, data.validation.y, classes)
    if dense.accuracy > most_by_guessing(dense.samples, rate):
        return []
    right = round(dense.accuracy * dense.samples)
    return [
        f"the network is right on {right} of {dense.samples} validation samples, which cannot be told from guessing"
        f" ({rate:.1%}): is it trained, and are data and encoding those it was trained with? Without that, a change of"
        " accuracy means nothing"
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
