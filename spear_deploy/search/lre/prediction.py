"""What an estimator says: a value with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

CONFIDENCE = 0.95
"""Of every interval."""


@dataclass(frozen=True)
class Prediction:
    """Predicted SynOps per inference with a 95 % prediction interval."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the width of the interval, relative to the value."""
        return (self.high - self.low) / 2 / self.value if self.value else 0.0

    def scaled(self, factor: float) -> Prediction:
        """The same prediction in another measure, say for a subset of the images."""
        return Prediction(self.value * factor, self.low * factor, self.high * factor)

    @property
    def inverted(self) -> Prediction:
        """The prediction of one over it."""
        return Prediction(*(1 / each if each else math.inf for each in (self.value, self.high, self.low)))

    def capped(self, most: float) -> Prediction:
        """The same where no network of this structure can have more than `most`."""
        return Prediction(min(self.value, most), min(self.low, most), min(self.high, most))

    def widened(self, relative_error: float) -> Prediction:
        """With a further, independent standard error (relative), as of a finite set of images."""
        quantile = float(special.ndtri(0.5 + CONFIDENCE / 2))
        extra = quantile * relative_error * self.value
        low = self.value - float(np.hypot(self.value - self.low, extra))
        return Prediction(self.value, max(low, 0.0), self.value + float(np.hypot(self.high - self.value, extra)))


def t_quantile(freedom: float) -> float:
    """Student's t for a two-sided interval of `CONFIDENCE`."""
    return float(special.stdtrit(freedom, 0.5 + CONFIDENCE / 2))
