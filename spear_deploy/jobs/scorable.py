"""Whether the values of some samples leave anything to score."""

from __future__ import annotations

from torch import Tensor

from spear_deploy.data import Labels, SplitName
from spear_deploy.network import Objective
from spear_deploy.network.objective import RECONSTRUCTION
from spear_deploy.search.bounds import FEWEST

_ALIKE = "; where outputs are values of one unit, as an image's, say `objective='reconstruction'`"

SHOWN = "an R2 that is shown counts it as 0, or as 1 where all is told exactly"
"""What a score is all the same, where samples are run that there is none of."""


def no_score(name: SplitName, y: Tensor, labels: Labels, objective: Objective) -> str:
    """Why there is no R2 of the labels `[N, K]` of a split; empty where there is one, and of classes."""
    if not y.is_floating_point():
        return ""
    if len(y) < FEWEST:
        return f"{len(y)} {name} sample is too few to score values on"
    same = (y == y[0]).all(0).nonzero().flatten().tolist()
    alike = objective.kind == RECONSTRUCTION  # one that changes says what all are worth
    if not same or (alike and len(same) < y.shape[1]):
        return ""
    said = "labels" if labels is Labels.DATA else "values of the network, which stand for labels,"
    which = f" of output {same[0]}" if y.shape[1] > 1 else ""
    return (
        f"{said}{which} are {float(y[0, same[0]]):g} for all {len(y)} {name} samples: there is nothing to tell apart,"
        f" and no R2{'' if alike or not which else _ALIKE}"
    )
