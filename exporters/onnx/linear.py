"""What the linear nodes of a network are in ONNX: one registry, a function a kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spear_deploy.exporters.onnx.graph import GraphBuilder
from spear_deploy.exporters.onnx.weights import Weights
from spear_deploy.network import Network
from spear_deploy.network.linear import padding_of, pair
from spear_deploy.network.nir_convolution import Convolution
from spear_deploy.network.pools import MaxPool2d
from spear_deploy.network.resampling import Resample
from spear_deploy.network.unflattening import Unflatten

Shape = tuple[int, ...]


def add_linear(builder: GraphBuilder, network: Network, name: str, x: str, weights: Weights) -> str:
    """Add a linear node that takes `x`, a batch `[B, *shape]`; the name of its output."""
    node = network.nodes[name]
    taken = network.shapes[network.sources(name)[0]]
    return _BUILDERS[type(node)](builder, node, name, x, taken, network.shapes[name], weights)


def supported(node: nir.NIRNode) -> bool:
    """Whether a linear node has a form in ONNX."""
    return type(node) in _BUILDERS


def _affine(
    builder: GraphBuilder,
    node: nir.Affine | nir.Linear,
    name: str,
    x: str,
    taken: Shape,
    given: Shape,
    weights: Weights,
) -> str:
    weight = weights.add(builder, name, node.weight)
    bias = getattr(node, "bias", None)
    if len(taken) == 1:
        inputs = [x, weight] if bias is None else [x, weight, builder.constant(f"{name}.bias", bias)]
        return builder.add("Gemm", inputs, name, transB=1)
    turned = builder.add("Transpose", [weight], f"{name}.weight.T", perm=[1, 0])
    if bias is None:
        return builder.add("MatMul", [x, turned], name)
    product = builder.add("MatMul", [x, turned], f"{name}.product")
    return builder.add("Add", [product, builder.constant(f"{name}.bias", bias)], name)


def _conv(
    builder: GraphBuilder, node: Convolution, name: str, x: str, taken: Shape, given: Shape, weights: Weights
) -> str:
    axes = node.weight.ndim - 2
    kernel = node.weight.shape[2:]
    dilation = _sizes(node.dilation, axes)
    inputs = [x, weights.add(builder, name, node.weight)]
    bias = getattr(node, "bias", None)
    if bias is not None:
        inputs.append(builder.constant(f"{name}.bias", bias))
    return builder.add(
        "Conv",
        inputs,
        name,
        kernel_shape=list(kernel),
        strides=_sizes(node.stride, axes),
        dilations=dilation,
        pads=_pads(padding_of(node), kernel, dilation),
        group=int(node.groups),
    )


def _pads(padding: str | tuple[int, ...], kernel: Shape, dilation: list[int]) -> list[int]:
    """Padding at the begin of all axes, then at the end; "same" puts an odd one at the end, as torch does."""
    if padding == "valid":
        return [0] * (2 * len(kernel))
    if padding == "same":
        total = [step * (size - 1) for size, step in zip(kernel, dilation, strict=True)]
        return [each // 2 for each in total] + [each - each // 2 for each in total]
    sizes = [int(each) for each in padding]
    return sizes * 2


def _sizes(value: Any, axes: int) -> list[int]:
    return list(pair(value)) if axes == 2 else [int(np.atleast_1d(value)[0])]


def _sum_pool(
    builder: GraphBuilder, node: nir.SumPool2d, name: str, x: str, taken: Shape, given: Shape, weights: Weights
) -> str:
    """ONNX has no sum pool: a convolution of ones, each channel by itself, adds up exactly."""
    channels, window = taken[0], pair(node.kernel_size)
    ones: NDArray[np.float32] = np.ones((channels, 1, *window), dtype=np.float32)
    pads = list(pair(node.padding)) * 2
    one = builder.constant(f"{name}.ones", ones)
    return builder.add(
        "Conv", [x, one], name, kernel_shape=list(window), strides=list(pair(node.stride)), pads=pads, group=channels
    )


def _avg_pool(
    builder: GraphBuilder, node: nir.AvgPool2d, name: str, x: str, taken: Shape, given: Shape, weights: Weights
) -> str:
    return builder.add(
        "AveragePool",
        [x],
        name,
        kernel_shape=list(pair(node.kernel_size)),
        strides=list(pair(node.stride)),
        pads=list(pair(node.padding)) * 2,
        count_include_pad=1,
    )


def _max_pool(
    builder: GraphBuilder, node: MaxPool2d, name: str, x: str, taken: Shape, given: Shape, weights: Weights
) -> str:
    axes = len(taken) - 1  # [C, L] has the last of the two only
    kernel, stride, padding = (list(pair(value))[-axes:] for value in (node.kernel_size, node.stride, node.padding))
    return builder.add("MaxPool", [x], name, kernel_shape=kernel, strides=stride, pads=padding * 2)


def _resample(
    builder: GraphBuilder, node: Resample, name: str, x: str, taken: Shape, given: Shape, weights: Weights
) -> str:
    columns = builder.constant(f"{name}.columns", np.ascontiguousarray(node.columns.T))
    if len(taken) == 2:
        return builder.add("MatMul", [x, columns], name)
    along = builder.add("MatMul", [x, columns], f"{name}.along")
    return builder.add("MatMul", [builder.constant(f"{name}.rows", node.rows), along], name)


def _flatten(
    builder: GraphBuilder,
    node: nir.Flatten | Unflatten,
    name: str,
    x: str,
    taken: Shape,
    given: Shape,
    weights: Weights,
) -> str:
    return builder.add("Reshape", [x, builder.constant(f"{name}.shape", [-1, *given], np.int64)], name)


def _scale(
    builder: GraphBuilder, node: nir.Scale, name: str, x: str, taken: Shape, given: Shape, weights: Weights
) -> str:
    return builder.add("Mul", [x, builder.constant(f"{name}.scale", node.scale)], name)


_BUILDERS: dict[type, Callable[[GraphBuilder, Any, str, str, Shape, Shape, Weights], str]] = {
    nir.Affine: _affine,
    nir.Linear: _affine,
    nir.Conv1d: _conv,
    nir.Conv2d: _conv,
    nir.SumPool2d: _sum_pool,
    nir.AvgPool2d: _avg_pool,
    MaxPool2d: _max_pool,
    Resample: _resample,
    nir.Flatten: _flatten,
    Unflatten: _flatten,
    nir.Scale: _scale,
}
