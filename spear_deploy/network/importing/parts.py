"""Concatenated channels, which NIR has no node for: layers act on each part, and weights add the parts up.

conv(cat(a, b)) = conv_a(a) + conv_b(b)       W = [W_a, W_b] by input channel, the bias in one of them
conv(cat(a, b)) = cat(conv_a(a), conv_b(b))   of groups none of which takes from both
"""

from __future__ import annotations

import copy
from itertools import accumulate
from math import prod
from typing import Any

from torch import Tensor, nn

from spear_deploy.network.importing.expression import Apply, Cat, Expression, Opaque, add
from spear_deploy.network.importing.layers import AVERAGE_POOLS, MAX_POOLS, WEIGHTED, is_norm
from spear_deploy.network.importing.rewriting import learns
from spear_deploy.network.resampling import Resampling

Shape = tuple[int, ...]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)


def on_parts(
    name: str, module: nn.Module, cat: Cat, shape: Shape
) -> tuple[Expression, dict[str, tuple[nn.Module, Shape]]]:
    """What a layer makes of concatenated channels, and the layers of the parts, each with the shape it takes.

    Args:
        name: the layer; those of the parts are numbered.
        module: it.
        cat: what it receives.
        shape: one step of that, `[C, ...]`.

    """
    split = _split(module, cat, shape)
    if split is None:
        across = ", where a group takes from several parts" if getattr(module, "groups", 1) != 1 else ""
        return Opaque(f"{name}: {type(module).__name__} on a concatenation{across}; call it on each of the parts"), {}
    steps = {
        f"{name}_{index}": (part, (size, *shape[1:]))
        for index, (part, size) in enumerate(zip(split, cat.sizes, strict=True))
    }
    applied = tuple(Apply(key, part) for key, part in zip(steps, cat.parts, strict=True))
    if isinstance(module, WEIGHTED):
        grouped = isinstance(module, _CONVOLUTIONS) and module.groups != 1
        return (
            Cat(applied, tuple(len(part.get_parameter("weight")) for part in split)) if grouped else add(applied)
        ), steps
    grown = prod(shape[1:]) if isinstance(module, nn.Flatten) else 1
    return Cat(applied, tuple(size * grown for size in cat.sizes)), steps


def _split(module: Any, cat: Cat, shape: Shape) -> list[nn.Module] | None:
    """The layer for each of the parts."""
    ends = list(accumulate(cat.sizes))
    parts = [slice(end - size, end) for end, size in zip(ends, cat.sizes, strict=True)]
    if isinstance(module, WEIGHTED):
        if len(shape) < module.weight.dim() - 1:
            return None
        if getattr(module, "groups", 1) != 1:
            return _grouped(module, parts)
        return [
            _with(module, weight=module.weight[:, part], bias=None if index else module.bias)
            for index, part in enumerate(parts)
        ]
    if is_norm(module):
        return [_norm(module, part) for part in parts]
    if isinstance(module, nn.Flatten):
        whole = module.start_dim == 1 and module.end_dim in (-1, len(shape))
        return [module] * len(parts) if whole else None
    return [module] * len(parts) if isinstance(module, (*AVERAGE_POOLS, *MAX_POOLS, Resampling)) else None


def _grouped(module: Any, parts: list[slice]) -> list[nn.Module] | None:
    """The groups of a convolution that each part feeds, if every group takes from one part alone."""
    takes = module.weight.shape[1]
    gives = len(module.weight) // module.groups
    if not isinstance(module, _CONVOLUTIONS) or any(part.stop % takes for part in parts):
        return None
    found = []
    for part in parts:
        groups = slice(part.start // takes, part.stop // takes)
        outputs = slice(groups.start * gives, groups.stop * gives)
        each: Any = _with(module, weight=module.weight[outputs], bias=_cut(module.bias, outputs))
        each.groups = groups.stop - groups.start
        each.in_channels, each.out_channels = part.stop - part.start, outputs.stop - outputs.start
        found.append(each)
    return found


def _norm(module: Any, part: slice) -> nn.Module:
    found = _with(module, weight=_cut(module.weight, part), bias=_cut(module.bias, part))
    held = module._buffers.items()
    found._buffers = {key: value if value is None or not value.dim() else value[part] for key, value in held}
    return found


def _cut(value: Tensor | None, part: slice) -> Tensor | None:
    return None if value is None else value[part]


def _with(module: nn.Module, **parameters: Tensor | None) -> nn.Module:
    changed, learned = copy.copy(module), learns(module)
    changed._parameters = {
        key: None if value is None else nn.Parameter(value.detach(), requires_grad=learned)
        for key, value in parameters.items()
    }
    return changed
