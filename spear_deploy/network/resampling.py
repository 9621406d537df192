"""Positions of a map to positions of another, the same in every channel: a node that NIR does not have.

Padding of any kind, enlarging, the zeros between inputs of a transposed convolution, and pools whose windows
differ in size all are y[c] = rows x[c] columns^T. A NIR file holds a sum pool in its place that gives the same shape,
with both matrices in its metadata, from which our reader restores the node; `differences` tells, `portable` refuses.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spear_deploy.errors import ModelError

Matrix = NDArray[np.float64]

_KEYS = {"rows": "resample_rows", "columns": "resample_columns"}


@dataclass(eq=False)
class Resample(nir.NIRNode):
    """Sums of positions, `[C, H, W]` to `[C, H', W']`, or `[C, L]` to `[C, L']` with rows of 1 x 1.

        y[c] = rows x[c] columns^T

    Attributes:
        rows: weights of the rows, `[H', H]`.
        columns: weights of the columns, `[W', W]`.

    """

    rows: Matrix
    columns: Matrix

    def __post_init__(self) -> None:
        """Leave the shapes open, as nir's own pools do."""
        self.input_type = {"input": None}
        self.output_type = {"output": None}

    @property
    def factor(self) -> float | None:
        """The one weight of all that is not zero; None where there are several."""
        found = np.unique(np.multiply.outer(*(np.unique(each[each != 0]) for each in (self.rows, self.columns))))
        return float(found[0]) if len(found) == 1 else None

    @property
    def splits(self) -> bool:
        """Whether each position goes to one position at most."""
        return all(int((each != 0).sum(0).max(initial=0)) <= 1 for each in (self.rows, self.columns))

    @property
    def most(self) -> float:
        """The largest sum of absolute weights of a position."""
        return float(np.prod([np.abs(each).sum(1).max(initial=0) for each in (self.rows, self.columns)]))


class Resampling(nn.Module):
    """`Resample` in torch, on a batch `[N, C, H, W]` or `[N, C, L]`."""

    rows: Tensor
    columns: Tensor

    def __init__(self, rows: Tensor, columns: Tensor) -> None:
        super().__init__()
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply the columns and, of maps, the rows."""
        along = x @ self.columns.T
        return along if x.dim() == 3 else self.rows @ along

    def node(self) -> Resample:
        """The same as a node."""
        rows, columns = (each.detach().cpu().double().numpy() for each in (self.rows, self.columns))
        return Resample(rows, columns)


def resampling(node: Resample, dtype: torch.dtype) -> Resampling:
    """The torch module of a node."""
    rows, columns = (torch.as_tensor(np.array(each), dtype=dtype) for each in (node.rows, node.columns))
    return Resampling(rows, columns)


def routing(node: Resample) -> Resample:
    """The node with 1 for each weight that is not zero."""
    return Resample((node.rows != 0).astype(np.float64), (node.columns != 0).astype(np.float64))


def marked(node: nir.NIRNode, *, line: bool) -> nir.NIRNode:
    """The node as a NIR file holds it; of a line, nir takes the first of both windows."""
    if not isinstance(node, Resample):
        return node
    windows = [_window(*matrix.shape) for matrix in (node.rows, node.columns)]
    kernel, stride, margin = np.array(windows[::-1] if line else windows).T
    written = nir.SumPool2d(kernel_size=kernel, stride=stride, padding=margin)
    written.metadata = {**node.metadata, **{key: getattr(node, name) for name, key in _KEYS.items()}}
    return written


def _window(after: int, before: int) -> tuple[int, int, int]:
    """Size, stride and padding of windows of which there are as many as positions after."""
    margin = max(0, after - before + 1) // 2
    stride = max(1, before // after)
    return before + 2 * margin - (after - 1) * stride, stride, margin


def unmarked(node: nir.NIRNode, name: str) -> nir.NIRNode:
    """The node as it was before `marked`.

    Raises:
        ModelError: the metadata hold no matrices.

    """
    if not isinstance(node, nir.SumPool2d) or not set(_KEYS.values()) & set(node.metadata):
        return node
    matrices: dict[str, Any] = {}
    for field, key in _KEYS.items():
        held = np.asarray(node.metadata.get(key, 0.0))
        if held.ndim != 2 or held.dtype.kind not in "fiu":
            raise ModelError(f"{name}: metadata {key} must be a matrix of numbers")
        matrices[field] = held.astype(np.float64)
    found = Resample(**matrices)
    found.metadata = {key: copy(value) for key, value in node.metadata.items() if key not in _KEYS.values()}
    return found
