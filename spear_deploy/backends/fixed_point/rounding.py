"""Real numbers as the chip's integers: weights on a lattice, biases, decays."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from spear_deploy.backends.fixed_point.formats import Format, Lattice
from spear_deploy.backends.fixed_point.quantized import IntArray, Rounding

Array = NDArray[np.float64]

WEIGHTS_OF_A_LATTICE = 512
MOST_STEPS_OF_THE_SMALLEST = 16
NEAR_A_POINT = 1e-6
"""So many weights tell whether all lie on a lattice, whose smallest may be so many steps, so near a point of it."""


def lattice_of(matrix: Array, chip: Format) -> Lattice:
    """The mantissas that the weights of a matrix can have."""
    return chip.lattice(mixed=has_both_signs(matrix))


def has_both_signs(matrix: Array) -> bool:
    """Whether a matrix needs a bit for the sign."""
    return bool((matrix > 0).any() and (matrix < 0).any())


def mantissas(scaled: Array, exponent: int, lattice: Lattice) -> IntArray:
    """The nearest points of the lattice to values divided by 2^exponent."""
    rounded = np.rint(scaled / (2.0**exponent * lattice.step)) * lattice.step
    on_lattice: IntArray = np.clip(rounded, lattice.low, lattice.high).astype(np.int64)
    return on_lattice


def largest_exponent(scaled: Array, chip: Format) -> int:
    """The smallest exponent at which nothing is clipped."""
    return _exponent(float(np.abs(scaled).max(initial=0.0)), chip, lattice_of(scaled, chip))


def best_exponent(scaled: Array, chip: Format) -> int:
    """The exponent that clips nothing, or the one below it when clipping loses less."""
    exponent = largest_exponent(scaled, chip)
    if exponent <= chip.weight_exponent_min:
        return exponent
    lattice = lattice_of(scaled, chip)

    def loss(candidate: int) -> float:
        back = mantissas(scaled, candidate, lattice) * 2.0**candidate
        return float(((scaled - back) ** 2).sum())

    return min((exponent, exponent - 1), key=loss)


def best_scale(matrices: list[Array], limit: float, chip: Format, clips: Iterable[float]) -> float:
    """The k up to `limit` at which rounding `k * matrix` loses least, over all matrices.

    Tried are the scales that place the largest weight of a matrix at a share `clip` of the
    largest mantissa, times the power of two that comes nearest to the limit; and that of the
    lattice of weights that lie on one already.
    """
    matrices = [matrix for matrix in matrices if matrix.any()]
    if not matrices:
        return 2.0 ** math.floor(math.log2(limit))
    tops = [lattice_of(matrix, chip).high / float(np.abs(matrix).max()) for matrix in matrices]
    highest = min(tops) * 2.0**chip.weight_exponent_max
    clips = tuple(clips)
    positions = [top * clip for top in tops for clip in clips]
    positions += [lattice_of(matrix, chip).step / _unit(matrix) for matrix in matrices]
    scales = {position * 2.0 ** math.floor(math.log2(limit / position)) for position in positions}
    allowed = {scale if scale <= 1.2 * highest else highest for scale in scales}
    return min(allowed, key=lambda scale: (_weight_error(matrices, scale, chip), -scale))


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


def _weight_error(matrices: list[Array], scale: float, chip: Format) -> float:
    """Squared error of all weights, each matrix relative to its own size."""
    total = 0.0
    for matrix in matrices:
        exponent = best_exponent(matrix * scale, chip)
        back = mantissas(matrix * scale, exponent, lattice_of(matrix, chip)) * 2.0**exponent / scale
        total += float(((matrix - back) ** 2).sum() / (matrix**2).sum())
    return total


def rounding_of(values: Array, held: IntArray, exponent: int, scale: float, chip: Format) -> Rounding:
    """What was lost when weights became mantissas."""
    lattice = lattice_of(values, chip)
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    error = np.abs(values - held * 2.0**exponent / scale)
    present = values != 0
    edge = (lattice.high + lattice.step / 2) * 2.0**exponent / scale
    return Rounding(
        worst=float(error.max(initial=0.0)) / largest,
        mean=float(error[present].mean()) / largest if present.any() else 0.0,
        clipped=int((np.abs(values) > edge).sum()),
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
