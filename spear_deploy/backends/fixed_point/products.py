"""Weighted sums of small integers as floating-point products that are exact.

Sums below 2^24 are exact in float32, in any order. Factors of at most 8 significant bits are
exact in bfloat16 too, whose products units of newer processors sum in float32: as exact, and
several times as fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import nir
import numpy as np
import torch
from torch import Tensor, nn

from spear_deploy.backends.fixed_point.quantized import QuantizedSynapses
from spear_deploy.errors import BackendError
from spear_deploy.network.device import CPU
from spear_deploy.network.linear import linear_module
from spear_deploy.network.resampling import Resample

EXACT_BFLOAT16 = 1 << 8
EXACT_FLOAT32 = 1 << 24
EXACT_FLOAT64 = 1 << 53
"""Integers up to this are exact, and so are their sums while none exceeds it."""


class Synapses:
    """One connection as torch modules with integer weights; gives inputs already shifted left.

    Attributes:
        source: where it comes from.
        values: the integers.
        lowest: no input of a step is less, however the sources fire; at most 0.
        highest: no input of a step is more; at least 0.

    Elsewhere than on a CPU all is float64: a GPU's convolutions may divide on the way (Winograd's
    do), and what float32 then rounds is no integer any more.

    Raises:
        BackendError: a sum could leave the integers that float64 holds exactly.

    """

    def __init__(
        self, values: QuantizedSynapses, inputs: tuple[float, float], shift: int, device: torch.device = CPU
    ) -> None:
        self.values = values
        self.source = values.connection.source
        low, high = inputs
        reach, exact_in_bfloat16 = max(-low, high), []
        nodes = _flat_in_memory(values.nodes)
        self.turns = nodes is not values.nodes
        for node in nodes:
            multiplies = isinstance(node, nir.Linear | nir.Affine)
            exact_in_bfloat16.append(multiplies and reach <= EXACT_BFLOAT16 and _short(node))
            low, high = _range_behind(node, low, high)
            reach = max(reach, *_range_behind(node, -reach, reach))
        if reach >= EXACT_FLOAT64:
            raise BackendError(
                f"{self.source} -> {values.connection.target}: its sums may reach {reach:.3g},"
                " more than can be computed exactly"
            )
        unit = 2.0 ** (values.exponent + shift)
        rounded_down = float(1 << shift) if values.exponent < 0 else 0.0
        self.lowest, self.highest = low * unit - rounded_down, high * unit
        self.dtype = torch.float32 if reach < EXACT_FLOAT32 and device.type == "cpu" else torch.float64
        self.down = 2.0 ** min(values.exponent, 0)
        self.up = 2.0 ** (max(values.exponent, 0) + shift)
        # A power of two in the weights scales every sum and leaves it exact.
        inner = self.up if self.down == 1 else 1.0
        self.modules = [
            (_bare(node, self.dtype, inner).to(device), short and self.dtype is torch.float32)
            for node, short in zip(nodes, exact_in_bfloat16, strict=True)
        ]

    def __call__(self, source: Tensor) -> Tensor:
        """Inputs `[T, B, *target_shape]`, perhaps flat, for outputs `[T, B, *source_shape]` of the source."""
        static = len(source) > 1 and source.stride(0) == 0
        x = source[0] if static else source.flatten(0, 1)
        x = x.to(self.dtype)
        if self.turns:
            x = x.movedim(-3, -1).flatten(1)
        for module, short in self.modules:
            if short:
                with _products_in_bfloat16():
                    x = module(x)
            else:
                x = module(x)
        if self.down != 1:
            x = x.mul_(self.down).floor_().mul_(self.up)
        return x.expand(len(source), *x.shape) if static else x.reshape(*source.shape[:2], *x.shape[1:])


def channels_last(values: Tensor, dimensions: int) -> Tensor:
    """Values `[..., C, H, W]` with channels last in memory, as convolutions like it; others as they are.

    torch's own `memory_format` does nothing where there is one channel, and its convolution then
    lays out what it gives with channels first.
    """
    if dimensions != 3:
        return values
    return values.movedim(-3, -1).clone(memory_format=torch.contiguous_format).movedim(-1, -3)


def _flat_in_memory(nodes: tuple[nir.NIRNode, ...]) -> tuple[nir.NIRNode, ...]:
    """Where maps are only flattened and multiplied: the matrix for channels that lie last, so that nothing is moved."""
    if len(nodes) != 2 or not isinstance(nodes[0], nir.Flatten) or not isinstance(nodes[1], nir.Linear):
        return nodes
    shape = tuple(int(size) for size in nodes[0].input_type["input"])
    weight = np.asarray(nodes[1].weight)
    if len(shape) != 3 or weight.shape[1] != np.prod(shape):
        return nodes
    return (nir.Linear(weight=np.moveaxis(weight.reshape(-1, *shape), 1, -1).reshape(weight.shape)),)


@contextmanager
def _products_in_bfloat16() -> Iterator[None]:
    """Let float32 matrix products take bfloat16 factors, where torch and the processor can.

    The setting is the whole process's: another thread that multiplies matrices at this moment
    would do so with it.
    """
    matmul = getattr(getattr(torch.backends, "mkldnn", None), "matmul", None)
    before = getattr(matmul, "fp32_precision", None)
    if before is None:
        yield
        return
    matmul.fp32_precision = "bf16"  # type: ignore[union-attr]
    try:
        yield
    finally:
        matmul.fp32_precision = before  # type: ignore[union-attr]


def _short(node: nir.NIRNode) -> bool:
    """Whether the weights of a node lose nothing in bfloat16."""
    weight = torch.as_tensor(getattr(node, "weight", 0.0), device=CPU).double()
    return bool((weight.bfloat16().double() == weight).all())


def _bare(node: nir.NIRNode, dtype: torch.dtype, scale: float) -> nn.Module:
    module = linear_module(node, "synapses", dtype)
    if getattr(module, "bias", None) is not None:
        module.register_parameter("bias", None)
    if isinstance(weight := getattr(module, "weight", None), nn.Parameter):
        weight.data *= scale
        if weight.ndim == 4:
            weight.data = channels_last(weight.data, 3)
    return module.requires_grad_(False)


def _range_behind(node: nir.NIRNode, low: float, high: float) -> tuple[float, float]:
    """What the node can give for inputs from `low` (at most 0) to `high` (at least 0)."""
    if isinstance(node, nir.SumPool2d):
        window = torch.as_tensor(node.kernel_size, device=CPU).flatten().long()
        size = float(window[0] * window[-1])
        return low * size, high * size
    if isinstance(node, Resample):
        return low * node.most, high * node.most
    if not hasattr(node, "weight"):
        return low, high
    rows = torch.as_tensor(node.weight, device=CPU).double().flatten(1)
    up, down = rows.clamp(min=0).sum(1), rows.clamp(max=0).sum(1)
    return float((down * high + up * low).min().clamp(max=0)), float((up * high + down * low).max().clamp(min=0))
