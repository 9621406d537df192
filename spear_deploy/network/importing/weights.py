"""Weights of one's own that are handed to a function: layers like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from spear_deploy.network.importing.arithmetic import Found
from spear_deploy.network.importing.expression import Opaque

if TYPE_CHECKING:
    from spear_deploy.network.importing.recorder import Recorder

_CONVOLUTION = ("weight", "bias", "stride", "padding", "dilation", "groups")


def linear(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> Found:
    """`F.linear(x, weight, bias)`."""
    given = {**dict(zip(("weight", "bias"), args[1:], strict=False)), **kwargs}
    return _applied(recorder, "linear", args[0], given["weight"], given.get("bias"), (), _dense)


def product(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> Found:
    """`x @ matrix`; a matrix before it would mix samples."""
    value, matrix = args[:2]
    if not recorder.knows(value) or not isinstance(matrix, Tensor) or matrix.dim() != 2:
        return Opaque("a product of matrices that no layer does; write x @ weight, or nn.Linear"), None
    if recorder.knows(matrix):
        return Opaque("a product of two values that depend on the input, which no synapse does; add them"), None
    return _applied(recorder, "linear", value, matrix.T, None, (), _dense)


def convolution(kind: str, module: type[nn.Module]) -> Callable[..., Found]:
    """`F.conv1d` and `F.conv2d`."""

    def handle(recorder: Recorder, args: Any, kwargs: Any, result: Tensor) -> Found:
        given = {**dict(zip(_CONVOLUTION, args[1:], strict=False)), **kwargs}
        options = {name: given[name] for name in _CONVOLUTION[2:] if name in given}

        def build(weight: Tensor) -> Any:
            inputs, outputs = weight.shape[1] * options.get("groups", 1), weight.shape[0]
            return module(inputs, outputs, tuple(weight.shape[2:]), **options)

        axis = recorder.time_axis(args[0])
        if axis is not None and axis >= 0:
            return Opaque(f"{kind} over a whole sequence; call it once a step"), None
        return _applied(recorder, kind, args[0], given["weight"], given.get("bias"), (repr(options),), build)

    return handle


def _applied(
    recorder: Recorder,
    kind: str,
    value: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    key: tuple[object, ...],
    build: Callable[[Tensor], Any],
) -> Found:
    own = [each for each in (weight, bias) if each is not None]
    if any(map(recorder.knows, own)):
        return Opaque("weights that depend on the input, which no synapse has; use weights that are learned"), None
    held = [each.detach().double().clone() for each in own]
    layer = build(weight).double()
    learned = any(map(recorder.is_learned, own))
    parameters = [nn.Parameter(each, requires_grad=learned) for each in held]
    layer._parameters = dict(zip(("weight", "bias"), [*parameters, None], strict=False))
    content = (*key, *(each.numpy().tobytes() for each in held))
    return recorder.applied(kind, content, layer, value), recorder.time_axis(value)


def _dense(weight: Tensor) -> nn.Module:
    return nn.Linear(weight.shape[1], weight.shape[0])
