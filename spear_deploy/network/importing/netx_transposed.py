"""Blocks of a netx file that enlarge a map: `convT` and `unpool`, as what NIR has: zeros between, then a convolution.

lava-dl's slayer writes both, and its netx runs neither ("not implemented"), so that they are read and not written.
Source: lava-dl, slayer/block/base.py (AbstractConvT, AbstractUnpool), whose weights are torch's,
`[in, out / groups, h, w]`.
"""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spear_deploy.errors import ModelError
from spear_deploy.network.importing.rewriting import spread, turned
from spear_deploy.network.resampling import Resample

Shape = tuple[int, ...]

LARGEST_SIDE = 1 << 14
"""Of a map: a file that claims more is damaged, and would fill the memory."""


def enlarging(
    name: str,
    weight: NDArray[Any],
    bias: NDArray[Any],
    shape: Shape,
    target: Shape,
    *,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> tuple[Resample, nir.Conv2d]:
    """The two nodes of a transposed convolution from a map `[C, H, W]` to `target`, `[C', H', W']`.

    Args:
        name: of the block, for messages.
        weight: `[in, out / groups, h, w]`.
        bias: `[out]`.
        shape: of the map before it.
        target: of the map behind it, which says how many rows and columns are added at the end.
        stride: by axis.
        padding: by axis.
        dilation: by axis.
        groups: of channels.

    Raises:
        ModelError: the sizes do not suit each other.

    """
    if len(shape) != 3 or len(target) != 3:
        raise ModelError(f"{name}: leads from a map to a map, found {shape} and {target}")
    inputs, outputs = weight.shape[0], weight.shape[1] * groups
    if inputs != shape[0] or outputs != target[0] or groups < 1 or inputs % groups:
        raise ModelError(f"{name}: has weights from {inputs} to {outputs} channels, found {shape[0]} and {target[0]}")
    added = []
    for axis in (0, 1):
        reach = dilation[axis] * (weight.shape[2 + axis] - 1) + 1
        least = (shape[1 + axis] - 1) * stride[axis] - 2 * padding[axis] + reach
        added.append(target[1 + axis] - least)
        most = max(stride[axis], dilation[axis])
        if not (0 <= added[axis] < most and 1 <= target[1 + axis] <= LARGEST_SIDE):
            raise ModelError(
                f"{name}: gives {least} to {least + most - 1} rows or columns of {shape[1 + axis]}, the file says"
                f" {target[1 + axis]}"
            )
    module = nn.ConvTranspose2d(
        inputs,
        outputs,
        (weight.shape[2], weight.shape[3]),
        stride,
        padding,
        (added[0], added[1]),
        groups=groups,
        bias=False,
        dilation=dilation,
        device="meta",
    )
    module.weight = nn.Parameter(torch.from_numpy(np.ascontiguousarray(weight)), requires_grad=False)
    between, plain = spread(module, shape).node(), turned(module)
    taken = (between.rows.shape[0], between.columns.shape[0])
    kernel = plain.weight.detach().numpy()
    return between, nir.Conv2d(taken, kernel, 1, (0, 0), dilation, groups, bias)
