"""Rounding that lets later weights make up for the error of earlier ones.

Of a target's weights one after the other is rounded, and its error is spread over those not
yet rounded, so that the sum over the inputs that really occur changes least. Source: Frantar
et al., "GPTQ", ICLR 2023, after Hassibi and Stork's optimal brain surgeon.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spear_deploy.backends.fixed_point.formats import Lattice
from spear_deploy.backends.fixed_point.products import EXACT_FLOAT32
from spear_deploy.backends.fixed_point.quantized import IntArray
from spear_deploy.network.linear import linear_module, padding_of, pair

Array = NDArray[np.float64]

DAMPING = 0.01
"""Added to the diagonal of the inputs' second moments, relative to its mean."""

ROWS = 20_000
"""Input vectors from which the second moments are taken."""

FRAMES = ROWS // 16
"""Frames of a convolution's source from which they are cut: neighbouring vectors of one frame are much alike."""

BLOCK = 1024
"""Inputs among which errors are handed on; of a neuron with more, each part keeps its own: linear work."""

COLUMNS = 64
"""Inputs after which the errors of rounding them reach those behind, all in one product."""

VALUES_AT_ONCE = 1 << 22
"""Values of input vectors that are held together."""


def input_factors(before: tuple[nir.NIRNode, ...], node: nir.NIRNode, source: Tensor) -> list[Array] | None:
    """What error feedback needs of the inputs: factors `[groups, inputs, inputs]` of every block of them.

    With the second moments H, the sum of x x^T over the vectors x that a weight node multiplies, each is
    the upper triangular U of inv(H + damping) = U^T U.

    Args:
        before: the nodes between source and weights.
        node: the weight node; None is returned for kinds that are not supported.
        source: what the source sent, `[T, B, *shape]`, whole numbers.

    """
    moments = second_moments(before, node, source)
    return None if moments is None else [np.stack([_factor(group) for group in block]) for block in moments]


def second_moments(before: tuple[nir.NIRNode, ...], node: nir.NIRNode, source: Tensor) -> list[Array] | None:
    """Sums of x x^T over the vectors x that a weight node multiplies, `[groups, inputs, inputs]` of each block."""
    found = _Vectors.of(before, node, source)
    if found is None:
        return None
    moments = [torch.zeros((found.groups, len(block), len(block)), dtype=torch.float64) for block in found.blocks]
    for rows in found:
        # Sums of products of whole numbers are exact in float32 while they stay below 2^24.
        small = float(rows.abs().max()) ** 2 * len(rows) < EXACT_FLOAT32
        exact = rows if small else rows.double()
        for total, block in zip(moments, found.blocks, strict=True):
            part = exact[:, :, block.start : block.stop].transpose(0, 1)
            total += part.transpose(1, 2) @ part
    return [total.numpy() for total in moments]


@dataclass(frozen=True)
class _Vectors:
    """The vectors that a weight node multiplies, evenly spread over frames and places, some at a time.

    Attributes:
        frames: what the source sent, `[T B, *shape]`.
        before: modules between source and weights.
        node: the weight node.
        groups: of a convolution.
        inputs: of one neuron.

    """

    frames: Tensor
    before: tuple[nn.Module, ...]
    node: nir.NIRNode
    groups: int
    inputs: int

    @classmethod
    def of(cls, before: tuple[nir.NIRNode, ...], node: nir.NIRNode, source: Tensor) -> _Vectors | None:
        frames, groups = source.flatten(0, 1), 1
        if isinstance(node, nir.Conv2d) and not isinstance(padding_of(node), str):
            groups, frames = int(node.groups), _spread(frames, FRAMES)
        elif not isinstance(node, nir.Linear | nir.Affine):
            return None
        modules = tuple(linear_module(step, "pool").requires_grad_(False) for step in before)
        return cls(frames, modules, node, groups, int(np.prod(node.weight.shape[1:])))

    @property
    def blocks(self) -> list[range]:
        count = -(-self.inputs // BLOCK)
        ends = [round(self.inputs * place / count) for place in range(count + 1)]
        return [range(start, end) for start, end in pairwise(ends)]

    def __iter__(self) -> Iterator[Tensor]:
        """Vectors `[N, groups, inputs]`, float32."""
        a_frame = self._vectors(self.frames[:1])
        each = len(a_frame)
        step = max(1, len(self.frames) * each // ROWS)
        at_once = max(1, VALUES_AT_ONCE // a_frame.numel())
        for start in range(0, len(self.frames), at_once):
            rows = self._vectors(self.frames[start : start + at_once])
            yield rows[-(start * each) % step :: step]

    def _vectors(self, frames: Tensor) -> Tensor:
        x = frames.float()
        for module in self.before:
            x = module(x)
        if not isinstance(self.node, nir.Conv2d):
            return x.flatten(0, -2)[:, None]
        patches = nn.functional.unfold(
            x,
            tuple(self.node.weight.shape[2:]),
            dilation=pair(self.node.dilation),
            padding=pair(self.node.padding),
            stride=pair(self.node.stride),
        )
        return patches.transpose(1, 2).flatten(0, 1).reshape(-1, self.groups, self.inputs)


def _spread(frames: Tensor, most: int) -> Tensor:
    """At most so many frames, from the first to the last."""
    if len(frames) <= most:
        return frames
    return frames[torch.linspace(0, len(frames) - 1, most, device=frames.device, dtype=torch.float64).round().long()]


def _factor(moment: Array) -> Array:
    damped = moment + np.eye(len(moment)) * (DAMPING * moment.diagonal().mean() + 1e-12)
    upper: Array = np.linalg.cholesky(np.linalg.inv(damped)).T
    return upper


def feedback_mantissas(scaled: Array, exponent: int, lattice: Lattice, factors: list[Array]) -> IntArray:
    """Mantissas of weights `[targets, ...]` that were multiplied by k, given the inputs' factors."""
    groups = len(factors[0])
    flat = scaled.reshape(groups, len(scaled) // groups, -1) / 2.0**exponent
    rounded = np.empty_like(flat)
    for group in range(groups):
        start = 0
        for block in factors:
            part = slice(start, start := start + block.shape[1])
            rounded[group, :, part] = _round_block(flat[group, :, part].T, lattice, block[group]).T
    return rounded.reshape(scaled.shape).astype(np.int64)


def _round_block(weights: Array, lattice: Lattice, upper: Array) -> Array:
    """Round weights `[inputs, targets]`, input after input; each one's error is made up for by those behind it."""
    left = np.clip(weights, lattice.low, lattice.high)  # what is clipped is given up, not spread
    rounded = np.empty_like(left)
    there = weights != 0  # a synapse that does not exist stays so
    for start in range(0, len(left), COLUMNS):
        end = min(start + COLUMNS, len(left))
        errors = np.empty_like(left[start:end])
        for row in range(start, end):
            held = np.rint(left[row] / lattice.step)
            held *= lattice.step
            held = np.clip(held, lattice.low, lattice.high) * there[row]
            rounded[row] = held
            errors[row - start] = error = (left[row] - held) / upper[row, row]
            left[row + 1 : end] -= np.outer(upper[row, row + 1 : end], error)
        left[end:] -= upper[start:end, end:].T @ errors
    return rounded
