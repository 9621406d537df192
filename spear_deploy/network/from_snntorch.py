"""From an snnTorch module to a model: the one call a user adds to a training script."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import nir
import numpy as np
import snntorch
import torch
from numpy.typing import NDArray
from torch import nn

from spear_deploy.errors import ModelError
from spear_deploy.network.graph import Shape
from spear_deploy.network.linear import linear_module
from spear_deploy.network.model import Encoding, Model, ReadOut, save
from spear_deploy.network.neuron import DEFAULT_DT_S, Neuron, Reset, node_of


def save_model(
    net: nn.Module,
    path: str | os.PathLike[str],
    *,
    input_shape: Sequence[int],
    time_steps: int,
    encoding: str = "direct",
    read_out: str = "count",
    data: str | None = None,
    dt_s: float = DEFAULT_DT_S,
) -> Model:
    """Convert a trained snnTorch network and write it as a model file.

    Args:
        net: an `nn.Sequential` of torch layers and snnTorch neurons with `init_hidden=True`.
        path: where to write, by convention `*.pt`.
        input_shape: shape of one time step of one sample, `(C, H, W)` or `(N,)`.
        time_steps: T, the length of one inference.
        encoding: `direct`, `rate` or `spikes`.
        read_out: `count` (most output spikes) or `membrane`.
        data: the data set it was trained on, by name (`digits`) or path (npz).
        dt_s: seconds that one time step stands for; only NIR's time constants depend on it.

    Returns:
        The model, as `spear_deploy.load_model` gives it back.

    Raises:
        ModelError: a layer or setting that is not supported, or shapes that do not meet.

    """
    model = from_snntorch(
        net,
        input_shape=input_shape,
        time_steps=time_steps,
        encoding=encoding,
        read_out=read_out,
        data=data,
        dt_s=dt_s,
    )
    save(model, path)
    return model


def from_snntorch(
    net: nn.Module,
    *,
    input_shape: Sequence[int],
    time_steps: int,
    encoding: str = "direct",
    read_out: str = "count",
    data: str | None = None,
    dt_s: float = DEFAULT_DT_S,
) -> Model:
    """Convert a trained snnTorch network to a model; see `save_model`."""
    if not isinstance(net, nn.Sequential):
        raise ModelError(f"only nn.Sequential networks are converted yet, found {type(net).__name__}")
    shape: Shape = tuple(int(n) for n in input_shape)
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input(np.array(shape))}
    last = "input"
    edges = []
    for key, module in net.named_children():
        name = _node_name(key, module)
        node = _convert(module, name, shape, dt_s)
        if node is None:
            continue
        nodes[name] = node
        edges.append((last, name))
        shape = _shape_after(node, name, shape)
        last = name
    nodes["output"] = nir.Output(np.array(shape))
    edges.append((last, "output"))
    graph = nir.NIRGraph(nodes, edges, type_check=False)
    try:
        encoding_, read_out_ = Encoding(encoding), ReadOut(read_out)
    except ValueError as error:
        raise ModelError(str(error)) from None
    return Model(graph, time_steps, encoding_, read_out_, data)


def _node_name(key: str, module: nn.Module) -> str:
    """A name that tells position and kind: `0_conv2d`; a name the user gave stays."""
    return f"{key}_{type(module).__name__.lower()}" if key.isdigit() else key


def _shape_after(node: nir.NIRNode, name: str, shape: Shape) -> Shape:
    if isinstance(node, nir.LIF | nir.IF | nir.LI | nir.I):
        return shape
    try:
        out = linear_module(node, name).to("meta")(torch.empty((1, *shape), device="meta"))
    except (RuntimeError, ValueError) as error:
        given = " x ".join(map(str, shape))
        raise ModelError(f"{name}: cannot take an input of {given} ({str(error).splitlines()[0]})") from None
    return tuple(out.shape[1:])


def _convert(module: nn.Module, name: str, shape: Shape, dt_s: float) -> nir.NIRNode | None:
    if isinstance(module, nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.Identity):
        return None
    if isinstance(module, snntorch.Leaky):
        return node_of(_leaky(module, name, shape, dt_s))
    for kind, convert in _CONVERTERS.items():
        if type(module) is kind:
            node: nir.NIRNode = convert(module, shape)
            return node
    known = ", ".join([*(kind.__name__ for kind in _CONVERTERS), "Leaky", "Dropout", "Identity"])
    raise ModelError(f"{name}: {type(module).__name__} is not supported; supported: {known}")


def _leaky(module: snntorch.Leaky, name: str, shape: Shape, dt_s: float) -> Neuron:
    if not module.init_hidden:
        raise ModelError(f"{name}: in an nn.Sequential, Leaky needs init_hidden=True")
    if module.state_quant:
        raise ModelError(f"{name}: state_quant is not supported; train without it and let the chip's format do it")
    if module.inhibition:
        raise ModelError(f"{name}: inhibition (one winner a step) has no NIR node; train without it")
    if float(module.graded_spikes_factor) != 1:
        raise ModelError(f"{name}: graded_spikes_factor must be 1, found {float(module.graded_spikes_factor):g}")
    beta = _per_neuron(module.beta, name, "beta", shape).clip(0, 1)
    return Neuron(
        beta=beta,
        gain=np.ones(shape),
        threshold=_per_neuron(module.threshold, name, "threshold", shape),
        reset=Reset(module.reset_mechanism),
        reset_delay=bool(module.reset_delay),
        dt_s=dt_s,
    )


def _per_neuron(value: torch.Tensor, name: str, key: str, shape: Shape) -> NDArray[np.float64]:
    """A parameter spread over the layer as torch broadcasts it against `[B, *shape]`."""
    array = value.detach().cpu().double().numpy()
    try:
        spread: NDArray[np.float64] = np.broadcast_to(array, (1, *shape))[0].copy()
        return spread
    except ValueError:
        raise ModelError(f"{name}: {key} has shape {array.shape}, the layer {shape}") from None


def _weight(module: nn.Module) -> NDArray[np.float32]:
    assert isinstance(module.weight, torch.Tensor)
    array: NDArray[np.float32] = module.weight.detach().cpu().numpy().copy()
    return array


def _bias(module: nn.Module) -> NDArray[np.float32]:
    if isinstance(module.bias, torch.Tensor):
        array: NDArray[np.float32] = module.bias.detach().cpu().numpy().copy()
        return array
    return np.zeros(len(_weight(module)), dtype=_weight(module).dtype)


def _linear(module: nn.Linear, shape: Shape) -> nir.NIRNode:
    if module.bias is None:
        return nir.Linear(weight=_weight(module))
    return nir.Affine(weight=_weight(module), bias=_bias(module))


def _conv2d(module: nn.Conv2d, shape: Shape) -> nir.NIRNode:
    if module.padding_mode != "zeros":
        raise ModelError(f"padding_mode {module.padding_mode!r} is not supported, only 'zeros'")
    return nir.Conv2d(
        input_shape=(shape[1], shape[2]),
        weight=_weight(module),
        stride=module.stride,
        padding=module.padding,
        dilation=module.dilation,
        groups=module.groups,
        bias=_bias(module),
    )


def _avg_pool2d(module: nn.AvgPool2d, shape: Shape) -> nir.NIRNode:
    if module.ceil_mode or not module.count_include_pad or module.divisor_override is not None:
        raise ModelError("AvgPool2d with ceil_mode, divisor_override or count_include_pad=False is not supported")
    stride = module.stride if module.stride is not None else module.kernel_size
    return nir.AvgPool2d(kernel_size=_pair(module.kernel_size), stride=_pair(stride), padding=_pair(module.padding))


def _flatten(module: nn.Flatten, shape: Shape) -> nir.NIRNode:
    if module.start_dim < 1:
        raise ModelError("Flatten must leave the batch alone: start_dim >= 1")
    end = module.end_dim if module.end_dim < 0 else module.end_dim - 1
    return nir.Flatten(input_type=np.array(shape), start_dim=module.start_dim - 1, end_dim=end)


def _pair(value: Any) -> NDArray[np.int64]:
    return np.broadcast_to(np.asarray(value, dtype=np.int64), (2,)).copy()


_CONVERTERS: dict[type[nn.Module], Callable[[Any, Shape], nir.NIRNode]] = {
    nn.Linear: _linear,
    nn.Conv2d: _conv2d,
    nn.AvgPool2d: _avg_pool2d,
    nn.Flatten: _flatten,
}
