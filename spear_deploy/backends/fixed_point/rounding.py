"""Real numbers as the chip's integers: weights on a lattice, biases, decays."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from spear_deploy.backends.fixed_point.formats import Format, Lattice
from spear_deploy.backends.fixed_point.quantized import IntArray, Rounding
from spear_deploy.network.device import CPU

Array = NDArray[np.float64]

PIECE = 1 << 15
"""Weights that are rounded together: a quarter of a megabyte."""

WEIGHTS_OF_A_LATTICE = 512
MOST_STEPS_OF_THE_SMALLEST = 16
NEAR_A_POINT = 1e-6
"""So many weights tell whether all lie on a lattice, whose smallest may be so many steps, so near a point of it."""


def lattice_of(matrix: Array, chip: Format) -> Lattice:
    """The mantissas that the weights of a matrix can have."""
    lattice = chip.lattice(mixed=needs_sign(matrix, chip))
    if not chip.negative_alone and not (matrix > 0).any():  # the reader of a file may find a sign mode without -256
        return replace(lattice, low=max(lattice.low, -lattice.high))
    return lattice


def needs_sign(matrix: Array, chip: Format) -> bool:
    """Whether a matrix needs a bit for the sign."""
    return bool((matrix < 0).any() and (not chip.negative_alone or (matrix > 0).any()))


def mantissas(scaled: Array, exponent: int, lattice: Lattice) -> IntArray:
    """The nearest points of the lattice to values divided by 2^exponent."""
    rounded = np.rint(scaled / (2.0**exponent * lattice.step)) * lattice.step
    on_lattice: IntArray = np.clip(rounded, lattice.low, lattice.high).astype(np.int64)
    return on_lattice


def largest_exponent(scaled: Array, chip: Format) -> int:
    """The smallest exponent at which nothing is clipped."""
    return _exponent(float(np.abs(scaled).max(initial=0.0)), chip, lattice_of(scaled, chip))


def best_exponent(matrix: Array, scale: float, chip: Format) -> int:
    """The exponent of `scale * matrix` that clips nothing, or the one below it when clipping loses less."""
    return _Measured(matrix, chip).best(scale)[0]


def best_scale(matrices: list[Array], limit: float, chip: Format, clips: Iterable[float]) -> float:
    """The k up to `limit` at which rounding `k * matrix` loses least, over all matrices.

    Tried are the scales that place the largest weight of a matrix at a share `clip` of the
    largest mantissa, times the power of two that comes nearest to the limit; and that of the
    lattice of weights that lie on one already.
    """
    matrices = [matrix for matrix in matrices if matrix.any()]
    if not matrices:
        return 2.0 ** math.floor(math.log2(limit))
    measured = [_Measured(matrix, chip) for matrix in matrices]
    tops = [each.lattice.high / each.largest for each in measured]
    highest = min(tops) * 2.0**chip.weight_exponent_max
    clips = tuple(clips)
    positions = [top * clip for top in tops for clip in clips]
    positions += [each.lattice.step / _unit(matrix) for each, matrix in zip(measured, matrices, strict=True)]
    scales = {position * 2.0 ** math.floor(math.log2(limit / position)) for position in positions}
    allowed = {scale if scale <= 1.2 * highest else highest for scale in scales}
    return min(allowed, key=lambda scale: (sum(each.best(scale)[1] for each in measured), -scale))


def _unit(matrix: Array) -> float:
    """What all weights are multiples of, as far as a few tell; the smallest of them where nothing is.

    Of weights on a lattice the smallest need not be one step: a training may have left none there.
    """
    present = np.abs(matrix[matrix != 0])
    least, few = float(present.min()), present[:WEIGHTS_OF_A_LATTICE]
    for steps in range(1, MOST_STEPS_OF_THE_SMALLEST + 1):
        multiples = few * (steps / least)
        if bool((np.abs(multiples - np.rint(multiples)) < NEAR_A_POINT * np.maximum(multiples, 1)).all()):
            return least / steps
    return least


class _Measured:
    """A matrix whose rounding error is asked for at many scales: looked at in pieces that stay in a core's cache."""

    def __init__(self, matrix: Array, chip: Format) -> None:
        self.values, self.chip = torch.as_tensor(matrix, dtype=torch.float64, device=CPU).flatten(), chip
        self.lattice = lattice_of(matrix, chip)
        self.largest = float(np.abs(matrix).max(initial=0.0))
        self.size = float(self.values @ self.values)
        self.room, self.rest = (torch.empty(min(PIECE, len(self.values)), dtype=torch.float64) for _ in range(2))

    def best(self, scale: float) -> tuple[int, float]:
        """The exponent at a scale, and the squared error of all weights there, relative to the matrix' own size."""
        exponent = _exponent(self.largest * scale, self.chip, self.lattice)
        tried = (exponent,) if exponent <= self.chip.weight_exponent_min else (exponent, exponent - 1)
        losses = {each: self._squared_error(scale, each) for each in tried}
        least = min(tried, key=lambda each: losses[each])
        return least, losses[least] / self.size if self.size else 0.0

    def _squared_error(self, scale: float, exponent: int) -> float:
        unit = 2.0**exponent * self.lattice.step  # a power of two: dividing by it is exact
        low, high = self.lattice.low / self.lattice.step, self.lattice.high / self.lattice.step
        total = 0.0
        for piece in torch.split(self.values, PIECE):
            scaled = torch.mul(piece, scale, out=self.room[: len(piece)]).mul_(1 / unit)
            rest = torch.round(scaled, out=self.rest[: len(piece)]).clamp_(low, high).sub_(scaled)
            total += float(rest @ rest)
        return total * (unit / scale) ** 2


def rounding_of(values: Array, held: IntArray, exponent: int, scale: float, chip: Format) -> Rounding:
    """What was lost when weights became mantissas."""
    lattice = lattice_of(values, chip)
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    error = np.abs(values - held * 2.0**exponent / scale)
    present = values != 0
    unit = 2.0**exponent / scale
    low, high = ((end + sign * lattice.step / 2) * unit for end, sign in ((lattice.low, -1), (lattice.high, 1)))
    return Rounding(
        worst=float(error.max(initial=0.0)) / largest,
        mean=float(error[present].mean()) / largest if present.any() else 0.0,
        clipped=int(((values < low) | (values > high)).sum()),
        vanished=int((present & (held == 0)).sum()),
        weights=int(present.sum()),
    )


def membrane_bias(scaled: Array, chip: Format) -> tuple[IntArray, IntArray]:
    """Biases as mantissa * 2^exponent, and the exponents: the smallest that holds each."""
    exponents = np.full(scaled.shape, chip.bias_exponent_min, dtype=np.int64)
    for exponent in range(chip.bias_exponent_min + 1, chip.bias_exponent_max + 1):
        exponents[np.abs(np.rint(scaled / 2.0 ** (exponent - 1))) > chip.bias_mantissa_max] = exponent
    found = np.clip(np.rint(scaled / 2.0**exponents), -chip.bias_mantissa_max, chip.bias_mantissa_max)
    return (found * 2.0**exponents).astype(np.int64), exponents


def axon_bias(scaled: Array, chip: Format) -> tuple[IntArray, int]:
    """Biases as weights of an axon that is always on, of the chip's full width, and their exponent.

    The exponent is never so small that shifting would round down.
    """
    lattice = lattice_of(scaled, chip)
    finest = -int(math.log2(lattice.step))
    exponent = max(_exponent(float(np.abs(scaled).max()), chip, lattice), finest)
    return mantissas(scaled, exponent, lattice), exponent


def decay(keep: Array | None, shape: tuple[int, ...], chip: Format, *, offset: int) -> IntArray:
    """The d of a state that keeps the share `keep` of its value each step; None keeps nothing."""
    most = chip.unity - 1
    if keep is None:
        return np.full(shape, most, dtype=np.int64)
    decays: IntArray = np.clip(np.rint((1 - keep) * chip.unity) - offset, 0, most).astype(np.int64)
    return decays


def too_slow(keep: Array, chip: Format) -> NDArray[np.bool_]:
    """Where a state loses something in a step, and less than half of the chip's finest decay."""
    slow: NDArray[np.bool_] = (keep < 1) & (1 - keep < 0.5 / chip.unity)
    return slow


def _exponent(largest: float, chip: Format, lattice: Lattice) -> int:
    if largest == 0:
        return 0
    exponent = math.ceil(math.log2(largest / lattice.high) - 1e-12)
    return min(max(exponent, chip.weight_exponent_min), chip.weight_exponent_max)
