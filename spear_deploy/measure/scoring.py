"""How answers are scored, by what a network answers: classes or values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from spear_deploy.measure.answers import Answers, guess_rate, most_by_guessing
from spear_deploy.measure.values import Values, r2
from spear_deploy.network.objective import CLASSIFICATION, RECONSTRUCTION, REGRESSION

Compared = Answers | Values
"""A network's answers beside another's."""


@dataclass(frozen=True)
class Scoring:
    """What an objective's answers are worth; a better score is a larger one, and 1 the best.

    Attributes:
        name: what the score is called.
        score: of answers, held against the labels.
        text: of a score.
        points: what a hundredth of it is called.
        chance: the highest score that still counts as chance, from the training labels, those that are answered, and
            the number of classes; of values it is that of always telling the mean.
        between: compares answers with another network's; then labels, training labels, the number of classes, and what
            the other network is called.

    """

    name: str
    score: Callable[[Tensor, Tensor], float]
    text: Callable[[float], str]
    points: str
    chance: Callable[[Tensor, Tensor, int], float]
    between: Callable[[Tensor, Tensor, Tensor, Tensor, int, str], Compared]


def share_right(predicted: Tensor, labels: Tensor) -> float:
    """The share of classes `[N]` that are right."""
    return float((predicted == labels).double().mean())


def _percent(score: float) -> str:
    return f"{score:.2%}"


def _number(score: float) -> str:
    return f"{score:.4f}"


def _chance_of_classes(train: Tensor, labels: Tensor, classes: int) -> float:
    return most_by_guessing(len(labels), guess_rate(train, labels, classes))


def _chance_of_values(train: Tensor, labels: Tensor, classes: int) -> float:
    return 0.0


def _classes(given: Tensor, reference: Tensor, labels: Tensor, train: Tensor, classes: int, name: str) -> Answers:
    return Answers.between(given, reference, labels, guess_rate(train, labels, classes), name)


def _values(
    given: Tensor, reference: Tensor, labels: Tensor, train: Tensor, classes: int, name: str, *, alike: bool = False
) -> Values:
    return Values.between(given, reference, labels, name, alike=alike)


SCORINGS: Mapping[str, Scoring] = {
    CLASSIFICATION: Scoring("accuracy", share_right, _percent, Answers.points, _chance_of_classes, _classes),
    REGRESSION: Scoring("R2", r2, _number, Values.points, _chance_of_values, _values),
    RECONSTRUCTION: Scoring(
        "R2",
        partial(r2, alike=True),
        _number,
        Values.points,
        _chance_of_values,
        partial(_values, alike=True),
    ),
}
"""By the kind of a model's objective."""
