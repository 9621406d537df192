"""A trained actor as plain arrays: what answers a state without the library that it was trained in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spear_deploy.errors import SearchError

Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Policy:
    """A network of dense layers: rectifiers between them, and at its end tanh, scaled to the keep ratios allowed.

    Attributes:
        weights: of each layer, `[outputs, inputs]`; the last one has a single output.
        biases: of each layer, `[outputs]`.
        lowest: the keep ratio that -1 stands for; 1 stands for 1.

    Raises:
        SearchError: the arrays are no such network.

    """

    weights: tuple[Weights, ...]
    biases: tuple[Weights, ...]
    lowest: float

    def __post_init__(self) -> None:
        shapes = [weight.shape for weight in self.weights]
        if not shapes or any(len(shape) != 2 for shape in shapes) or shapes[-1][0] != 1:
            raise SearchError(f"layers of an actor are matrices, the last one with one row, found {shapes}")
        chained = all(before[0] == after[1] for before, after in pairwise(shapes))
        if not chained or [bias.shape for bias in self.biases] != [shape[:1] for shape in shapes]:
            raise SearchError(f"layers of {shapes} do not follow each other, or their biases are of other shapes")
        if not all(np.isfinite(array).all() for array in (*self.weights, *self.biases)):
            raise SearchError("a weight of the actor is not finite")
        if not 0 < self.lowest < 1:
            raise SearchError(f"the lowest keep ratio lies between 0 and 1, found {self.lowest:g}")

    @property
    def inputs(self) -> int:
        """Entries of the state that it answers."""
        return int(self.weights[0].shape[1])

    def __call__(self, state: NDArray[np.float32]) -> float:
        """The keep ratio that it would execute in a state, `[inputs]`."""
        found = state.astype(np.float64)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            found = np.maximum(weight.astype(np.float64) @ found + bias, 0.0)
        answer = float(np.tanh(self.weights[-1].astype(np.float64) @ found + self.biases[-1]).item())
        return self.lowest + (answer + 1) / 2 * (1 - self.lowest)
