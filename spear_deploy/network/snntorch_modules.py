"""From a model to modules of snnTorch, where snnTorch can say the network, proven by running them."""

from __future__ import annotations

import operator
import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any

import nir
import numpy as np
import snntorch
import torch
from torch import Tensor, fx, nn

from spear_deploy.errors import ModelError
from spear_deploy.network.agreement import FLOAT64, agreement
from spear_deploy.network.constants import constants
from spear_deploy.network.device import own_random_numbers
from spear_deploy.network.graph import Connection, Network, module_of
from spear_deploy.network.linear import padding_of, pair, weighted
from spear_deploy.network.model import Model
from spear_deploy.network.neuron import Neuron, Reset
from spear_deploy.network.proof import sample_input
from spear_deploy.network.simulation import Simulation
from spear_deploy.network.surrogate import atan


@dataclass(frozen=True)
class _Said:
    """How a class of snnTorch says a reset; `delay` is None where the class has one way only."""

    mechanism: str
    delay: bool | None


_DELAYS = {
    (Reset.SUBTRACT, True): _Said("subtract", True),
    (Reset.ZERO_HOLD, True): _Said("zero", True),
    (Reset.NONE, False): _Said("none", True),
}
_AT_ONCE = {
    (Reset.SUBTRACT, False): _Said("subtract", False),
    (Reset.ZERO, False): _Said("zero", False),
    (Reset.ZERO, True): _Said("zero", False),  # the same spikes
}

_RESETS: dict[type[nn.Module], dict[tuple[Reset, bool], _Said]] = {
    snntorch.Leaky: {
        (Reset.SUBTRACT, False): _Said("subtract", False),
        (Reset.SUBTRACT, True): _Said("subtract", True),
        (Reset.ZERO, False): _Said("zero", False),
        (Reset.ZERO, True): _Said("zero", True),
        (Reset.NONE, False): _Said("none", True),
    },
    snntorch.Lapicque: {key: _Said(said.mechanism, None) for key, said in _DELAYS.items()},
    snntorch.Synaptic: _DELAYS | _AT_ONCE,
    snntorch.RLeaky: _DELAYS | _AT_ONCE,
    snntorch.RSynaptic: _DELAYS,  # without a delay it does not run in snnTorch 1.0 itself
}
"""Which resets each class of snnTorch does, delayed or not, and how they are written."""


@own_random_numbers()
def to_snntorch(model: Model, *, dtype: torch.dtype = torch.float32) -> nn.Module:
    """A model as modules of snnTorch, one time step a call, with hidden states and parameters of its own.

    A chain of layers becomes an `nn.Sequential`; what branches, reads a membrane or scales becomes a
    `torch.fx.GraphModule` whose `code` can be read. `snntorch.utils.reset(net)` begins other samples. Before
    it is given, its every output is held against the model's, in float64.

    Args:
        model: dense or pruned.
        dtype: precision of parameters and constants.

    Raises:
        ModelError: snnTorch has no neuron or layer for something, with its name and why; or what is no model.

    """
    if not isinstance(model, Model):
        raise ModelError(f"to_snntorch takes a model, found {type(model).__name__}; a file is read by load_model")
    _prove(model)
    return _build(model.network, dtype)


def _build(network: Network, dtype: torch.dtype) -> nn.Module:
    """Modules in the order of execution, each neuron with what feeds back into it."""
    loops = dict(_loops(network))
    inside = {name for path in loops.values() for name in path}
    order = [name for stage in network.stages for name in stage if name not in inside]
    names = _names(order)
    modules: dict[str, nn.Module] = {}
    given = constants(network.nodes)
    for name in order:
        if name in network.neurons:
            modules[name] = _neuron(network, name, loops.get(name), dtype)
        elif name in network.delays:
            raise ModelError(f"{name}: a delay of {network.delays[name]} steps; snnTorch has no module that delays")
        elif name not in (network.input, network.output) and not isinstance(network.nodes[name], nir.Scale | nir.Delay):
            modules[name] = module_of(network, name, dtype).requires_grad_(name not in given)
    sources = {name: _sources(network, name, loops) for name in order}
    if _is_chain(network, order, modules, sources):
        return nn.Sequential(OrderedDict((names[name], modules[name]) for name in order if name in modules))
    return _graph_module(network, order, names, modules, sources, dtype)


def _is_chain(network: Network, order: list[str], modules: dict[str, nn.Module], sources: dict[str, list[str]]) -> bool:
    """Whether each layer takes what the one before gives, as it is."""
    plain = all(neuron.spikes and not _scales(neuron, modules[name]) for name, neuron in network.neurons.items())
    follows = all(sources[b] == [a] for a, b in pairwise(order))
    return plain and follows and set(order) - set(modules) == {network.input, network.output}


def _graph_module(
    network: Network,
    order: list[str],
    names: dict[str, str],
    modules: dict[str, nn.Module],
    sources: dict[str, list[str]],
    dtype: torch.dtype,
) -> nn.Module:
    root, graph = nn.Module(), fx.Graph()

    def scaled(value: fx.Node, scale: Any, name: str, *, learned: bool = True) -> fx.Node:
        root.register_parameter(name, nn.Parameter(_tensor(scale, dtype), requires_grad=learned))
        return graph.call_function(operator.mul, (value, graph.get_attr(name)))

    values = {network.input: graph.placeholder("x")}
    for name in order:
        if name == network.input:
            continue
        into = reduce(lambda a, b: graph.call_function(operator.add, (a, b)), [values[each] for each in sources[name]])
        node, neuron = network.nodes[name], network.neurons.get(name)
        if neuron is not None and _scales(neuron, modules[name]):
            into = scaled(into, neuron.gain, f"{names[name]}_gain")
        if isinstance(node, nir.Scale):
            factors = np.broadcast_to(node.scale, network.shapes[name])
            into = scaled(into, factors, f"{names[name]}_scale", learned=name not in constants(network.nodes))
        elif name in modules:
            root.add_module(names[name], modules[name])
            into = graph.call_module(names[name], (into,))
            if neuron is not None and not neuron.spikes:
                into = graph.call_function(operator.getitem, (into, -1))
        values[name] = into
    graph.output(values[network.output])
    graph.lint()
    return fx.GraphModule(root, graph, "SnnTorchNetwork")


def _scales(neuron: Neuron, module: nn.Module) -> bool:
    """Whether the neuron's gain has to be a product before its module; Lapicque has one of its own."""
    return not bool((neuron.gain == 1).all()) and not isinstance(module, snntorch.Lapicque)


def _neuron(network: Network, name: str, loop: tuple[str, ...] | None, dtype: torch.dtype) -> nn.Module:
    neuron = network.neurons[name]
    kind = _kind(neuron, recurrent=loop is not None)
    reset = neuron.reset if neuron.spikes else Reset.NONE
    said = _RESETS[kind].get((reset, neuron.reset_delay and reset is not Reset.NONE))
    if said is None:
        late = ", delayed" if neuron.reset_delay else ""
        raise ModelError(f"{name}: snnTorch's {kind.__name__} has no reset {reset}{late}")
    if neuron.offset is not None:
        raise ModelError(
            f"{name}: a leak voltage, a constant current into it; snnTorch's neurons leak to 0; use to_torch instead"
        )
    if neuron.reset_value is not None and reset in (Reset.ZERO, Reset.ZERO_HOLD):
        raise ModelError(f"{name}: it resets to another voltage than 0; snnTorch's neurons reset to 0")
    options: dict[str, Any] = {"reset_mechanism": said.mechanism, "init_hidden": True, "output": not neuron.spikes}
    if dtype is not torch.float32:
        options["spike_grad"] = atan  # snnTorch's own, the same function, gives spikes in float32 alone
    if neuron.threshold is not None:
        options["threshold"] = _tensor(_one(neuron.threshold), dtype)
    if said.delay is not None:
        options["reset_delay"] = said.delay
    if neuron.alpha is not None:
        options["alpha"] = _tensor(_one(neuron.alpha), dtype)
    if kind is snntorch.Lapicque:
        return _lapicque(neuron, name, options, dtype)
    if loop is None:
        return kind(beta=_tensor(_one(neuron.beta), dtype), **options)
    return _recurrent(network, name, kind, loop, options, dtype)


def _kind(neuron: Neuron, *, recurrent: bool) -> type[nn.Module]:
    """The class of snnTorch that holds the states that the neuron has, and does its reset."""
    if recurrent:
        kind = snntorch.RLeaky if neuron.alpha is None else snntorch.RSynaptic
    elif neuron.alpha is not None:
        kind = snntorch.Synaptic
    elif neuron.spikes and (neuron.reset is Reset.ZERO_HOLD or _is_circuit(neuron)):
        kind = snntorch.Lapicque
    else:
        kind = snntorch.Leaky
    return kind  # type: ignore[no-any-return]


def _is_circuit(neuron: Neuron) -> bool:
    """Whether its gain is a circuit's that leaks, so that Lapicque says it without a product before it."""
    scales, leaks = bool((neuron.gain != 1).any()), bool((neuron.beta < 1).all() and (neuron.gain > 0).all())
    return scales and leaks and (neuron.reset, neuron.reset_delay) in _RESETS[snntorch.Lapicque]


def _lapicque(neuron: Neuron, name: str, options: dict[str, Any], dtype: torch.dtype) -> nn.Module:
    """Lapicque's circuit: beta = 1 - dt / (R C) and a gain of dt / C, with dt = 1."""
    if (neuron.beta == 1).any() or (neuron.gain <= 0).any():
        raise ModelError(f"{name}: a delayed reset to zero without a leak; snnTorch's Lapicque always leaks")
    module: nn.Module = snntorch.Lapicque(R=2.0, C=1.0, time_step=1.0, **options)
    module.R = _tensor(_one(neuron.gain / (1.0 - neuron.beta)), dtype)
    module.C = _tensor(_one(1.0 / neuron.gain), dtype)
    return module


def _recurrent(
    network: Network, name: str, kind: Any, loop: tuple[str, ...], options: dict[str, Any], dtype: torch.dtype
) -> nn.Module:
    beta = _tensor(_one(network.neurons[name].beta), dtype)
    if not loop:
        return kind(beta=beta, all_to_all=False, V=_tensor(1.0, dtype), **options)  # type: ignore[no-any-return]
    node = network.nodes[loop[0]]
    if isinstance(node, nir.Scale):
        v = _tensor(np.broadcast_to(node.scale, network.shapes[loop[0]]), dtype)
        return kind(beta=beta, all_to_all=False, V=v, **options)  # type: ignore[no-any-return]
    if isinstance(node, nir.Conv2d):
        size = {"conv2d_channels": node.weight.shape[0], "kernel_size": tuple(node.weight.shape[2:])}
    else:
        size = {"linear_features": weighted(node).weight.shape[0]}
    module: nn.Module = kind(beta=beta, **size, **options)
    module.recurrent = module_of(network, loop[0], dtype)
    return module


def _loops(network: Network) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The neurons that hear themselves, each with the one node of weights, or none, on the way.

    Raises:
        ModelError: spikes that go back in another way than snnTorch's recurrent neurons have.

    """
    for source, target in sorted(network.feedback):
        own = [each for each in network.connections if each.source == source and _begins(each, target)]
        owner = source if all(each.target == source for each in own) else None
        if owner is None:
            raise ModelError(
                f"{source}: its spikes go back to {target}; snnTorch's neurons feed back to themselves only"
            )
        path = own[0].path
        if len(own) > 1 or sum(a == source for a, _ in network.feedback) > 1 or len(path) > 1:
            raise ModelError(f"{source}: it feeds back into itself in several ways or layers; snnTorch has one")
        if path and not _recurrent_weights(network, path[0], source):
            raise ModelError(
                f"{path[0]}: no such recurrent layer in snnTorch, only linear, elementwise, and 2-d"
                " convolutions that keep their shape"
            )
        yield source, path


def _begins(connection: Connection, target: str) -> bool:
    return (connection.path[0] if connection.path else connection.target) == target


def _recurrent_weights(network: Network, name: str, neuron: str) -> bool:
    node = network.nodes[name]
    if network.sources(name) != [neuron] or list(network.edges.successors(name)) != [neuron]:
        return False
    if not isinstance(node, nir.Conv2d):
        return isinstance(node, nir.Linear | nir.Affine | nir.Scale)
    plain = pair(node.stride) == pair(node.dilation) == (1, 1) and int(node.groups) == 1
    return plain and padding_of(node) in (tuple(n // 2 for n in node.weight.shape[2:]), "same")


def _sources(network: Network, name: str, loops: dict[str, tuple[str, ...]]) -> list[str]:
    """What leads into a node besides its own way back."""
    if name not in loops:
        return network.sources(name)
    back = loops[name][0] if loops[name] else name
    return [source for source in network.sources(name) if source != back]


def _names(order: list[str]) -> dict[str, str]:
    """By node, a name that torch and Python's code take for a module."""
    names: dict[str, str] = {}
    for index, name in enumerate(order):
        plain = re.sub(r"\W", "_", name, flags=re.ASCII)
        free = not hasattr(nn.Sequential, plain) and not hasattr(fx.GraphModule, plain) and plain not in names.values()
        names[name] = plain if free and plain not in _TAKEN else f"{plain}_{index}"
    return names


_TAKEN = frozenset(nn.Module().__dict__) | {"graph", "x"}


def _prove(model: Model) -> None:
    """Run the modules in float64 and hold all that the network sends against the model's own simulation.

    Raises:
        ModelError: something differs.

    """
    network = model.network
    net = _build(network, torch.float64).eval()
    x = sample_input(
        network.input_shape, model.time_steps, static=model.encoding.static, binary=not model.encoding.analog
    )
    with torch.no_grad():
        found = torch.stack([net(step) for step in x])
        wanted = Simulation(model.graph, torch.float64)(x).output
    name = network.read_out
    held = agreement({name: wanted}, {name: found}, FLOAT64, membranes=network.membranes)
    if not held.equal:
        raise ModelError(f"snnTorch's modules do not do what the model does ({held.fault})")


def _one(values: Any) -> Any:
    """One number where all of a layer are the same."""
    return values.flat[0] if (values == values.flat[0]).all() else values


def _tensor(value: Any, dtype: torch.dtype) -> Tensor:
    return torch.as_tensor(np.array(value), dtype=dtype)
