"""Lava netx files (`.net`, HDF5) as models.

    layer/<i>/{type, shape, weight, bias, neuron/{type, iDecay, vDecay, vThMant, ...}, stride, ...}

A CUBA neuron becomes the equation it approximates in integers, with the factor 2^6 that Loihi
puts on currents and thresholds left out:

    u[t] = (1 - iDecay / 4096) u[t-1] + weight s[t]
    v[t] = (1 - vDecay / 4096) v[t-1] + u[t] + bias,  spike above vThMant, reset to zero

The one step that each layer adds on the chip is latency, and not part of the graph. Source:
lava-dl, netx/hdf5.py and slayer/block/base.py, and Lava's LIF (du = iDecay - 1, dv = vDecay).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
from numpy.typing import NDArray

from spear_deploy.errors import ModelError, quoted
from spear_deploy.network.constants import constant
from spear_deploy.network.editing import graph_of
from spear_deploy.network.importing.netx_transposed import enlarging
from spear_deploy.network.importing.netx_use import NetxUse, use_of
from spear_deploy.network.model import INTEGERS, Model
from spear_deploy.network.neuron import DEFAULT_DT_S, Neuron, Reset, node_of
from spear_deploy.network.widen import widen
from spear_deploy.system.outside.hdf5 import open_hdf5
from spear_deploy.system.outside.refusal import READ_ERRORS, RefusedError, first_line

_FULL_DECAY = 4096
"""Decay that empties a state in one step: 2^12. Source: Lava, LIF bit-accurate model."""

Shape = tuple[int, ...]


def read_netx(path: Path, *, time_steps: int | None, input_shape: Shape | None, dt_s: float | None) -> Model:
    """Read a netx file.

    Args:
        path: the file.
        time_steps: T, where the file does not say it, or another than it says.
        input_shape: `(C, H, W)`, needed where the first layer is a convolution and the file does not say it.
        dt_s: seconds that one time step stands for, where the file does not say it; by default 1e-4.

    Raises:
        ModelError: a damaged file, a layer or neuron that is not supported, or an argument
            that is needed.

    """
    try:
        with open_hdf5(path) as file:
            use = use_of(dict(file.attrs))
            group = file["layer"]
            layers = [_plain(group[key]) for key in sorted(group, key=int)]
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except RefusedError as error:
        raise ModelError(f"{path}: refused: {error}") from None
    except READ_ERRORS as error:
        raise ModelError(f"{path}: not a netx file, or damaged ({first_line(error)})") from None
    use = replace(
        use,
        time_steps=use.time_steps if time_steps is None else time_steps,
        input_shape=use.input_shape or input_shape,
        dt_s=next((each for each in (use.dt_s, dt_s) if each is not None), DEFAULT_DT_S),
    )
    if use.time_steps is None:
        raise ModelError(
            f"{path}: this netx file, as lava-dl's, does not say for how many time steps it runs: give `time_steps`"
        )
    try:
        return _model(layers, use)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except READ_ERRORS as error:
        raise ModelError(f"{path}: the netx file is damaged ({first_line(error)})") from None


@dataclass
class _Chain:
    """The graph so far, and the shape at its end."""

    nodes: dict[str, nir.NIRNode]
    edges: list[tuple[str, str]]
    last: str
    shape: Shape

    def append(self, name: str, node: nir.NIRNode, shape: Shape) -> None:
        self.nodes[name] = node
        self.edges.append((self.last, name))
        self.last, self.shape = name, shape


def _model(layers: list[dict[str, Any]], use: NetxUse) -> Model:
    if not layers:
        raise ModelError("the netx file holds no layers")
    assert use.time_steps is not None  # refused otherwise
    assert use.dt_s is not None
    shape, dt_s = use.input_shape or _first_shape(layers[0]), use.dt_s
    if use.of_one is not None:
        _take_values(layers, use.of_one)
    chain = _Chain({"input": nir.Input(np.array(shape))}, [], "input", shape)
    notices = ["Loihi's integer arithmetic is not part of the graph: its neurons are run as the equation they round"]
    population = None
    for index, layer in enumerate(layers):
        kind = _text(layer.get("type", ""))
        if kind == "flatten":
            size = int(np.prod(chain.shape))
            chain.append(f"{index}_flatten", nir.Flatten(np.array(chain.shape), 0, -1), (size,))
            continue
        if kind == "average":
            population = _population(index, layer, chain.shape)
            continue
        if kind not in _BLOCKS:
            known = ", ".join(sorted((*_BLOCKS, "flatten", "average")))
            raise ModelError(f"layer {index}: type {quoted(kind)} is not supported; supported: {known}")
        if population is not None:
            raise ModelError(f"layer {index}: a layer behind an average over outputs is not supported")
        _BLOCKS[kind](chain, index, layer, notices)
        neuron = _neuron(layer["neuron"], f"layer {index}", chain.shape, dt_s)
        if _into_membrane(kind, layer):
            neuron = replace(neuron, offset=_spread_bias(layer, chain.shape))
        chain.append(f"{index}_cuba", node_of(neuron), chain.shape)
        if kind == "dense_rec":
            _append_recurrence(chain, index, layer, notices)
        _append_delay(chain, index, layer, dt_s)
    chain.append("output", nir.Output(np.array(chain.shape)), chain.shape)
    nodes, edges = _named(chain, use.layers)
    graph = graph_of(nodes, edges, {INTEGERS: "loihi", **(use.metadata or {})})
    return Model(
        graph,
        use.time_steps,
        use.encoding,
        data=use.data,
        notices=tuple(notices),
        population=use.population if population is None else population,
        binning=use.binning,
        objective=use.objective,
    )


def _take_values(layers: list[dict[str, Any]], of_one: float) -> None:
    """Let the first weights take inputs, instead of what those become on the chip."""
    first = next(layer for layer in layers if "weight" in layer)
    first["weight"] = np.asarray(first["weight"], dtype=np.float64) * of_one


def _named(chain: _Chain, names: tuple[str, ...]) -> tuple[dict[str, nir.NIRNode], list[tuple[str, str]]]:
    """The nodes and edges with the layers' own names, where there is one for each and none is another node's."""
    layers = [name for name in chain.nodes if name.endswith("_cuba")]
    if len(names) != len(layers) or len({*names, *chain.nodes}) != len(names) + len(chain.nodes):
        return chain.nodes, chain.edges
    own = {name: name for name in chain.nodes} | dict(zip(layers, names, strict=True))
    nodes = {own[name]: node for name, node in chain.nodes.items()}
    return nodes, [(own[a], own[b]) for a, b in chain.edges]


def _first_shape(layer: dict[str, Any]) -> Shape:
    kind = _text(layer.get("type", ""))
    if kind == "input":
        return tuple(int(n) for n in np.atleast_1d(layer["shape"]))
    if kind in ("conv", "convT", "pool", "unpool"):
        raise ModelError(f"the first layer is a {kind}, and the file does not say its input: give `input_shape`")
    return (int(np.asarray(layer["weight"]).shape[1]),)


def _weight(index: int, layer: dict[str, Any], notices: list[str], key: str = "weight") -> NDArray[Any]:
    if isinstance(layer.get(key), dict):
        raise ModelError(f"layer {index}: complex weights are not supported")
    weight, notice = widen(layer[key], f"layer {index}: {key}")
    notices += [notice] if notice else []
    return weight


def _append_input(chain: _Chain, index: int, layer: dict[str, Any], notices: list[str]) -> None:
    """Neurons right behind the input, with one weight for all."""
    shape = tuple(int(n) for n in np.atleast_1d(layer["shape"]))
    if shape != chain.shape:
        raise ModelError(f"layer {index}: takes an input of {shape}, found {chain.shape}")
    factor = float(_weight(index, layer, notices).ravel()[0]) if "weight" in layer else 1.0
    if factor != 1:
        chain.append(f"{index}_input", constant(nir.Scale(np.full(shape, factor))), shape)


def _append_dense(chain: _Chain, index: int, layer: dict[str, Any], notices: list[str]) -> None:
    size = int(np.prod(np.atleast_1d(layer["shape"])))
    weight = _weight(index, layer, notices).reshape(size, -1)
    if len(chain.shape) > 1:
        chain.append(f"{index}_flatten", nir.Flatten(np.array(chain.shape), 0, -1), (int(np.prod(chain.shape)),))
    if weight.shape[1] != chain.shape[0]:
        raise ModelError(f"layer {index}: takes {weight.shape[1]} inputs, found {chain.shape[0]}")
    before = "bias" in layer and not _into_membrane(_text(layer["type"]), layer)
    node = nir.Affine(weight, _bias(layer, size)) if before else nir.Linear(weight)
    chain.append(f"{index}_dense", node, (size,))


def _append_recurrence(chain: _Chain, index: int, layer: dict[str, Any], notices: list[str]) -> None:
    """Spikes of the step before, through weights of their own."""
    size = chain.shape[0]
    name, neurons = f"{index}_recurrent", chain.last
    chain.nodes[name] = nir.Linear(_weight(index, layer, notices, "weight_rec").reshape(size, size))
    chain.edges += [(neurons, name), (name, neurons)]


def _append_conv(chain: _Chain, index: int, layer: dict[str, Any], notices: list[str]) -> None:
    weight = _weight(index, layer, notices)
    weight = weight.reshape(weight.shape[:4])
    groups = int(layer.get("groups", 1))
    stride, padding, dilation = _per_axis(layer)
    node = nir.Conv2d(chain.shape[1:], weight, stride, padding, dilation, groups, _own_bias(layer, len(weight)))
    chain.append(f"{index}_conv", node, tuple(int(n) for n in np.atleast_1d(layer["shape"])))


def _append_pool(chain: _Chain, index: int, layer: dict[str, Any], notices: list[str]) -> None:
    """A sum over windows with one weight: a convolution of each channel by itself."""
    channels = chain.shape[0]
    kernel = tuple(int(n) for n in np.atleast_1d(layer["kernelSize"])[:2])
    kernel = kernel * 2 if len(kernel) == 1 else kernel
    factor = float(_weight(index, layer, notices).ravel()[0])
    weight = np.full((channels, 1, *kernel), factor, dtype=np.float32)
    stride, padding, dilation = _per_axis(layer)
    node = nir.Conv2d(chain.shape[1:], weight, stride, padding, dilation, channels, _own_bias(layer, channels))
    chain.append(f"{index}_pool", constant(node), tuple(int(n) for n in np.atleast_1d(layer["shape"])))


def _append_transposed(chain: _Chain, index: int, layer: dict[str, Any], notices: list[str]) -> None:
    """A transposed convolution: zeros between its inputs, and a plain one."""
    weight = _weight(index, layer, notices)
    _enlarge(chain, index, layer, weight.reshape(weight.shape[:4]), int(layer.get("groups", 1)))


def _append_unpool(chain: _Chain, index: int, layer: dict[str, Any], notices: list[str]) -> None:
    """Windows of one value with one weight: the same of each channel by itself."""
    weight = _weight(index, layer, notices)
    channels = chain.shape[0]
    _enlarge(chain, index, layer, np.repeat(weight.reshape(1, 1, *weight.shape[2:4]), channels, 0), channels)
    constant(chain.nodes[chain.last])


def _enlarge(chain: _Chain, index: int, layer: dict[str, Any], weight: NDArray[Any], groups: int) -> None:
    name, shape = f"layer {index}", tuple(int(n) for n in np.atleast_1d(layer["shape"]))
    stride, padding, dilation = _per_axis(layer)
    bias = _own_bias(layer, weight.shape[1] * groups)
    between, conv = enlarging(
        name, weight, bias, chain.shape, shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    taken = (chain.shape[0], len(between.rows), len(between.columns))
    chain.append(f"{index}_between", between, taken)
    chain.append(f"{index}_conv", conv, shape)


def _per_axis(layer: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    """Stride, padding and dilation."""
    usual = {"stride": 1, "padding": 0, "dilation": 1}
    found = [np.atleast_1d(layer.get(key, value)).ravel() for key, value in usual.items()]
    return tuple((int(each[0]), int(each[min(1, len(each) - 1)])) for each in found)


def _population(index: int, layer: dict[str, Any], shape: Shape) -> int:
    """Outputs for each class, where the file ends in a mean over them."""
    size, outputs = int(np.prod(shape)), int(np.prod(np.atleast_1d(layer["shape"])))
    if not outputs or size % outputs:
        raise ModelError(f"layer {index}: an average of {size} outputs to {outputs}, which does not divide them")
    return size // outputs


_BLOCKS: dict[str, Callable[[_Chain, int, dict[str, Any], list[str]], None]] = {
    "conv": _append_conv,
    "convT": _append_transposed,
    "dense": _append_dense,
    "dense_rec": _append_dense,
    "input": _append_input,
    "pool": _append_pool,
    "unpool": _append_unpool,
}


def _into_membrane(kind: str, layer: dict[str, Any]) -> bool:
    """Whether a bias cannot stand beside the weights: there it would pass the synaptic current, as Lava's does not."""
    if "bias" not in layer:
        return False
    return kind == "input" or float(np.asarray(layer["neuron"]["iDecay"])) != _FULL_DECAY


def _own_bias(layer: dict[str, Any], size: int) -> NDArray[Any]:
    """The bias of a convolution, where it may stand beside its weights."""
    return np.zeros(size) if _into_membrane("conv", layer) else _bias(layer, size)


def _spread_bias(layer: dict[str, Any], shape: Shape) -> NDArray[np.float64]:
    bias, _ = widen(layer["bias"], "bias")
    lead = bias.ravel().astype(np.float64)
    return np.broadcast_to(lead.reshape(-1, *(1,) * (len(shape) - 1)), shape).copy()


def _bias(layer: dict[str, Any], size: int) -> NDArray[Any]:
    if "bias" not in layer:
        return np.zeros(size)
    bias, _ = widen(layer["bias"], "bias")
    return np.broadcast_to(bias.ravel(), (size,)).copy()


def _neuron(config: dict[str, Any], name: str, shape: Shape, dt_s: float) -> Neuron:
    kind = _text(config.get("type", ""))
    if kind not in ("CUBA", "LOIHI"):
        raise ModelError(f"{name}: neurons of type {quoted(kind)} are not supported; supported: CUBA")
    for key, usual in (("refDelay", 1), ("gradedSpike", 0), ("wgtExp", 0), ("weight_exp", 0)):
        found = int(np.asarray(config.get(key, usual)))
        if found != usual:
            raise ModelError(f"{name}: neuron {key} = {found} is not supported, only {usual}")
    current, membrane, threshold = (float(np.asarray(config[key])) for key in ("iDecay", "vDecay", "vThMant"))
    for key, decay in (("iDecay", current), ("vDecay", membrane)):
        if not 0 <= decay <= _FULL_DECAY:
            raise ModelError(f"{name}: neuron {key} must lie in [0, {_FULL_DECAY}], found {decay:g}")
    return Neuron(
        beta=np.full(shape, 1 - membrane / _FULL_DECAY),
        gain=np.ones(shape),
        threshold=np.full(shape, threshold),
        alpha=None if current == _FULL_DECAY else np.full(shape, 1 - current / _FULL_DECAY),
        reset=Reset.ZERO,
        dt_s=dt_s,
    )


def _append_delay(chain: _Chain, index: int, layer: dict[str, Any], dt_s: float) -> None:
    delays = np.unique(np.asarray(layer.get("delay", 0.0), dtype=np.float64))
    if len(delays) > 1:
        raise ModelError(f"layer {index}: its axons have {len(delays)} different delays; only one for all is supported")
    if delays[0]:
        node = nir.Delay(np.full(chain.shape, np.floor(delays[0]) * dt_s))
        chain.append(f"{index}_delay", node, chain.shape)


def _plain(group: h5py.Group) -> dict[str, Any]:
    return {key: _plain(item) if isinstance(item, h5py.Group) else item[()] for key, item in group.items()}


def _text(value: Any) -> str:
    """A string as netx writes it: bytes, alone or in an array of one."""
    first = value.ravel()[0] if isinstance(value, np.ndarray) and value.size else value
    return first.decode() if isinstance(first, bytes) else str(first)
