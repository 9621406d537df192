"""The linear nodes of a graph as torch modules: one registry for all that connects neurons."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spear_deploy.errors import ModelError
from spear_deploy.network.faults import READ_ERRORS, first_line
from spear_deploy.network.pools import MaxPool2d, as_sum
from spear_deploy.network.resampling import Resample, resampling, routing
from spear_deploy.network.unflattening import Unflatten

Weighted = nir.Affine | nir.Linear | nir.Conv1d | nir.Conv2d
"""Nodes that hold synapses."""


class Delay(nn.Module):
    """Hands on its input a whole number of steps later: shape `[T, B, *shape]`."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, x: Tensor) -> Tensor:
        """Shift along time; what comes before the first step is zero."""
        if not self.steps:
            return x
        late = torch.zeros_like(x)
        late[self.steps :] = x[: -self.steps]
        return late


class Scale(nn.Module):
    """Multiplies each element by its own factor."""

    def __init__(self, scale: Tensor, *, learned: bool = True) -> None:
        super().__init__()
        self.scale = nn.Parameter(scale, requires_grad=learned)

    def forward(self, x: Tensor) -> Tensor:
        """X * scale, broadcast over the batch."""
        return x * self.scale


def linear_module(node: nir.NIRNode, name: str = "connection", dtype: torch.dtype = torch.float32) -> nn.Module:
    """A torch module that does what a linear NIR node says, on a batch `[N, *shape]`.

    Raises:
        ModelError: the node is of a kind that is not supported.

    """
    try:
        build = _BUILDERS[type(node)]
    except KeyError:
        known = ", ".join(sorted(kind.__name__ for kind in _BUILDERS))
        raise ModelError(f"{name}: {type(node).__name__} is not a supported connection; supported: {known}") from None
    try:
        return build(node, dtype)
    except READ_ERRORS as error:
        raise ModelError(f"{name}: not a {type(node).__name__} that can run ({first_line(error)})") from None


def output_shape(node: nir.NIRNode, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that a linear NIR node makes of another, both without the batch.

    A batch of no samples is run through it: it takes no memory, and torch's own rules hold. (Torch's "meta" tensors
    would do as well, but import sympy and torch's compiler: 2 s.)

    Raises:
        ModelError: the node is of a kind that is not supported.
        RuntimeError, ValueError, IndexError: it cannot take that shape.

    """
    key = (type(node), shape, *_layout(node)) if isinstance(node, _BY_LAYOUT) else None
    found = _SHAPES.get(key)
    if found is None:
        found = _shape_after(linear_module(node, name), shape)
        if key is not None and len(_SHAPES) < _MOST_SHAPES:
            _SHAPES[key] = found
    return found


_BY_LAYOUT = (nir.Affine, nir.Linear, nir.Conv1d, nir.Conv2d)
"""Nodes whose output has a shape that follows from `_layout` and their input's: no value of a weight matters."""

_SHAPES: dict[tuple[Any, ...] | None, tuple[int, ...]] = {}
"""Shapes that are known: a search asks for those of the same few widths again and again."""

_MOST_SHAPES = 100_000


def _layout(node: Any) -> tuple[Any, ...]:
    """All that a module of a node is built from, but for the values of its weights."""
    arrays = [np.asarray(array) for array in (node.weight, getattr(node, "bias", None))]
    settings = [np.asarray(getattr(node, name, None)) for name in ("stride", "padding", "dilation", "groups")]
    return (
        *((array.shape, array.dtype.str) for array in arrays),
        *((setting.shape, setting.dtype.str, tuple(setting.ravel().tolist())) for setting in settings),
    )


def _shape_after(module: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    """What a module makes of a shape: see `output_shape`."""
    with torch.no_grad():
        if isinstance(module, nn.AvgPool2d | nn.MaxPool2d) and len(shape) == 2:  # torch would take it for one sample
            return tuple(module(torch.empty((0, 1, *shape), dtype=torch.float32)).shape[2:])
        return tuple(module(torch.empty((0, *shape), dtype=torch.float32)).shape[1:])


def is_linear(node: nir.NIRNode) -> bool:
    """Whether the node only connects (weights, pools, reshapes) and holds no neurons."""
    return type(node) in _BUILDERS or isinstance(node, nir.Delay)


def present(weight: NDArray[Any]) -> NDArray[np.bool_]:
    """Which synapses there are: those of weights that are not zero."""
    found: NDArray[np.bool_] = weight != 0
    return found


def synapse_pattern(node: nir.NIRNode, counted: Callable[[NDArray[Any]], NDArray[np.bool_]] = present) -> nir.NIRNode:
    """The node with 1 for each synapse that counts, by default all that are not zero, and without bias.

    A pool only routes: each of its inputs counts once, so an average or a maximum becomes a sum.
    """
    if isinstance(node, nir.Affine | nir.Linear):
        return nir.Linear(weight=counted(node.weight).astype(np.float64))
    if isinstance(node, nir.Conv1d | nir.Conv2d):
        pattern = copy(node)
        pattern.weight = counted(node.weight).astype(np.float64)
        pattern.bias = np.zeros(node.weight.shape[0])
        return pattern
    if isinstance(node, nir.AvgPool2d):
        return nir.SumPool2d(kernel_size=node.kernel_size, stride=node.stride, padding=node.padding)
    if isinstance(node, MaxPool2d):
        return as_sum(node)
    if isinstance(node, Resample):
        return routing(node)
    if isinstance(node, nir.Scale):
        return nir.Scale(scale=counted(node.scale).astype(np.float64))
    return node


def pair(value: Any) -> tuple[int, int]:
    """A size given once or per axis, as (height, width)."""
    flat = np.atleast_1d(np.asarray(value)).ravel()
    return int(flat[0]), int(flat[-1])


def weighted(node: nir.NIRNode) -> Weighted:
    """A node that is known to have weights, as one that has them."""
    assert isinstance(node, Weighted)
    return node


def has_biases(node: nir.NIRNode) -> bool:
    """Whether a node adds constants; NIR's convolutions hold zeros where there are none."""
    return bool(np.any(getattr(node, "bias", 0.0)))


def padding_of(node: nir.Conv1d | nir.Conv2d) -> str | tuple[int, ...]:
    """The padding of a convolution, "same", "valid" or one number an axis."""
    if isinstance(node.padding, str | bytes):
        return node.padding.decode() if isinstance(node.padding, bytes) else node.padding
    if isinstance(node, nir.Conv1d):
        return (int(np.atleast_1d(node.padding)[0]),)
    return pair(node.padding)


def _tensor(value: Any, dtype: torch.dtype) -> Tensor:
    return torch.as_tensor(np.array(value), dtype=dtype)


def _fill(module: nn.Module, weight: Any, bias: Any, dtype: torch.dtype) -> nn.Module:
    module.weight = nn.Parameter(_tensor(weight, dtype))
    if bias is not None:
        module.bias = nn.Parameter(_tensor(bias, dtype))
        if module.bias.shape != module.weight.shape[:1]:
            raise ValueError(f"bias has shape {tuple(module.bias.shape)}, needed {tuple(module.weight.shape[:1])}")
    return module


def _affine(node: nir.Affine | nir.Linear, dtype: torch.dtype) -> nn.Module:
    outputs, inputs = node.weight.shape
    bias = getattr(node, "bias", None)
    return _fill(nn.Linear(inputs, outputs, bias=bias is not None, device="meta"), node.weight, bias, dtype)


def _conv1d(node: nir.Conv1d, dtype: torch.dtype) -> nn.Module:
    outputs, inputs, kernel = node.weight.shape
    groups = int(node.groups)
    module = nn.Conv1d(
        inputs * groups,
        outputs,
        int(kernel),
        stride=int(np.atleast_1d(node.stride)[0]),
        padding=padding_of(node),  # type: ignore[arg-type]
        dilation=int(np.atleast_1d(node.dilation)[0]),
        groups=groups,
        device="meta",
    )
    return _fill(module, node.weight, node.bias, dtype)


def _conv2d(node: nir.Conv2d, dtype: torch.dtype) -> nn.Module:
    outputs, inputs, height, width = node.weight.shape
    groups = int(node.groups)
    module = nn.Conv2d(
        inputs * groups,
        outputs,
        (int(height), int(width)),
        stride=pair(node.stride),
        padding=padding_of(node),  # type: ignore[arg-type]
        dilation=pair(node.dilation),
        groups=groups,
        device="meta",
    )
    return _fill(module, node.weight, node.bias, dtype)


def _sum_pool(node: nir.SumPool2d, dtype: torch.dtype) -> nn.Module:
    return nn.AvgPool2d(pair(node.kernel_size), pair(node.stride), pair(node.padding), divisor_override=1)


def _avg_pool(node: nir.AvgPool2d, dtype: torch.dtype) -> nn.Module:
    return nn.AvgPool2d(pair(node.kernel_size), pair(node.stride), pair(node.padding))


def _max_pool(node: MaxPool2d, dtype: torch.dtype) -> nn.Module:
    return nn.MaxPool2d(pair(node.kernel_size), pair(node.stride), pair(node.padding))


def _flatten(node: nir.Flatten, dtype: torch.dtype) -> nn.Module:
    start, end = int(node.start_dim), int(node.end_dim)
    return nn.Flatten(start + 1 if start >= 0 else start, end + 1 if end >= 0 else end)


def _unflatten(node: Unflatten, dtype: torch.dtype) -> nn.Module:
    return nn.Unflatten(1, tuple(int(size) for size in node.shape))


def _scale(node: nir.Scale, dtype: torch.dtype) -> nn.Module:
    return Scale(_tensor(node.scale, dtype))


_BUILDERS: dict[type, Callable[[Any, torch.dtype], nn.Module]] = {
    nir.Affine: _affine,
    nir.Linear: _affine,
    nir.Conv1d: _conv1d,
    nir.Conv2d: _conv2d,
    nir.SumPool2d: _sum_pool,
    nir.AvgPool2d: _avg_pool,
    MaxPool2d: _max_pool,
    Resample: resampling,
    nir.Flatten: _flatten,
    Unflatten: _unflatten,
    nir.Scale: _scale,
}
