"""Layers as others that do the same: what moves positions as a `Resampling`, weights as plain convolutions.

Along each axis, a layer's matrix is what torch's own function makes of unit vectors.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from spear_deploy.errors import ModelError
from spear_deploy.network.resampling import Resampling

Shape = tuple[int, ...]
Along = Callable[[Tensor, int], Tensor]
"""What a layer does to vectors `[1, N, L]` along one axis, 0 for the first after the channels."""

_ZERO_PADS = (nn.ZeroPad1d, nn.ZeroPad2d, nn.ConstantPad1d, nn.ConstantPad2d)
_PADS: dict[type[nn.Module], str] = {
    **dict.fromkeys(_ZERO_PADS, "constant"),
    **dict.fromkeys((nn.ReflectionPad1d, nn.ReflectionPad2d), "reflect"),
    **dict.fromkeys((nn.ReplicationPad1d, nn.ReplicationPad2d), "replicate"),
    **dict.fromkeys((nn.CircularPad1d, nn.CircularPad2d), "circular"),
}
_UPSAMPLES = (nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d)
RESAMPLING: tuple[type[nn.Module], ...] = (*_PADS, *_UPSAMPLES, nn.AdaptiveAvgPool1d)
"""Layers that are a `Resampling` as they are."""

ADAPTIVE_MAXIMA: dict[type[nn.Module], type[nn.Module]] = {
    nn.AdaptiveMaxPool1d: nn.MaxPool1d,
    nn.AdaptiveMaxPool2d: nn.MaxPool2d,
}
"""Max pools that choose their windows, and those that do the same where windows divide the input."""

_LINEAR = {"nearest": "nearest", "nearest-exact": "nearest-exact", "linear": "linear", "bilinear": "linear"}


def rewritten(module: Any, name: str, shape: Shape) -> list[tuple[str, nn.Module]]:
    """The layers that a layer on `shape` is the same as, with what their names end in; none for one that stays.

    Raises:
        ModelError: a setting that none of them has.

    """
    if isinstance(module, TRANSPOSED):
        return [("_spread", spread(module, shape)), ("", turned(module))]
    if isinstance(module, nn.Conv1d | nn.Conv2d) and module.padding_mode != "zeros":
        return [("_pad", _pad_before(module, shape)), ("", _without_padding(module))]
    mode = next((mode for kind, mode in _PADS.items() if isinstance(module, kind)), None)
    if mode is not None:
        return [("", padding(name, module.padding, mode, shape, getattr(module, "value", 0.0)))]
    if isinstance(module, _UPSAMPLES):
        return [("", interpolation(name, shape, module.size, module.scale_factor, module.mode, module.align_corners))]
    if isinstance(module, nn.AdaptiveAvgPool1d):
        return [("", adaptive(module.output_size, shape))]
    kind = next((kind for known, kind in ADAPTIVE_MAXIMA.items() if isinstance(module, known)), None)
    return [] if kind is None else [("", _windows_that_divide(module, kind, name, shape))]


def learns(module: nn.Module) -> bool:
    """Whether training changes any of a layer's weights."""
    return any(each.requires_grad for each in module.parameters())


def shape_behind(module: nn.Module, shape: Shape) -> Shape:
    """The shape of one step of what a layer gives."""
    with torch.no_grad():
        return tuple(module(torch.zeros(1, *shape, dtype=torch.float64)).shape[1:])


def along_axes(shape: Shape, along: Along) -> Resampling:
    """The module that does `along` to each axis of `[C, H, W]` or `[C, L]`."""
    matrices = [along(torch.eye(size, dtype=torch.float64)[None], axis)[0].T for axis, size in enumerate(shape[1:])]
    return Resampling(*([torch.ones(1, 1, dtype=torch.float64)] * (2 - len(matrices))), *matrices)


def padding(name: str, sides: Any, mode: str, shape: Shape, value: float | None = None) -> Resampling:
    """Padding by `sides`, as torch gives them: of the last axis first.

    Raises:
        ModelError: with something else than zeros.

    """
    if value:
        raise ModelError(f"{name}: padding with {value:g} adds a current that no weight does; pad with zeros")
    axes = len(shape) - 1
    given = [int(side) for side in sides] + [0] * (2 * axes - len(sides))
    pairs = [given[2 * axis : 2 * axis + 2] for axis in reversed(range(axes))]
    return along_axes(shape, lambda x, axis: functional.pad(x, pairs[axis], mode))


def interpolation(name: str, shape: Shape, size: Any, factor: Any, mode: str, align_corners: bool | None) -> Resampling:
    """Enlarging by repetition, or linearly between neighbours.

    Raises:
        ModelError: a mode that is no product of what happens along each axis.

    """
    if mode not in _LINEAR:
        raise ModelError(f"{name}: mode {mode!r} is not supported; supported: {', '.join(_LINEAR)}")
    axes = len(shape) - 1
    sizes, factors = ([each] * axes if not isinstance(each, tuple | list) else each for each in (size, factor))

    def along(x: Tensor, axis: int) -> Tensor:
        return functional.interpolate(x, sizes[axis], factors[axis], _LINEAR[mode], align_corners)

    return along_axes(shape, along)


def adaptive(sizes: Any, shape: Shape) -> Resampling:
    """The mean over windows that cover an axis in so many parts, None for as many as there are positions."""
    wanted = _parts_of(sizes, shape)
    return along_axes(shape, lambda x, axis: functional.adaptive_avg_pool1d(x, wanted[axis]))


def _windows_that_divide(module: Any, kind: Any, name: str, shape: Shape) -> nn.Module:
    wanted = _parts_of(module.output_size, shape)
    if any(size % parts for size, parts in zip(shape[1:], wanted, strict=True)):
        raise ModelError(
            f"{name}: windows of different sizes, {_times(shape[1:])} in {_times(wanted)}, are not supported in a max"
            " pool; choose an output size that divides its input"
        )
    return kind(tuple(size // parts for size, parts in zip(shape[1:], wanted, strict=True)))  # type: ignore[no-any-return]


def _parts_of(sizes: Any, shape: Shape) -> list[int]:
    given = sizes if isinstance(sizes, tuple | list) else (sizes,) * (len(shape) - 1)
    return [size if part is None else int(part) for part, size in zip(given, shape[1:], strict=True)]


def average(module: Any, shape: Shape) -> Resampling:
    """An average pool of any setting."""
    axes, divisor = len(shape) - 1, getattr(module, "divisor_override", None)
    kernel, stride, margin = (_each(value, axes) for value in _window(module))

    def along(x: Tensor, axis: int) -> Tensor:
        found = functional.avg_pool1d(
            x, kernel[axis], stride[axis], margin[axis], module.ceil_mode, module.count_include_pad
        )
        if divisor is None:
            return found
        return (found != 0).double() / (divisor if axis == 0 else 1)

    return along_axes(shape, along)


def windows(module: Any, shape: Shape) -> Resampling:
    """The sum over the windows of a max pool, of any setting."""
    axes = len(shape) - 1
    kernel, stride, margin = (_each(value, axes) for value in _window(module))
    dilation = _each(module.dilation, axes)

    def along(x: Tensor, axis: int) -> Tensor:
        return functional.max_pool1d(
            x, kernel[axis], stride[axis], margin[axis], dilation[axis], ceil_mode=module.ceil_mode
        ).clamp(min=0)

    return along_axes(shape, along)


def _window(module: Any) -> tuple[Any, Any, Any]:
    stride = module.kernel_size if module.stride is None else module.stride
    return module.kernel_size, stride, module.padding


def _each(value: Any, axes: int) -> list[int]:
    given = value if isinstance(value, tuple | list) else (value,) * axes
    return [int(each) for each in (given * axes if len(given) == 1 else given)]


def spread(module: Any, shape: Shape) -> Resampling:
    """Zeros between and around the inputs of a transposed convolution, so that it is a plain one."""
    placed = []
    for axis, size in enumerate(shape[1:]):
        reach = module.dilation[axis] * (module.kernel_size[axis] - 1)
        left = reach - module.padding[axis]
        length = (size - 1) * module.stride[axis] + 1 + 2 * left + module.output_padding[axis]
        where = torch.arange(size) * module.stride[axis] + left
        inside = (where >= 0) & (where < length)
        matrix = torch.zeros(length, size, dtype=torch.float64)
        matrix[where[inside], torch.arange(size)[inside]] = 1
        placed.append(matrix)
    return Resampling(*([torch.ones(1, 1, dtype=torch.float64)] * (2 - len(placed))), *placed)


def turned(module: Any) -> Any:
    """The plain convolution of a transposed one: its kernel turned, inputs and outputs exchanged in each group."""
    axes = module.weight.dim() - 2
    weight, groups = module.weight.detach(), module.groups
    inputs, outputs = weight.shape[0] // groups, weight.shape[1]
    weight = weight.reshape(groups, inputs, outputs, *weight.shape[2:]).transpose(1, 2)
    weight = weight.flatten(0, 1).flip(tuple(range(2, 2 + axes)))
    kind = nn.Conv2d if axes == 2 else nn.Conv1d
    found = kind(
        inputs * groups,
        outputs * groups,
        tuple(module.kernel_size),
        dilation=tuple(module.dilation),
        groups=groups,
        bias=module.bias is not None,
        dtype=weight.dtype,
    )
    learned = learns(module)
    found.weight = nn.Parameter(weight.contiguous(), requires_grad=learned)
    if module.bias is not None:
        found.bias = nn.Parameter(module.bias.detach(), requires_grad=learned)
    return found


def _times(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))


def _pad_before(module: Any, shape: Shape) -> Resampling:
    sides = module._reversed_padding_repeated_twice  # what torch itself pads by
    return padding("", sides, module.padding_mode, shape)


def _without_padding(module: Any) -> nn.Module:
    kind = nn.Conv2d if isinstance(module, nn.Conv2d) else nn.Conv1d
    found: Any = copy.copy(module)
    found.__class__ = kind
    found.__dict__.pop("forward", None)  # on the copy that runs, forward is watched
    found.padding, found.padding_mode = (0,) * len(module.kernel_size), "zeros"
    return found  # type: ignore[no-any-return]
