"""The way back into PyTorch: a model as a module that runs, trains and is saved again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor, nn

from spear_deploy.errors import ModelError
from spear_deploy.network.constants import constants
from spear_deploy.network.editing import with_arrays, with_nodes
from spear_deploy.network.model import Model
from spear_deploy.network.neuron import node_of
from spear_deploy.network.neuron_layer import TRAINABLE, NeuronLayer
from spear_deploy.network.simulation import Simulation
from spear_deploy.network.surrogate import SURROGATES, Spike

PRECISIONS = (torch.float32, torch.float64)
"""Of a module; coarser ones are autocast's, which keeps membranes in float32."""

_ARRAYS = ("weight", "bias", "scale")
"""What of a node is a parameter."""


def to_torch(
    model: Model,
    *,
    dtype: torch.dtype = torch.float32,
    surrogate: str | Spike = "atan",
    trainable: Iterable[str] = (),
) -> TorchNetwork:
    """A model as a module of PyTorch, with parameters of its own.

    Args:
        model: dense or pruned.
        dtype: precision of the module.
        surrogate: whose gradient a spike has: `atan`, `fast_sigmoid`, `sigmoid`, or a function of the
            membrane above its threshold that gives 1 where that is positive.
        trainable: constants of neurons that become parameters beside weights and biases: `beta`, `alpha`,
            `threshold`; one, or several.

    Raises:
        ModelError: no such surrogate or constant, or what is given is no model.

    """
    if not isinstance(model, Model):
        raise ModelError(f"to_torch takes a model, found {type(model).__name__}; a file is read by load_model")
    if dtype not in PRECISIONS:
        raise ModelError(f"a module computes in torch.float32 or torch.float64, found {dtype!r}")
    learned = (trainable,) if isinstance(trainable, str) else tuple(trainable)
    if isinstance(surrogate, str):
        if surrogate not in SURROGATES:
            raise ModelError(f"{surrogate!r}: no such surrogate; known: {', '.join(sorted(SURROGATES))}")
        surrogate = SURROGATES[surrogate]
    if not callable(surrogate):
        raise ModelError(f"a surrogate is a name or a function, found {type(surrogate).__name__}")
    return TorchNetwork(model, Simulation(model.graph, dtype, surrogate, _known(learned, model)))


def _known(learned: Iterable[object], model: Model) -> list[str]:
    """Constants of neurons that a network has.

    Raises:
        ModelError: neurons of no kind have it, or none here.

    """
    neurons = model.network.neurons.values()
    held = {key for key in TRAINABLE if any(getattr(neuron, key) is not None for neuron in neurons)}
    for key in learned:
        if key not in TRAINABLE:
            raise ModelError(f"{key} of a neuron cannot be trained, only {', '.join(TRAINABLE)}")
        if key not in held:
            raise ModelError(f"{key}: no neuron of this network has it; they have {', '.join(sorted(held))}")
    return [str(key) for key in learned]


class TorchNetwork(nn.Module):
    """A model as a module: `[T, B, *input_shape]` at once, or `[B, *input_shape]` step by step.

    A sequence starts from rest and gives `[T, B, *output_shape]`: spikes, or membranes of a read-out that
    does not spike. A single step gives `[B, *output_shape]` and goes on from the step before, until
    `reset` begins other samples. Gradients pass spikes by a surrogate; resets are not differentiated.
    `spear_deploy.save_model(network, path)` writes it with the parameters that it has then.
    """

    def __init__(self, model: Model, simulation: Simulation) -> None:
        super().__init__()
        self._use = model
        self.simulation = simulation
        self._steps: _Steps | None = None

    @property
    def model(self) -> Model:
        """The model with the parameters that the module has now.

        Raises:
            ModelError: training left it with values that no network has, such as NaN or a threshold below 0.

        """
        return self._use.with_graph(trained_graph(self.simulation))

    def layer(self, name: str) -> nn.Module:
        """The module of one node of the model, such as a layer's weights."""
        if not isinstance(name, str) or name not in self.simulation.names:
            raise ModelError(f"{name!r}: no such layer; there are {', '.join(self.simulation.names)}")
        return self.simulation.module(name)

    def reset(self) -> None:
        """Begin other samples: the next single step starts from rest."""
        self._steps = None

    def forward(self, x: Tensor) -> Tensor:
        """Run a sequence `[T, B, *input_shape]`, or one more step `[B, *input_shape]`.

        Raises:
            ModelError: another shape, or a step of another number of samples than the one before.

        """
        shape = self._use.network.input_shape
        if not isinstance(x, Tensor):
            raise ModelError(f"a network runs tensors; found {type(x).__name__}")
        if tuple(x.shape[-len(shape) :]) != shape or x.ndim - len(shape) not in (1, 2):
            sizes = ", ".join(map(str, shape))
            raise ModelError(f"needed [T, B, {sizes}], or [B, {sizes}] for one step, found {list(x.shape)}")
        if self.simulation.dtype not in PRECISIONS:
            raise ModelError(
                f"a network runs in torch.float32 or torch.float64, and this one was made {self.simulation.dtype};"
                " take torch.autocast instead"
            )
        if not x.numel():
            raise ModelError(f"there is no step or no sample to run in {list(x.shape)}")
        x = (x.to_dense() if x.layout != torch.strided else x).to(self.simulation.dtype)
        if x.ndim - len(shape) == 2:
            output: Tensor = self.simulation(x).output
            return output
        if self._steps is None:
            self._steps = _Steps(self.simulation, len(x))
        return self._steps.step(x)

    def extra_repr(self) -> str:
        """How the model is used."""
        return f"{self._use.time_steps} time steps, {self._use.encoding}, {self._use.read_out}"

    def __getstate__(self) -> dict[str, Any]:
        """What is copied and pickled: a copy begins other samples."""
        return self.__dict__ | {"_steps": None}

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> TorchNetwork:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        parameter = next(self.parameters(), None)
        if parameter is not None:
            self.simulation.dtype = parameter.dtype
        self.reset()
        return self


@dataclass
class _Steps:
    """A simulation that is run one time step at a time."""

    simulation: Simulation
    samples: int
    states: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    sent: dict[str, Tensor] = field(default_factory=dict)
    under_way: dict[str, deque[Tensor]] = field(default_factory=dict)

    def step(self, x: Tensor) -> Tensor:
        """The network's output in the next step, `[B, *output_shape]`."""
        if len(x) != self.samples:
            raise ModelError(f"a step of {len(x)} samples after one of {self.samples}; reset() begins other samples")
        network = self.simulation.network
        values = {network.input: x}
        for name, steps in network.delays.items():
            line = self.under_way.setdefault(name, deque())
            values[name] = line.popleft() if len(line) == steps else self._silence(name, x)
        for name in (name for stage in network.stages for name in stage):
            if name not in values:
                values[name] = self._run(name, self._into(name, values))
        for name in network.delays:
            self.under_way[name].append(self._into(name, values))
        self.sent = {name: values[name] for name in network.neurons}
        return values[network.output]

    def _into(self, name: str, values: dict[str, Tensor]) -> Tensor:
        network, total = self.simulation.network, None
        for source in network.sources(name):
            late = (source, name) in network.feedback
            term = self.sent.get(source) if late else values[source]
            if term is not None:
                total = term if total is None else total + term
        return self._silence(network.sources(name)[0], values[network.input]) if total is None else total

    def _run(self, name: str, total: Tensor) -> Tensor:
        if name == self.simulation.network.output:
            return total
        module = self.simulation.module(name)
        if isinstance(module, NeuronLayer):
            output, self.states[name] = module.step(total, self.states.get(name, module.start(total)))
            return output
        result: Tensor = module(total)
        return result

    def _silence(self, name: str, x: Tensor) -> Tensor:
        return x.new_zeros((len(x), *self.simulation.network.shapes[name]))


def trained_graph(simulation: Simulation, frozen: Collection[str] = ()) -> nir.NIRGraph:
    """The simulation's network with the parameters that it has now, in no less precision than they have.

    The weights of `frozen` nodes and constants are those that the network had, to the last bit. Weights that stand in
    several places stay one, and are not rounded where each place rounds them in its own way.
    """
    graph = simulation.network.graph
    nodes = dict(graph.nodes)
    stay = {*frozen, *constants(nodes)}
    trained = simulation.trained_neurons() if any(_constants(simulation)) else {}
    shared = {name for places in simulation.shared for name in places}
    for name, node in graph.nodes.items():
        if name in trained:
            nodes[name] = node_of(trained[name])
        elif name not in stay and (keys := [key for key in _ARRAYS if hasattr(node, key)]):
            module = simulation.module(name)
            held = {key: _unrounded(module, key) if name in shared else getattr(module, key) for key in keys}
            nodes[name] = with_arrays(node, {key: _array(each, getattr(node, key)) for key, each in held.items()})
    return with_nodes(graph, nodes)


def _unrounded(module: nn.Module, key: str) -> Tensor:
    parameter: Tensor = dict(module.named_parameters()).get(f"parametrizations.{key}.original", getattr(module, key))
    return parameter


def _constants(simulation: Simulation) -> Iterable[frozenset[str]]:
    """What of each neuron layer is trained."""
    layers = (simulation.module(name) for name in simulation.network.neurons)
    return (layer.trainable for layer in layers if isinstance(layer, NeuronLayer))


def _array(parameter: Tensor, before: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
    now = parameter.detach().cpu().double().numpy()
    precise = np.float64 if parameter.dtype == torch.float64 else before.dtype
    return now.astype(np.promote_types(before.dtype, precise), copy=True)
