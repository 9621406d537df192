"""Right answers: whether a network can be told from a guesser, and what it lost against another network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, log, sqrt
from statistics import NormalDist
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

DENSE = "dense network"

GUESS_CONFIDENCE = 0.99
"""An accuracy counts as chance while a guesser reaches it or more in over 1 % of such samples."""

HARDLY_SKEWED = 1e-3
"""Below, a gamma distribution is a normal one."""

ROUNDING = 1e-9
"""Of shares of right answers, which are compared."""

POINTS = 100.0
"""Of a score of 1: an accuracy is lost in percentage points, R2 in hundredths."""

POINT_DIGITS = 9
"""After the point: far less than one answer of any number of samples, far more than what floats add."""

DROP_CONFIDENCE = 0.95
"""Of the two-sided interval of the accuracy that was lost."""


def points_lost(reference: float, score: float) -> float:
    """How many points a score lies below another's, free of what floats add: .98 less .95 is 3 points, to the bit."""
    return round(POINTS * (reference - score), POINT_DIGITS)


def guess_rate(train: Tensor, labels: Tensor, classes: int) -> float:
    """How often a guesser is right on `labels` `[N]` who knows the training labels `train` alone.

    He always names the class that is most frequent in training, or draws among `classes`,
    whichever is right more often.
    """
    frequent = train.bincount().argmax()
    return max(float((labels == frequent).double().mean()), 1 / classes)


def most_by_guessing(samples: int, rate: float) -> float:
    """The highest accuracy on so many samples that still counts as chance; right guesses are binomial."""
    from scipy import special  # most commands ask for neither

    chances = special.bdtr(np.arange(samples + 1), samples, rate)  # of at most so many right guesses
    return int(np.searchsorted(chances, GUESS_CONFIDENCE)) / samples


def most_by_shuffling(given: Tensor, labels: Tensor) -> float:
    """The highest accuracy that still counts as chance for one who gives these classes `[N]` to any of the samples.

    He answers as the network does, but looks at no sample: a network that always names one class is he. The number of
    right answers over all orders of the classes has the mean, variance and third moment of Hoeffding, A combinatorial
    central limit theorem, Ann. Math. Stat. 22(4), 1951. With few samples of all but one class it is far from normal:
    taken is the gamma distribution of these three (Pearson's type III), half an answer further out, as answers are
    whole.
    """
    count, classes = len(labels), int(max(given.max(), labels.max())) + 1
    named, held = (each.bincount(minlength=classes).double() / count for each in (given, labels))
    mean = float(named @ held)
    apart = torch.eye(classes, dtype=torch.float64, device=held.device) - held[:, None] - named[None] + mean
    variance = float(held @ apart.square() @ named) / max(count - 1, 1)
    third = float(held @ apart.pow(3) @ named) / max((count - 1) * (count - 2), 1)
    if not variance:
        return min(mean, 1.0)
    return min(mean + _reach(third / variance**1.5) * sqrt(variance) + 0.5 / count, 1.0)


def _reach(skewness: float) -> float:
    """How many standard deviations above its mean a gamma distribution of this skewness is exceeded in 1 of 100."""
    from scipy import special

    if abs(skewness) < HARDLY_SKEWED:
        return NormalDist().inv_cdf(GUESS_CONFIDENCE)
    shape = 4 / skewness**2
    within = GUESS_CONFIDENCE if skewness > 0 else 1 - GUESS_CONFIDENCE
    return float(special.gammaincinv(shape, within) - shape) * skewness / 2


@dataclass(frozen=True)
class Answers:
    """A network's answers beside those of the network that it is held against, on the same samples.

    Attributes:
        samples: how many.
        right: answers of the network that are right.
        lost: wrong answers of it where the other is right.
        gained: right answers of it where the other is wrong.
        guess_rate: how often a guesser is right.
        reference: what the other network is called.
        by_shuffling: see `most_by_shuffling`, of the network's answers.
        reference_by_shuffling: of the other one's.
        perfect_by_shuffling: of answers that are all right.
        points: what a hundredth of the score is called.

    """

    points: ClassVar[str] = "points"

    samples: int
    right: int
    lost: int
    gained: int
    guess_rate: float
    reference: str = DENSE
    by_shuffling: float = 0.0
    reference_by_shuffling: float = 0.0
    perfect_by_shuffling: float = 0.0

    @classmethod
    def between(cls, given: Tensor, reference: Tensor, labels: Tensor, guess_rate: float, name: str = DENSE) -> Answers:
        """Compare the classes `[N]` that two networks give, the other one called `name`, with the labels `[N]`.

        Of labels that are all the same, one who names them is always right, whatever the guess rate is.
        """
        ours, theirs = given == labels, reference == labels
        lost, gained = int((theirs & ~ours).sum()), int((ours & ~theirs).sum())
        rate = 1.0 if bool((labels == labels[0]).all()) else guess_rate
        shuffled = (most_by_shuffling(each, labels) for each in (given, reference, labels))
        return cls(len(labels), int(ours.sum()), lost, gained, rate, name, *shuffled)

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right / self.samples

    @property
    def accuracy_points(self) -> float:
        """Percentage of right answers; 952 of 1,000 are 95.2, to the bit."""
        return POINTS * self.right / self.samples

    @property
    def reference_accuracy(self) -> float:
        """Share of right answers of the other network."""
        return (self.right + self.lost - self.gained) / self.samples

    @property
    def of_reference(self) -> Answers:
        """The other network's answers, beside themselves."""
        right, by_shuffling = self.right + self.lost - self.gained, self.reference_by_shuffling
        return replace(self, right=right, lost=0, gained=0, by_shuffling=by_shuffling)

    @property
    def is_guessing(self) -> bool:
        """Whether the network cannot be told from a guesser."""
        return self.accuracy <= self.most_by_guessing + ROUNDING

    @property
    def most_by_guessing(self) -> float:
        """The highest accuracy that is still chance: of one who knows the training labels, or the network's answers."""
        return max(most_by_guessing(self.samples, self.guess_rate), self.by_shuffling)

    @property
    def fewest_to_tell(self) -> int | None:
        """How many samples it takes until all of them right is more than chance; None where no number does."""
        if self.guess_rate >= 1:
            return None
        return ceil(log(1 - GUESS_CONFIDENCE) / log(self.guess_rate) - 1e-9)

    @property
    def undecided(self) -> str:
        """Why it could not even be told that a perfect network works; empty where it could."""
        if max(most_by_guessing(self.samples, self.guess_rate), self.perfect_by_shuffling) < 1 - ROUNDING:
            return ""
        fewest = self.fewest_to_tell
        if fewest is None:
            return "all are of one class"
        return f"it takes {fewest} or more" if fewest > self.samples else "it takes more"

    @property
    def unsure(self) -> str:
        """Why a network that heeds its samples cannot be told to do better than a guesser; empty of others."""
        heeds = self.accuracy > max(self.guess_rate, self.by_shuffling) + ROUNDING
        if not heeds or not self.is_guessing:
            return ""
        most = round(self.most_by_guessing * self.samples)
        return (
            f"it is right on {self.right}, a guesser on {self.guess_rate * self.samples:.0f}, by chance on up to {most}"
        )

    @staticmethod
    def text(score: float) -> str:
        """A score in words."""
        return f"{score:.1%}"

    @property
    def told(self) -> str:
        """How it does, in words."""
        return f"it is right on {self.right} of {self.samples} test samples"

    @property
    def beside(self) -> str:
        """How both do, in words."""
        return (
            f"it is right on {self.accuracy:.1%} of test, where the {self.reference} is right on"
            f" {self.reference_accuracy:.1%}"
        )

    @property
    def drop_points(self) -> float:
        """Percentage points of accuracy that were lost."""
        return POINTS * (self.lost - self.gained) / self.samples

    @property
    def drop_interval_points(self) -> tuple[float, float]:
        """A paired 95 % interval of the points lost: the adjusted Wald interval.

        With p = (lost + 1) / (n + 2) and q = (gained + 1) / (n + 2):
        p - q -+ z sqrt((p + q - (p - q)^2) / (n + 2)). Source: Bonett and Price, Adjusted Wald
        confidence interval for a difference of binomial proportions based on paired data,
        J. Educ. Behav. Stat. 37(4), 2012.
        """
        count = self.samples + 2
        p, q = (self.lost + 1) / count, (self.gained + 1) / count
        half = NormalDist().inv_cdf(0.5 + DROP_CONFIDENCE / 2) * sqrt((p + q - (p - q) ** 2) / count)
        return POINTS * max(p - q - half, -1.0), POINTS * min(p - q + half, 1.0)
