"""Values that a regression tells: how near they are, and whether that is more than guessing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import ClassVar

import torch
from torch import Tensor

from spear_deploy.measure.answers import DENSE, DROP_CONFIDENCE, GUESS_CONFIDENCE, POINTS


def r2(told: Tensor, wanted: Tensor, *, alike: bool = False) -> float:
    """The coefficient of determination of values `[N, K]`, the mean over the K outputs, as scikit-learn has it.

    Of outputs that are `alike`, in one unit, it is scikit-learn's with `variance_weighted`, but that errors of outputs
    that never change count. 1 is right to the last bit, 0 as good as the mean of `wanted`, below 0 worse than that.
    """
    return 1.0 - float(squared_errors(told, wanted, alike=alike).mean())


def squared_errors(told: Tensor, wanted: Tensor, *, alike: bool = False) -> Tensor:
    """Squared errors `[N]` in units of the variance of `wanted`, the mean over the K outputs of `[N, K]`.

    Each output has its own variance, or where they are `alike` the mean of all. Their mean is 1 - R2. Of an output
    whose wanted values are all the same, the error is 0 where it is right on all, else 1, as in scikit-learn.
    """
    wanted = wanted.double()
    squared = (told.double() - wanted).square()
    constant = (squared.sum(0) > 0).double().expand_as(squared)
    return _in_variances(squared, wanted, constant, alike=alike).mean(1)


def over_by_shuffling(told: Tensor, wanted: Tensor, *, alike: bool = False) -> float:
    """How much above its own R2 that lies which counts as chance for one who tells these values `[N, K]` of any sample.

    He tells what the network does, but looks at no sample: one who always tells the same is he. R2 over all orders of
    the values has the mean and variance of Hoeffding, A combinatorial central limit theorem, Ann. Math. Stat. 22(4),
    1951. No tail of the labels makes a good network look like him, as it does where squared errors are compared.
    """
    told, wanted = (each.double() - each.double().mean(0) for each in (told, wanted))
    centred = _in_variances(wanted, wanted, torch.zeros_like(wanted), alike=alike)
    count = len(wanted)
    apart = float((told * centred).mean(1).sum())
    few_outputs = told.shape[1] < count  # the sum over all pairs of samples of their squared products, either way
    products = (told.T @ told) * (centred.T @ centred) if few_outputs else (told @ centred.T).square()
    deviation = math.sqrt(float(products.sum()) / max(count - 1, 1)) / told.shape[1]
    return 2 * (NormalDist().inv_cdf(GUESS_CONFIDENCE) * deviation - apart) / count


def _in_variances(values: Tensor, wanted: Tensor, constant: Tensor, *, alike: bool) -> Tensor:
    """Values `[N, K]` over the variance of each wanted output, or of all; what is `constant` where there is none."""
    variance = (wanted - wanted.mean(0)).square().mean(0)
    variance = variance.mean().expand_as(variance) if alike else variance
    return torch.where(variance > 0, values / variance.clamp(min=torch.finfo(torch.float64).tiny), constant)


@dataclass(frozen=True, eq=False)
class Values:
    """The values that a network tells beside those of the network that it is held against, on the same samples.

    Attributes:
        errors: of the network, see `squared_errors`, `[N]`.
        reference_errors: of the other network.
        by_shuffling: see `over_by_shuffling`, of the network's values.
        reference_by_shuffling: of the other one's.
        perfect_by_shuffling: of those that are wanted.
        reference: what the other network is called.
        points: what a hundredth of the score is called.

    """

    points: ClassVar[str] = "hundredths"

    errors: Tensor
    reference_errors: Tensor
    by_shuffling: float
    reference_by_shuffling: float
    perfect_by_shuffling: float
    reference: str = DENSE

    @classmethod
    def between(
        cls,
        told: Tensor,
        reference: Tensor,
        wanted: Tensor,
        name: str = DENSE,
        *,
        alike: bool = False,
    ) -> Values:
        """Compare the values `[N, K]` of two networks, the other one called `name`, with those wanted.

        `alike` is as `squared_errors` has it.
        """
        own, other = (squared_errors(each, wanted, alike=alike) for each in (told, reference))
        ours, theirs, perfect = (over_by_shuffling(each, wanted, alike=alike) for each in (told, reference, wanted))
        return cls(own, other, ours, theirs, perfect, name)

    @property
    def samples(self) -> int:
        """How many there are."""
        return len(self.errors)

    @property
    def accuracy(self) -> float:
        """R2."""
        return 1.0 - float(self.errors.mean())

    @property
    def accuracy_points(self) -> float:
        """Hundredths of R2."""
        return POINTS * self.accuracy

    @property
    def reference_accuracy(self) -> float:
        """R2 of the other network."""
        return 1.0 - float(self.reference_errors.mean())

    @property
    def of_reference(self) -> Values:
        """The other network's values, beside themselves."""
        return replace(self, errors=self.reference_errors, by_shuffling=self.reference_by_shuffling)

    @property
    def is_guessing(self) -> bool:
        """Whether the network cannot be told from a guesser: one who tells a mean, or its own values in any order."""
        return self.accuracy <= self.most_by_guessing

    @property
    def most_by_guessing(self) -> float:
        """The highest R2 that still counts as chance."""
        return min(max(self.accuracy + self.by_shuffling, 0.0), 1.0)

    @property
    def undecided(self) -> str:
        """Why it could not even be told that a perfect network works; empty where it could."""
        if self.perfect_by_shuffling < 0:
            return ""
        return "it takes more" if self.perfect_by_shuffling > 0 else "each value is the same in all of them"

    @property
    def unsure(self) -> str:
        """Empty: values that are told better than by any guesser are so surely, or are not."""
        return ""

    @property
    def drop_points(self) -> float:
        """Hundredths of R2 that were lost."""
        return POINTS * float((self.errors - self.reference_errors).mean())

    @property
    def drop_interval_points(self) -> tuple[float, float]:
        """A paired 95 % interval of the points lost: Student's, of the mean difference of squared errors."""
        low, high = _interval(self.errors - self.reference_errors, DROP_CONFIDENCE)
        return POINTS * low, POINTS * high

    @staticmethod
    def text(score: float) -> str:
        """A score in words."""
        return f"{score:.3f}"

    @property
    def told(self) -> str:
        """How it does, in words."""
        return f"its R2 on {self.samples} test samples is {self.accuracy:.3f}"

    @property
    def beside(self) -> str:
        """How both do, in words."""
        other = f"that of the {self.reference} is {self.reference_accuracy:.3f}"
        return f"its R2 on test is {self.accuracy:.3f}, where {other}"


def _interval(differences: Tensor, confidence: float) -> tuple[float, float]:
    """Student's interval of a mean; without end where there are fewer than two samples."""
    from scipy import special  # most commands ask for no answers

    count, mean = len(differences), float(differences.mean())
    if count < 2:
        return -torch.inf, torch.inf
    half = float(special.stdtrit(count - 1, 0.5 + confidence / 2)) * float(differences.std()) / count**0.5
    return mean - half, mean + half
