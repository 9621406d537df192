"""What torch functions do to a tensor that depends on the input: one registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from spear_deploy.network.importing.arithmetic import add_terms, divide, multiply, negate, subtract, subtracted
from spear_deploy.network.importing.expression import Cat, Expression, Many, Opaque, at_step, leaves
from spear_deploy.network.importing.layout import leading, maps_of, maps_of_input, reshaped
from spear_deploy.network.importing.rewriting import interpolation, padding
from spear_deploy.network.importing.weights import convolution, linear, product

if TYPE_CHECKING:
    from spear_deploy.network.importing.recorder import Recorder


class BatchIndexed(Exception):  # noqa: N818 - a signal between run modes, never shown
    """The network indexed the batch as if it were time: its input has to be a sequence."""


Handler = Callable[["Recorder", tuple[Any, ...], dict[str, Any], Tensor], tuple[Expression, int | None]]


def _reshape(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> tuple[Expression, int | None]:
    value = args[0]
    axis = recorder.time_axis(value)
    if result.shape == value.shape:
        return recorder.expression(value), axis
    found = reshaped(tuple(value.shape), axis, recorder.steps, tuple(result.shape))
    if found is None:
        old, new = tuple(value.shape), tuple(result.shape)
        as_maps = maps_of_input(recorder.expression(value), axis, old, new)
        maps = maps_of(old, axis, recorder.steps, new)
        if maps and not as_maps:
            return as_maps_of(recorder, value, maps[1]), maps[0]
        return Opaque(f"a change of shape from {old} to {new}{as_maps and '; '}{as_maps}"), None
    after, shape = found
    if shape == tuple(value.shape[leading(axis) :]):
        return recorder.expression(value), after
    return recorder.applied("flatten", (), nn.Flatten(), value), after


def as_maps_of(recorder: Recorder, value: Tensor, maps: tuple[int, ...]) -> Expression:
    """A flat value, or other maps, as maps of the same values in their order."""
    axis = recorder.time_axis(value)
    flat = value.detach().flatten(leading(axis))
    before = recorder.expression(value)
    if flat.shape != value.shape:
        before = recorder.applied("flatten", (), nn.Flatten(), value)
    recorder.mark(flat, before, axis)
    return recorder.applied("unflatten", (maps,), nn.Unflatten(1, maps), flat)


def _unsqueeze(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> tuple[Expression, int | None]:
    """A time axis of one step, to be repeated or concatenated."""
    value, expression = args[0], recorder.expression(args[0])
    axis = kwargs.get("dim", args[1] if len(args) > 1 else 0) % result.dim()
    if recorder.time_axis(value) is not None or axis > 1 or isinstance(expression, Many):
        return _reshape(recorder, args, kwargs, result)
    return (expression if _is_static(expression) else Many((expression,))), axis


def _repeat(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> tuple[Expression, int | None]:
    """A static value that is shown in every time step."""
    value, expression = args[0], recorder.expression(args[0])
    axis = recorder.time_axis(value)
    before = (1, *value.shape) if axis is None and result.dim() == value.dim() + 1 else tuple(value.shape)
    axis = 0 if axis is None else axis
    shown = (*before[:axis], recorder.steps, *before[axis + 1 :])
    if not _is_static(expression) or axis < 0 or tuple(result.shape) != shown:
        return Opaque(f"a repetition from {tuple(value.shape)} to {tuple(result.shape)}"), None
    return expression, axis


def _is_static(expression: Expression) -> bool:
    """Whether a value is the same in every step."""
    found = list(leaves(expression))
    return bool(found) and all(leaf.step is None for leaf in found)


def _pool(kind: str, module: type[nn.Module]) -> Handler:
    def handle(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> tuple[Expression, int | None]:
        value = args[0]
        axis = recorder.time_axis(value)
        if axis is not None and axis >= 0:
            return Opaque(f"{kind} over a whole sequence; call it once a step"), None
        options = {key: option for key, option in kwargs.items() if key not in ("input", "return_indices")}
        pool = module(*args[1:], **options)
        key = (repr(args[1:]), repr(sorted(options.items())))
        return recorder.applied(kind, key, pool, value), axis

    return handle


def _moved(
    kind: str, module: Callable[[Recorder, tuple[int, ...], tuple[Any, ...], dict[str, Any]], nn.Module]
) -> Handler:
    """A function that moves positions, as the module of its matrices."""

    def handle(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> tuple[Expression, int | None]:
        value = args[0]
        axis = recorder.time_axis(value)
        if axis is not None and axis >= 0:
            return Opaque(f"{kind} over a whole sequence; call it once a step"), None
        with recorder.quiet():
            found = module(recorder, tuple(value.shape[1:]), args[1:], kwargs)
        return recorder.applied(kind, (repr(args[1:]), repr(sorted(kwargs.items()))), found, value), axis

    return handle


def _padding(recorder: Recorder, shape: tuple[int, ...], args: Any, kwargs: Any) -> nn.Module:
    given = {**dict(zip(("pad", "mode", "value"), args, strict=False)), **kwargs}
    return padding("pad", given["pad"], given.get("mode", "constant"), shape, given.get("value"))


def _interpolation(recorder: Recorder, shape: tuple[int, ...], args: Any, kwargs: Any) -> nn.Module:
    names = ("size", "scale_factor", "mode", "align_corners")
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    mode = given.get("mode") or "nearest"
    return interpolation(
        "interpolate", shape, given.get("size"), given.get("scale_factor"), mode, given.get("align_corners")
    )


def _dropout(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> tuple[Expression, int | None]:
    if torch.equal(args[0], result):
        return recorder.expression(args[0]), recorder.time_axis(args[0])
    return Opaque("dropout that is not switched off in eval mode; write F.dropout(x, p, self.training)"), None


def _get_item(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> tuple[Expression, int | None]:
    value, index = args[0], args[1]
    expression, axis = recorder.expression(value), recorder.time_axis(value)
    if isinstance(expression, Opaque):
        return expression, None
    parts = index if isinstance(index, tuple) else (index,)
    parts = tuple(part for part in parts if part is not Ellipsis)
    if isinstance(expression, Many) and axis is None:
        single = isinstance(parts[0], int) and len(expression.items) == len(value)
        return (expression.items[parts[0]] if single else expression), None
    full = all(isinstance(part, slice) and part == slice(None) for part in parts)
    if full:
        return expression, axis
    if axis is None:
        if isinstance(parts[0], int):
            raise BatchIndexed
        if all(part is None or part == slice(None) for part in parts) and parts[0] is not None:
            return _reshape(recorder, (value,), {}, result)
        if all(isinstance(part, slice) for part in parts[:2]) and parts[0] == slice(None):
            return Opaque(_PART), None
        return Opaque("an index into one time step"), None
    if axis < 0:
        return Opaque("an index into time and batch together"), None
    others = parts[:axis] + parts[axis + 1 :]
    whole = all(isinstance(part, slice) and part == slice(None) for part in others)
    if len(parts) > axis and isinstance(parts[axis], int) and whole:
        return at_step(expression, parts[axis] % value.shape[axis]), None
    return Opaque("an index that takes more than one time step"), None


_PART = (
    "a part of its channels or positions; let the layer see all of them: weights that are zero, or groups, leave out"
)


def select(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> tuple[Expression, int | None]:
    """One index along one axis."""
    value, axis, index = args[0], args[1], args[2]
    return _get_item(recorder, (value, (*(slice(None),) * (axis % value.dim()), index)), {}, result)


def _swap(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> tuple[Expression, int | None]:
    value = args[0]
    order = list(range(value.dim()))
    if len(args) == 3 and all(isinstance(part, int) for part in args[1:]) and len(order) != 2:
        a, b = (part % value.dim() for part in args[1:])
        order[a], order[b] = order[b], order[a]
    else:
        given = args[1] if isinstance(args[1], list | tuple) else args[1:]
        order = [part % value.dim() for part in given]
    axis = recorder.time_axis(value)
    if axis is not None and axis >= 0 and sorted(order[:2]) == [0, 1] and order[2:] == list(range(2, value.dim())):
        return recorder.expression(value), order.index(axis)
    if order == sorted(order):
        return recorder.expression(value), axis
    return Opaque("a change of the order of axes; leave it out, and order the weights behind it instead"), None


def _stack(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> tuple[Expression, int | None]:
    items = tuple(recorder.expression(item) for item in args[0])
    axis = kwargs.get("dim", args[1] if len(args) > 1 else 0)
    deeper = any(recorder.time_axis(item) is not None for item in args[0]) or any(isinstance(e, Many) for e in items)
    return Many(items), None if deeper else axis % result.dim()


def _concatenate(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> tuple[Expression, int | None]:
    axis = kwargs.get("dim", args[1] if len(args) > 1 else 0) % result.dim()
    parts = [recorder.expression(item) for item in args[0]]
    over_time = all(recorder.time_axis(item) == axis for item in args[0])
    if over_time and all(isinstance(part, Many) for part in parts):
        return Many(tuple(item for part in parts if isinstance(part, Many) for item in part.items)), axis
    time = {recorder.time_axis(item) for item in args[0]}
    channels = leading(next(iter(time)))
    if axis == channels and len(time) == 1 and not any(isinstance(part, Many) for part in parts):
        return _concatenated(parts, [int(item.shape[axis]) for item in args[0]]), time.pop()
    if axis != 0:
        return Opaque("a concatenation (torch.cat) over another axis than channels; add the branches instead"), None
    return Many(tuple(parts)), None


def _concatenated(parts: list[Expression], sizes: list[int]) -> Expression:
    """Channels one after the other, without concatenations in concatenations."""
    flat: list[tuple[Expression, int]] = []
    for part, size in zip(parts, sizes, strict=True):
        if isinstance(part, Opaque):
            return part
        flat += zip(part.parts, part.sizes, strict=True) if isinstance(part, Cat) else [(part, size)]
    return Cat(tuple(part for part, _ in flat), tuple(size for _, size in flat))


def _reduce(*, mean: bool) -> Handler:
    """A sum or mean over time; one over anything else has no node."""

    def handle(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> tuple[Expression, int | None]:
        value = args[0]
        expression, axis = recorder.expression(value), recorder.time_axis(value)
        over = kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else None))
        over = over[0] if isinstance(over, list | tuple) and len(over) == 1 else over
        positions = tuple(range(leading(axis) + 1, value.dim()))
        if over is not None and positions and _axes_of(over, value.dim()) == positions:
            return _over_positions(recorder, value, result, mean=mean), axis
        if axis is None or not isinstance(over, int) or over % value.dim() != axis or result.dim() != value.dim() - 1:
            return Opaque(
                "a sum or mean over some axes of one time step; take it over all positions (2, 3), use an average pool,"
                " or nn.Linear"
            ), None
        return Many(tuple(at_step(expression, step) for step in range(value.shape[axis])), mean), None

    return handle


def _axes_of(over: Any, axes: int) -> tuple[int, ...]:
    return tuple(sorted(int(axis) % axes for axis in (over if isinstance(over, list | tuple) else (over,))))


def _over_positions(recorder: Recorder, value: Tensor, result: Tensor, *, mean: bool) -> Expression:
    """The mean or sum of each map, as a pool over all of it; flat where its axes go."""
    axis = recorder.time_axis(value)
    shape = value.shape[leading(axis) :]
    pool: nn.Module = nn.AdaptiveAvgPool2d(1) if len(shape) == 3 else nn.AdaptiveAvgPool1d(1)
    if not mean and len(shape) == 3:
        pool = nn.AvgPool2d((shape[1], shape[2]), divisor_override=1)
    each = (
        value.detach()
        .flatten(leading(axis) + 1)
        .mean(-1)
        .reshape(*value.shape[: leading(axis) + 1], *(1,) * (len(shape) - 1))
    )
    recorder.mark(each, recorder.applied("mean" if mean else "sum", (tuple(shape),), pool, value), axis)
    if not mean and len(shape) == 2:
        recorder.mark(each, *multiply(recorder, (each, float(shape[1])), {}, each))
    if result.dim() == value.dim():
        return recorder.expression(each)
    return recorder.applied("flatten", (), nn.Flatten(), each)


def _largest(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> tuple[Expression, int | None]:
    """The largest over time; where it was lies in whole numbers."""
    found, axis = _reduce(mean=False)(recorder, args, kwargs, result)
    if isinstance(found, Many) and result.is_floating_point():
        return Many(found.items, largest=True), axis
    return Opaque("the largest of values inside one time step, or its place; return what is before it"), None


_AS_MODULE = "; call it as a module: nn.Linear, nn.Conv1d, nn.Conv2d or nn.BatchNorm"
_ACTIVATION = "; leave it out: the neuron behind it has a threshold of its own"
_OF_ALL = "; let the layer see all of it: weights that are zero, or groups, leave out"
_ORDER = "; leave it out, and order the weights behind it instead"
_OF_THE_LOSS = "; return what is before it, and leave it to the loss: the largest stays the largest"
_DRAWN = "; leave it out in eval mode; an encoder stands before the network: encoding='rate'"

_COMPARED = "; a neuron of snnTorch compares: put one in its place"

_INSTEAD: dict[str, str] = {
    **dict.fromkeys(("gt", "ge", "lt", "le", "__gt__", "__ge__", "__lt__", "__le__", "where"), _COMPARED),
    **dict.fromkeys(("argmax", "topk", "sort"), _OF_THE_LOSS),
    **dict.fromkeys(("chunk", "split", "tensor_split", "narrow", "index_select"), _OF_ALL),
    **dict.fromkeys(("roll", "flip", "rot90", "pixel_shuffle", "channel_shuffle"), _ORDER),
    **dict.fromkeys(("batch_norm", "addmm", "einsum", "bmm", "tensordot"), _AS_MODULE),
    **dict.fromkeys(("relu", "relu_", "leaky_relu", "prelu", "elu", "selu", "gelu", "silu", "hardtanh"), _ACTIVATION),
    **dict.fromkeys(("tanh", "sigmoid", "softplus", "clamp", "clamp_", "clip", "sign", "heaviside"), _ACTIVATION),
    **dict.fromkeys(("softmax", "log_softmax"), _OF_THE_LOSS),
    **dict.fromkeys(("bernoulli", "bernoulli_", "normal_", "poisson"), _DRAWN),
}
"""What to do in the place of functions that have no node."""


def without_node(name: str) -> str:
    """What to tell about a function that has no node."""
    plain = name if name.startswith("__") else name.rstrip("_")
    return f"the function {name.strip('_')}, which NIR has no node for{_INSTEAD.get(name, _INSTEAD.get(plain, ''))}"


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(("add", "add_", "__add__", "__radd__", "__iadd__"), add_terms),
    **dict.fromkeys(("sub", "__sub__", "subtract"), subtract),
    **dict.fromkeys(("rsub", "__rsub__"), subtracted),
    **dict.fromkeys(("neg", "__neg__", "negative"), negate),
    **dict.fromkeys(("mul", "mul_", "__mul__", "__rmul__", "__imul__", "multiply"), multiply),
    **dict.fromkeys(("div", "div_", "__truediv__", "__itruediv__", "true_divide", "divide"), divide),
    **dict.fromkeys(("flatten", "unflatten", "view", "reshape", "view_as", "reshape_as", "squeeze"), _reshape),
    **dict.fromkeys(("permute", "transpose", "swapaxes", "swapdims", "movedim"), _swap),
    "sum": _reduce(mean=False),
    "mean": _reduce(mean=True),
    **dict.fromkeys(("max", "amax"), _largest),
    **dict.fromkeys(("cat", "concat", "concatenate"), _concatenate),
    "linear": linear,
    **dict.fromkeys(("matmul", "mm", "__matmul__"), product),
    "conv1d": convolution("conv1d", nn.Conv1d),
    "conv2d": convolution("conv2d", nn.Conv2d),
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout"), _dropout),
    **dict.fromkeys(("max_pool2d", "max_pool2d_with_indices", "_max_pool2d"), _pool("max_pool2d", nn.MaxPool2d)),
    **dict.fromkeys(("max_pool1d", "max_pool1d_with_indices", "_max_pool1d"), _pool("max_pool1d", nn.MaxPool1d)),
    **dict.fromkeys(
        ("adaptive_max_pool2d", "adaptive_max_pool2d_with_indices", "_adaptive_max_pool2d"),
        _pool("adaptive_max_pool2d", nn.AdaptiveMaxPool2d),
    ),
    **dict.fromkeys(
        ("adaptive_max_pool1d", "adaptive_max_pool1d_with_indices", "_adaptive_max_pool1d"),
        _pool("adaptive_max_pool1d", nn.AdaptiveMaxPool1d),
    ),
    "adaptive_avg_pool1d": _pool("adaptive_avg_pool1d", nn.AdaptiveAvgPool1d),
    "avg_pool2d": _pool("avg_pool2d", nn.AvgPool2d),
    "avg_pool1d": _pool("avg_pool1d", nn.AvgPool1d),
    "adaptive_avg_pool2d": _pool("adaptive_avg_pool2d", nn.AdaptiveAvgPool2d),
    "pad": _moved("pad", _padding),
    "interpolate": _moved("interpolate", _interpolation),
    **dict.fromkeys(("repeat", "expand"), _repeat),
    "unsqueeze": _unsqueeze,
    "__getitem__": _get_item,
    "select": select,
    "stack": _stack,
}
