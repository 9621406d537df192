"""What of the outputs of a network over time is looked at, and how that becomes a class."""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import Tensor

SINGLE_OUTPUT = "its single output says no or yes"
"""How the notice begins that says where the one turns into the other."""


class ReadOut(StrEnum):
    """What of a network's outputs over time is looked at.

    COUNT: the spikes, summed over time. MEMBRANE: the membranes (or the currents of a last layer
    without neurons), summed over time; their mean has the same largest. LAST: the membranes of
    the last time step alone. LARGEST: the largest that each membrane was in any time step.
    """

    COUNT = "count"
    MEMBRANE = "membrane"
    LAST = "last"
    LARGEST = "largest"


def class_scores(output: Tensor, read_out: ReadOut, population: int = 1) -> Tensor:
    """A number for each class `[B, classes]` from outputs `[T, B, *shape]`; the largest is the class.

    With `population` outputs a class, they follow each other (snnTorch's population code) and are
    added up. One class alone is yes or no; see `two_classes`.
    """
    scores = _total(output, read_out).flatten(1)
    scores = scores if population == 1 else scores.reshape(len(scores), -1, population).sum(2)
    return two_classes(scores, read_out, len(output) * population)


def _total(output: Tensor, read_out: ReadOut) -> Tensor:
    if read_out is ReadOut.LAST:
        return output[-1]
    if read_out is ReadOut.LARGEST:
        return output.amax(0)
    return output.sum(0, dtype=torch.float64) if output.dtype == torch.bool else output.sum(0)


def read_outputs(output: Tensor, read_out: ReadOut) -> Tensor:
    """What of outputs `[T, B, *shape]` is learned, `[B, outputs]`: mean over time, last step or largest."""
    if read_out is ReadOut.LARGEST:
        return output.amax(0).flatten(1)
    return (output[-1] if read_out is ReadOut.LAST else output.mean(0)).flatten(1)


def two_classes(scores: Tensor, read_out: ReadOut, most: float = 1.0) -> Tensor:
    """Scores `[B, classes]`; those of a single output `[B, 1]` as those of no (0) and yes (1), `[B, 2]`.

    Of a count that is at most `most`, yes is more than half of it; of a membrane, above zero (a logit).
    """
    if scores.shape[1] != 1:
        return scores
    no = most - scores if read_out is ReadOut.COUNT else torch.zeros_like(scores)
    return torch.cat([no, scores], 1)


def yes_in_words(read_out: ReadOut, most: int) -> str:
    """At which output `two_classes` says yes."""
    if read_out is ReadOut.COUNT:
        return (
            f"yes where it spikes more than {most / 2:g} times in {most}; a network whose yes begins at another count"
            " answers otherwise here"
        )
    return (
        f"yes where {_MEMBRANES[read_out]} is above 0, as a logit's; a network that was trained to another threshold,"
        " as to 0.5 by squared errors, answers otherwise here: train a logit, or take the threshold off the last bias"
    )


_MEMBRANES = {
    ReadOut.MEMBRANE: "the mean of its membrane over time",
    ReadOut.LAST: "its membrane in the last step",
    ReadOut.LARGEST: "the largest value of its membrane",
}
