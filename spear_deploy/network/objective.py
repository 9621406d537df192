"""What a network answers, as a model file names it: `classification`, `regression:scale=8`, `reconstruction`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import ClassVar

from torch import Tensor

from spear_deploy.errors import ModelError, quoted
from spear_deploy.network.read_out import ReadOut, class_scores, read_outputs

CLASSIFICATION = "classification"
REGRESSION = "regression"
RECONSTRUCTION = "reconstruction"

KINDS = (CLASSIFICATION, REGRESSION, RECONSTRUCTION)
"""Names of all objectives."""


class Objective(str):
    """What a network answers to a sample: a class, or values.

    CLASSIFICATION: the class of the largest output. REGRESSION: a value for each output (or each population of
    outputs), which is what the read-out leaves of time, times a scale:

        value = scale * mean over time of the output         (read-out last: its last step; largest: its largest)

    RECONSTRUCTION: the same of values of one unit, as an image has, whose errors are held against the variance of all
    of them together, not each against its own: some places of images never change. A network that was trained on
    sums over its T steps has `regression:scale=T`. It is the text that names it. A scale of 1 that is named stays in
    it, as what is asked of a file; without one, the file's stays. A model's objective does not name it.

    Raises:
        ModelError: no such objective, or a scale that is not above 0.

    """

    __slots__ = ()

    CLASSIFICATION: ClassVar[Objective]
    REGRESSION: ClassVar[Objective]
    RECONSTRUCTION: ClassVar[Objective]

    def __new__(cls, text: str) -> Objective:
        """Read `name` or `regression:scale=number`."""
        kind, scale = _read(text)
        return super().__new__(cls, f"{kind}:scale={scale!r}".removesuffix(".0") if ":" in text else kind)

    @property
    def kind(self) -> str:
        """Its name, without the scale."""
        return self.partition(":")[0]

    @property
    def scale(self) -> float:
        """What the read-out of a regression is multiplied by."""
        return _read(self)[1]

    @property
    def names_scale(self) -> bool:
        """Whether its text holds a scale, be it 1."""
        return self != self.kind

    @property
    def shortest(self) -> Objective:
        """The same without a scale that changes nothing: two of these that mean the same are equal."""
        return Objective(self.kind) if self.scale == 1 else self

    def over(self, held: Objective) -> Objective:
        """What is asked of a file that holds another: where it names no scale, with the one that the file names."""
        if self.names_scale or self.tells_classes or not held.names_scale:
            return self
        return Objective(f"{self.kind}:scale={held.scale!r}")

    @property
    def tells_classes(self) -> bool:
        """Whether answers are classes, not values."""
        return self.kind == CLASSIFICATION

    def answers(self, output: Tensor, read_out: ReadOut, population: int = 1) -> Tensor:
        """From outputs `[T, B, *shape]` to classes `[B]`, or to values `[B, K]` in float64."""
        return _ANSWERS[self.kind](output, read_out, population, self.scale)


def doubt(objective: Objective, held: tuple[int, str], used: tuple[int, str]) -> tuple[str, ...]:
    """A line where a scale stays a file's, and what it multiplies is not what the file says.

    Args:
        objective: of the file, used otherwise.
        held: time steps and read-out, as the file says.
        used: the same, as it is used.

    """
    if objective.scale == 1 or held == used:
        return ()
    (steps, read_out), (now, read_now) = held, used
    of_sums = steps != now and read_out == read_now and read_out in (ReadOut.MEMBRANE, ReadOut.COUNT)
    other = f"{objective.kind}:scale={objective.scale * now / steps if of_sums else '...'}".removesuffix(".0")
    return (
        f"the file's scale of {objective.scale:g} stays: the file says it of {steps} time steps and read-out"
        f" '{read_out}', not of {now} and '{read_now}';{' of a sum over time it is' if of_sums else ''}"
        f" `objective='{other}'`{'' if of_sums else ' names another'}",
    )


def values_of(output: Tensor, read_out: ReadOut, population: int = 1, scale: float = 1.0) -> Tensor:
    """The values `[B, K]` that outputs `[T, B, *shape]` stand for; of a population the mean."""
    found = read_outputs(output, read_out)
    found = found if population == 1 else found.reshape(len(found), -1, population).mean(2)
    return found * scale


def _values(output: Tensor, read_out: ReadOut, population: int, scale: float) -> Tensor:
    return values_of(output.double(), read_out, population, scale)


def _class(output: Tensor, read_out: ReadOut, population: int, scale: float) -> Tensor:
    return class_scores(output, read_out, population).argmax(1)


_ANSWERS: Mapping[str, Callable[[Tensor, ReadOut, int, float], Tensor]] = {
    CLASSIFICATION: _class,
    REGRESSION: _values,
    RECONSTRUCTION: _values,
}


def _read(text: str) -> tuple[str, float]:
    if not isinstance(text, str):
        raise ModelError(f"an objective is a text, found {type(text).__name__}")
    kind, colon, given = text.partition(":")
    if kind not in KINDS:
        raise ModelError(f"{quoted(text)}: no such objective; known: {', '.join(KINDS)}")
    if not colon:
        return kind, 1.0
    key, _, value = (part.strip() for part in given.partition("="))
    if kind == CLASSIFICATION or key != "scale":
        known = "has no settings" if kind == CLASSIFICATION else "has the setting scale"
        raise ModelError(f"objective {kind} {known}, found {quoted(given)}")
    try:
        scale = float(value)
    except ValueError:
        scale = math.nan
    if not 0 < scale < math.inf:
        raise ModelError(f"objective {kind}: scale is a number above 0, found {quoted(value)}")
    return kind, scale


Objective.CLASSIFICATION = Objective(CLASSIFICATION)
Objective.REGRESSION = Objective(REGRESSION)
Objective.RECONSTRUCTION = Objective(RECONSTRUCTION)
