"""Rounding that lets later weights make up for the error of earlier ones.

Of a target's weights one after the other is rounded, and its error is spread over those not
yet rounded, so that the sum over the inputs that really occur changes least. Source: Frantar
et al., "GPTQ", ICLR 2023, after Hassibi and Stork's optimal brain surgeon.
"""

from __future__ import annotations

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.backends.fixed_point.formats import Lattice
from spear_deploy.backends.fixed_point.quantized import IntArray
from spear_deploy.network.linear import linear_module, padding_of, pair

Array = NDArray[np.float64]

DAMPING = 0.01
"""Added to the diagonal of the inputs' second moments, relative to its mean."""

ROWS = 20_000
"""Input vectors from which the second moments are taken."""


def second_moments(before: tuple[nir.NIRNode, ...], node: nir.NIRNode, source: Tensor) -> Array | None:
    """Sum of x x^T over the vectors x that a weight node multiplies, one matrix a group.

    Args:
        before: the nodes between source and weights.
        node: the weight node; None is returned for kinds that are not supported.
        source: what the source sent, `[T, B, *shape]`.

    """
    x = source.flatten(0, 1).double()
    with torch.no_grad():
        for step in before:
            x = linear_module(step, "pool", torch.float64)(x)
    if isinstance(node, nir.Linear | nir.Affine):
        rows = x.flatten(0, -2)[:, None]
    elif isinstance(node, nir.Conv2d) and not isinstance(padding_of(node), str):
        groups = int(node.groups)
        patches = torch.nn.functional.unfold(
            x[: max(1, ROWS // 16)],
            tuple(node.weight.shape[2:]),
            dilation=pair(node.dilation),
            padding=pair(node.padding),
            stride=pair(node.stride),
        )
        flat = patches.transpose(1, 2).flatten(0, 1)
        rows = flat.reshape(len(flat), groups, -1)
    else:
        return None
    rows = rows[:: max(1, len(rows) // ROWS)]
    moments: Array = torch.einsum("rgi,rgj->gij", rows, rows).numpy()
    return moments


def feedback_mantissas(scaled: Array, exponent: int, lattice: Lattice, moments: Array) -> IntArray:
    """Mantissas of weights `[targets, ...]` that were multiplied by k, given the inputs' moments."""
    groups = len(moments)
    flat = scaled.reshape(groups, len(scaled) // groups, -1) / 2.0**exponent
    rounded = np.stack([_round_group(part, lattice, moment) for part, moment in zip(flat, moments, strict=True)])
    return rounded.reshape(scaled.shape).astype(np.int64)


def _round_group(weights: Array, lattice: Lattice, moment: Array) -> Array:
    size = len(moment)
    damped = moment + np.eye(size) * (DAMPING * moment.diagonal().mean() + 1e-12)
    upper = np.linalg.cholesky(np.linalg.inv(damped)).T
    left = np.clip(weights, lattice.low, lattice.high)  # what is clipped is given up, not spread
    rounded = np.zeros_like(left)
    for column in range(size):
        value = left[:, column]
        held = np.clip(np.rint(value / lattice.step) * lattice.step, lattice.low, lattice.high)
        held[weights[:, column] == 0] = 0  # a synapse that does not exist stays so
        rounded[:, column] = held
        error = (value - held) / upper[column, column]
        left[:, column + 1 :] -= np.outer(error, upper[column, column + 1 :])
    return rounded
