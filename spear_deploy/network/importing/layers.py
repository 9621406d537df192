"""Torch layers without memory as NIR nodes: one registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from snntorch import SpikingNeuron
from snntorch._neurons.rleaky import RecurrentOneToOne as OneToOneOfRLeaky
from snntorch._neurons.rsynaptic import RecurrentOneToOne as OneToOneOfRSynaptic
from torch import Tensor, nn

from spear_deploy.errors import ModelError
from spear_deploy.network.constants import constant
from spear_deploy.network.importing import spikingjelly
from spear_deploy.network.importing.neurons import KINDS, runs_as, spread
from spear_deploy.network.importing.rewriting import ADAPTIVE_MAXIMA, RESAMPLING, TRANSPOSED, adaptive, average, windows
from spear_deploy.network.importing.ways_out import WAYS_OUT
from spear_deploy.network.linear import Scale
from spear_deploy.network.pools import MaxPool2d
from spear_deploy.network.resampling import Resampling
from spear_deploy.network.unflattening import Unflatten

Shape = tuple[int, ...]

IDENTITIES = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
"""Layers that do nothing in eval mode."""

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
AVERAGE_POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)
MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d)
WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d)


class SumPool2d(nn.AvgPool2d):
    """Sum over each window; torch has no layer of that name."""

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__(kernel_size, stride, padding, divisor_override=1)


def nodes_of(module: nn.Module, name: str, shape: Shape) -> list[nir.NIRNode]:
    """The chain of NIR nodes that does what a layer does to one time step of `shape`.

    Raises:
        ModelError: a layer or setting that is not supported.

    """
    if spikingjelly.is_voting(module):
        return _voting(module, name, shape)
    base = torch_class(module)
    if base not in _BUILDERS:
        raise ModelError(unsupported(module, name))
    axes = _AXES.get(base, len(shape))
    if len(shape) < axes and (base, len(shape)) != (nn.AvgPool1d, 1):  # torch takes the batch for channels
        wanted = "[C, L]" if axes == 2 else "[C, H, W]"
        raise ModelError(
            f"{name}: {base.__name__} takes {wanted} of each sample, found {_times(shape)}; give `input_shape` its"
            " channels, (1, ...)"
        )
    return _BUILDERS[base](module, name, shape)


def torch_class(module: nn.Module) -> type[nn.Module] | None:
    """The class whose `forward` a layer runs, on one step or, as SpikingJelly's wrappers do, on all."""
    known = (*_BUILDERS, *IDENTITIES, *NORMS, *RESAMPLING, *TRANSPOSED, *ADAPTIVE_MAXIMA)
    return runs_as(module, known) or spikingjelly.torch_layer(module, known)


def is_layer(module: nn.Module) -> bool:
    """Whether the module is converted as a whole."""
    own = spikingjelly.is_voting(module) or spikingjelly.is_dropout(module)
    return own or torch_class(module) is not None


def is_norm(module: nn.Module) -> bool:
    """Whether the module is a batch normalisation."""
    return torch_class(module) in NORMS


def is_identity(module: nn.Module) -> bool:
    """Whether the module does nothing in eval mode."""
    return isinstance(module, IDENTITIES) or spikingjelly.is_dropout(module)


def unsupported(module: nn.Module, name: str) -> str:
    """What to tell about a layer that NIR has no nodes for."""
    kind = type(module).__name__
    if kind in WAYS_OUT:
        return f"{name}: {kind} is not supported: {WAYS_OUT[kind]}"
    of_spikingjelly = f"SpikingJelly's {', '.join(spikingjelly.NEURONS)}"
    neurons = ", ".join(sorted(kind.__name__ for kind in KINDS))
    if spikingjelly.is_other_neuron(module):
        return f"{name}: {kind} is not supported; supported: {of_spikingjelly}"
    if isinstance(module, SpikingNeuron):
        return f"{name}: {kind} is not supported; supported: {neurons}"
    given = (*_BUILDERS, *NORMS, *RESAMPLING, *TRANSPOSED, *ADAPTIVE_MAXIMA)
    layers = sorted({kind.__name__ for kind in given} - {"RecurrentOneToOne", "Scale", "Resampling"})
    known = ", ".join([*layers, "Dropout", "Identity", neurons, of_spikingjelly])
    return f"{name}: {kind} is not supported; supported: {known}"


def _weight(module: Any) -> NDArray[Any]:
    return _narrow(module.weight)


def _narrow(parameter: Tensor) -> NDArray[Any]:
    """A parameter in float32 where that is exact (the copy that runs is in float64), else as it is."""
    array: NDArray[Any] = parameter.detach().cpu().numpy().copy()
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused by name where the graph is checked
        single = array.astype(np.float32)
    return single if np.array_equal(single, array) else array


def _bias(module: Any) -> NDArray[Any]:
    if module.bias is None:
        return np.zeros(len(module.weight), dtype=_weight(module).dtype)
    return _narrow(module.bias)


def _linear(module: nn.Linear, name: str, shape: Shape) -> list[nir.NIRNode]:
    if len(shape) != 1:
        raise ModelError(f"{name}: Linear takes a flat input, found {_times(shape)}; put nn.Flatten() before it")
    if module.bias is None:
        return [nir.Linear(weight=_weight(module))]
    return [nir.Affine(weight=_weight(module), bias=_bias(module))]


def _conv1d(module: nn.Conv1d, name: str, shape: Shape) -> list[nir.NIRNode]:
    padding = module.padding if isinstance(module.padding, str) else module.padding[0]
    return [
        nir.Conv1d(
            input_shape=shape[-1],
            weight=_weight(module),
            stride=module.stride[0],
            padding=padding,
            dilation=module.dilation[0],
            groups=module.groups,
            bias=_bias(module),
        )
    ]


def _conv2d(module: nn.Conv2d, name: str, shape: Shape) -> list[nir.NIRNode]:
    return [
        nir.Conv2d(
            input_shape=(shape[1], shape[2]),
            weight=_weight(module),
            stride=module.stride,
            padding=module.padding,
            dilation=module.dilation,
            groups=module.groups,
            bias=_bias(module),
        )
    ]


def _avg_pool2d(module: nn.AvgPool2d, name: str, shape: Shape) -> list[nir.NIRNode]:
    kind = nir.SumPool2d if module.divisor_override == 1 else nir.AvgPool2d
    uncounted = module.divisor_override is None and not module.count_include_pad and any(_pair(module.padding))
    if module.divisor_override not in (None, 1) or uncounted or _reaches_over(module, shape):
        return [average(module, shape).node()]
    return [kind(kernel_size=_pair(module.kernel_size), stride=_stride(module), padding=_pair(module.padding))]


def _adaptive_avg_pool2d(module: nn.AdaptiveAvgPool2d, name: str, shape: Shape) -> list[nir.NIRNode]:
    size = module.output_size if isinstance(module.output_size, tuple) else (module.output_size,) * 2
    wanted = [given if out is None else int(out) for out, given in zip(size, shape[1:], strict=True)]
    if any(given % out for out, given in zip(wanted, shape[1:], strict=True)):
        return [adaptive(module.output_size, shape).node()]
    kernel = np.array([given // out for out, given in zip(wanted, shape[1:], strict=True)])
    return [nir.AvgPool2d(kernel_size=kernel, stride=kernel.copy(), padding=np.zeros(2, dtype=np.int64))]


def _avg_pool1d(module: nn.AvgPool1d, name: str, shape: Shape) -> list[nir.NIRNode]:
    """A depthwise convolution: NIR has no pool in one dimension; over flat outputs, as votes, a matrix."""
    if len(shape) == 1:
        mean = nn.AvgPool1d.forward(module, torch.eye(shape[0], dtype=torch.float64))
        return [constant(nir.Linear(weight=mean.T.numpy()))]
    if _reaches_over(module, shape) or (not module.count_include_pad and _one(module.padding)):
        return [average(module, shape).node()]
    kernel = _one(module.kernel_size)
    return [_depthwise(shape, kernel, _one(module.stride), _one(module.padding), 1 / kernel)]


def _max_pool2d(module: nn.MaxPool2d, name: str, shape: Shape) -> list[nir.NIRNode]:
    """Of spikes, 0 or 1, the largest is whether their sum exceeds a half."""
    if _is_uneven(module, shape):
        return _largest_of_spikes(module, shape)
    pool: nir.NIRNode = nir.SumPool2d(_pair(module.kernel_size), _stride(module), _pair(module.padding))
    return [pool, _any_spike((shape[0], *_pooled(module, shape, 2)))]


def _max_pool1d(module: nn.MaxPool1d, name: str, shape: Shape) -> list[nir.NIRNode]:
    if _is_uneven(module, shape):
        return _largest_of_spikes(module, shape)
    pool = _depthwise(shape, _one(module.kernel_size), int(_stride(module)[0]), _one(module.padding), 1.0)
    return [pool, _any_spike((shape[0], *_pooled(module, shape, 1)))]


def _largest_of_spikes(module: Any, shape: Shape) -> list[nir.NIRNode]:
    pool = windows(module, shape)
    return [pool.node(), _any_spike((shape[0], *(len(each) for each in (pool.rows, pool.columns)[3 - len(shape) :])))]


def largest_of(module: nn.Module, name: str, shape: Shape) -> MaxPool2d:
    """A max pool of anything but spikes: the node that takes the largest value."""
    axes = len(shape) - 1
    if _is_uneven(module, shape):
        raise ModelError(
            f"{name}: a dilation, or a ceil_mode whose windows reach over the edge, is not supported before a neuron;"
            " move the pool behind the neuron, where it takes the largest of spikes"
        )
    lead = 2 - axes  # [C, L] has one row
    kernel, stride, padding = (
        np.array([*[start] * lead, *_axes(value, axes)])
        for start, value in ((1, module.kernel_size), (1, _stride(module, axes)), (0, module.padding))
    )
    return MaxPool2d(kernel, stride, padding)


def _any_spike(shape: Shape) -> nir.Threshold:
    return nir.Threshold(threshold=np.full(shape, 0.5))


def _depthwise(shape: Shape, kernel: int, stride: int, padding: int, value: float) -> nir.Conv1d:
    channels, length = shape
    weight = np.full((channels, 1, kernel), value)
    return constant(nir.Conv1d(length, weight, stride, padding, 1, channels, np.zeros(channels)))


def _is_uneven(module: Any, shape: Shape) -> bool:
    """Whether a max pool has holes, or windows that reach over the edge."""
    return bool(np.any(np.atleast_1d(module.dilation) != 1)) or _reaches_over(module, shape)


def _reaches_over(module: Any, shape: Shape) -> bool:
    """Whether ceil_mode adds windows that reach over the edge."""
    axes = len(shape) - 1
    spans = np.array(shape[1:]) + 2 * _axes(module.padding, axes) - _axes(module.kernel_size, axes)
    return bool(module.ceil_mode and np.any(spans % _stride(module, axes)))


def _resampling(module: Resampling, name: str, shape: Shape) -> list[nir.NIRNode]:
    return [module.node()]


def _pooled(module: Any, shape: Shape, axes: int) -> Shape:
    spans = np.array(shape[1:]) + 2 * _axes(module.padding, axes) - _axes(module.kernel_size, axes)
    return tuple(int(n) for n in spans // _stride(module, axes) + 1)


def _flatten(module: nn.Flatten, name: str, shape: Shape) -> list[nir.NIRNode]:
    if module.start_dim < 1:
        raise ModelError(f"{name}: Flatten must leave the batch alone: start_dim >= 1, found {module.start_dim}")
    end = module.end_dim if module.end_dim < 0 else module.end_dim - 1
    return [nir.Flatten(input_type=np.array(shape), start_dim=module.start_dim - 1, end_dim=end)]


def _one_to_one(module: Any, name: str, shape: Shape) -> list[nir.NIRNode]:
    return [nir.Scale(scale=spread(module.V, shape, name, "V"))]


def _unflatten(module: nn.Unflatten, name: str, shape: Shape) -> list[nir.NIRNode]:
    return [Unflatten(np.array(module.unflattened_size))]


def _voting(module: Any, name: str, shape: Shape) -> list[nir.NIRNode]:
    """SpikingJelly's VotingLayer: the mean of as many outputs as stand for each class."""
    size = int(module.voting_size)
    if len(shape) != 1 or shape[0] % size:
        raise ModelError(f"{name}: VotingLayer of {size} on {_times(shape)} outputs, which it does not divide")
    return [constant(nir.Linear(weight=np.kron(np.eye(shape[0] // size), np.full((1, size), 1 / size))))]


def _scale(module: Scale, name: str, shape: Shape) -> list[nir.NIRNode]:
    node = nir.Scale(scale=spread(module.scale, shape, name, "scale"))
    return [node if module.scale.requires_grad else constant(node)]


def _axes(value: Any, axes: int) -> NDArray[np.int64]:
    return np.broadcast_to(np.asarray(value, dtype=np.int64), (axes,)).copy()


def _pair(value: Any) -> NDArray[np.int64]:
    return _axes(value, 2)


def _one(value: Any) -> int:
    return int(_axes(value, 1)[0])


def _stride(module: Any, axes: int = 2) -> NDArray[np.int64]:
    return _axes(module.stride if module.stride is not None else module.kernel_size, axes)


def _times(shape: Shape) -> str:
    return " x ".join(str(n) for n in shape)


_AXES: dict[type[nn.Module], int] = {
    **dict.fromkeys((nn.Conv1d, nn.AvgPool1d, nn.MaxPool1d), 2),
    **dict.fromkeys((nn.Conv2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, SumPool2d, nn.MaxPool2d), 3),
}
"""How many axes a sample needs where torch takes fewer too, without a batch."""

_BUILDERS: dict[type[nn.Module], Callable[[Any, str, Shape], list[nir.NIRNode]]] = {
    nn.Linear: _linear,
    nn.Conv1d: _conv1d,
    nn.Conv2d: _conv2d,
    nn.AvgPool1d: _avg_pool1d,
    nn.AvgPool2d: _avg_pool2d,
    nn.AdaptiveAvgPool2d: _adaptive_avg_pool2d,
    SumPool2d: _avg_pool2d,
    nn.MaxPool1d: _max_pool1d,
    nn.MaxPool2d: _max_pool2d,
    nn.Flatten: _flatten,
    nn.Unflatten: _unflatten,
    OneToOneOfRLeaky: _one_to_one,
    OneToOneOfRSynaptic: _one_to_one,
    Scale: _scale,
    Resampling: _resampling,
}
