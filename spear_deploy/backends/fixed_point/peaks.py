"""How far a membrane went before its reset, from the states that a run leaves."""

from __future__ import annotations

import torch
from torch import Tensor

from spear_deploy.backends.fixed_point.formats import Format
from spear_deploy.backends.fixed_point.quantized import QuantizedLayer


def membrane_peaks(layer: QuantizedLayer, chip: Format, u: Tensor, v: Tensor) -> float:
    """The largest magnitude that the membrane would have had without saturation, as an integer.

    Args:
        layer: the integers of the layer.
        chip: the number formats.
        u: currents after each step, `[T, B, *shape]`.
        v: membranes after each step, after the reset, `[T, B, *shape]`.

    """
    keep = torch.from_numpy((chip.unity - layer.dv) / chip.unity).to(v.device)
    bias = torch.from_numpy(layer.bias).to(v.device)
    before = torch.zeros_like(v[0])
    largest = 0.0
    for current, after in zip(u, v, strict=True):
        largest = max(largest, float(((keep * before).trunc() + current + bias).abs().max()))
        before = after
    return largest
