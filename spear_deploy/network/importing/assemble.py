"""From what a network did to the NIR graph that does the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx
import nir
import numpy as np
import torch

from spear_deploy.errors import ModelError
from spear_deploy.network.constants import constant
from spear_deploy.network.editing import graph_of
from spear_deploy.network.graph import Network
from spear_deploy.network.importing.batch_norm import fold
from spear_deploy.network.importing.expression import (
    INPUT,
    MEMBRANE,
    SPIKES,
    Apply,
    Expression,
    Leaf,
    Sum,
    Zero,
    before_start,
    leaves,
    relative,
)
from spear_deploy.network.importing.heads import Head, HeadKind, choose
from spear_deploy.network.importing.layers import MAX_POOLS, largest_of, nodes_of, torch_class
from spear_deploy.network.importing.neurons import learns_spike_size, neuron_of_module, spike_size, spread
from spear_deploy.network.importing.sharing import apart
from spear_deploy.network.importing.trace import Recording
from spear_deploy.network.linear import Weighted
from spear_deploy.network.neuron import Neuron, Reset, node_of
from spear_deploy.network.read_out import ReadOut
from spear_deploy.network.sharing import marked, shared_weights

_BINARY_SHAPERS = ("Flatten", "Unflatten", "MaxPool1d", "MaxPool2d")
"""Layers whose output is 0 or 1 where their input is."""


@dataclass(frozen=True)
class Assembled:
    """A converted network.

    Attributes:
        graph: the network.
        read_out: the neuron layer that is its output.
        head: what of the original that is.
        read_as: how it becomes a class.
        folded: the batch normalisations that went into weights.
        also_returned: layers before the output that the original returns too.
        shared: layers with weights that stand in several places, each a layer of its own.
        one: those of them whose weights are still the same in all places.

    """

    graph: nir.NIRGraph
    read_out: str
    head: Head
    read_as: ReadOut
    folded: tuple[str, ...]
    also_returned: tuple[str, ...]
    shared: tuple[str, ...]
    one: frozenset[str]


@dataclass(frozen=True)
class _Edge:
    source: str
    target: str
    lag: int


def assemble(
    recording: Recording,
    *,
    read_out: ReadOut | None,
    binary_input: bool,
    dt_s: float,
    output: str | int | None = None,
) -> Assembled:
    """Build the graph of a recorded network.

    Args:
        recording: what it did.
        read_out: how the output becomes a class; None for as the network returns it.
        binary_input: whether its input is spikes, 0 or 1.
        dt_s: seconds that one time step stands for.
        output: which of several outputs is meant: its layer, or its place among what is returned.

    Raises:
        ModelError: layers that are shared, not supported or not the same in every step.

    """
    silent = frozenset(name for name, layer in recording.layers.items() if _is_silent(layer.module))
    inputs = {name: _steady(name, calls.inputs, silent) for name, calls in recording.neurons.items()}
    chosen = choose(recording, inputs, read_out=read_out, output=output)
    head, last = chosen.head, chosen.head.name
    if head.kind is HeadKind.CURRENTS:
        last = f"{head.name}_out"
        inputs[last] = _steady(last, list(head.parts), silent) if head.complete(len(recording.sample)) else head.root
    inputs = {name: inputs[name] for name in _ancestors(inputs, last)}
    inputs, layers, shared = apart(inputs, recording.layers, recording.shapes)
    inputs, layers, folded = fold(inputs, layers)
    builder = _Builder(recording, binary_input, dt_s)
    builder.layers = layers
    builder.shared = {place: name for name, places in shared.items() for place in places}
    builder.ports = {(leaf.node, leaf.port) for root in inputs.values() for leaf in leaves(root)}
    if head.kind is not HeadKind.CURRENTS:
        builder.ports.add((head.name, SPIKES if head.kind is HeadKind.SPIKES else MEMBRANE))
    for name, root in inputs.items():
        if name in recording.neurons:
            builder.add_neuron(name, root)
        else:
            builder.add_read_out(name, root, _shape_of(recording, head))
    builder.edges.add(_Edge(last, "output", 0))
    builder.nodes["output"] = nir.Output(np.array(_shape_of(recording, head)))
    graph = builder.graph()
    alike = {frozenset(places) for places in shared_weights(graph.nodes)}
    one = frozenset(name for name, places in shared.items() if frozenset(builder.weights_of(places)) in alike)
    return Assembled(graph, last, head, chosen.read_out, tuple(folded), chosen.also, tuple(shared), one)


def _shape_of(recording: Recording, head: Head) -> tuple[int, ...]:
    """Shape of one time step of what a head gives."""
    if head.kind is not HeadKind.CURRENTS:
        return recording.neurons[head.name].shape
    layer = recording.layers[head.name]
    with torch.no_grad():  # what the class does: on the copy, forward is watched
        zeros = torch.zeros(1, *layer.shape, dtype=torch.float64)
        out = (torch_class(layer.module) or type(layer.module)).forward(layer.module, zeros)
    return tuple(out.shape[1:])


def _is_silent(module: object) -> bool:
    """Whether zero in gives zero out."""
    return getattr(module, "bias", None) is None and not hasattr(module, "running_mean")


def _steady(name: str, inputs: list[Expression], silent: frozenset[str]) -> Expression:
    """What leads into a neuron layer, the same in every step once time has begun."""
    last = len(inputs) - 1
    root = relative(inputs[last], last)
    for step, expression in enumerate(inputs):
        expected = before_start(root, step, silent)
        if before_start(relative(expression, step), step, silent) != expected:
            raise ModelError(
                f"{name}: what leads into it in step {step} differs from step {last}; let the same layers act in every"
                " step (a norm for each has no node)"
            )
    return root


def _leading(inputs: dict[str, Expression]) -> nx.DiGraph:
    """An edge from each neuron layer, and the input, to the layers that it leads into."""
    edges = nx.DiGraph((leaf.node, name) for name, root in inputs.items() for leaf in leaves(root))
    edges.add_nodes_from(inputs)
    return edges


def _ancestors(inputs: dict[str, Expression], last: str) -> list[str]:
    """The neuron layers that the output depends on, in the order of the recording."""
    edges = _leading(inputs)
    kept = nx.ancestors(edges, last) | {last}
    return [name for name in inputs if name in kept]


class _Builder:
    """Collects nodes and edges; each layer becomes its nodes once."""

    def __init__(self, recording: Recording, binary_input: bool, dt_s: float) -> None:
        self.recording = recording
        self.layers = recording.layers
        self.binary_input = binary_input
        self.dt_s = dt_s
        self.ports: set[tuple[str, str]] = set()
        self.nodes: dict[str, nir.NIRNode] = {"input": nir.Input(np.array(recording.sample.shape[2:]))}
        self.edges: set[_Edge] = set()
        self.shared: dict[str, str] = {}
        self._of: dict[str, Expression] = {}
        self._ends: dict[str, str] = {}

    def add_neuron(self, name: str, root: Expression) -> None:
        calls = self.recording.neurons[name]
        spiking = (name, SPIKES) in self.ports
        if spiking and (name, MEMBRANE) in self.ports:
            raise ModelError(f"{name}: both its spikes and its membrane are used; NIR neurons have one output")
        self._lead(root, name)
        try:
            self.nodes[name] = node_of(neuron_of_module(calls.module, name, calls.shape, self.dt_s, spiking=spiking))
        except ModelError as error:
            message = str(error)
            raise ModelError(message if message.startswith(f"{name}:") else f"{name}: {message}") from None

    def add_read_out(self, name: str, root: Expression, shape: tuple[int, ...]) -> None:
        """A last layer without neurons: membranes that forget at once, so that they are its currents."""
        self._lead(root, name)
        ones = np.ones(shape)
        self.nodes[name] = node_of(Neuron(0 * ones, gain=ones, threshold=None, reset=Reset.NONE, dt_s=self.dt_s))

    def graph(self) -> nir.NIRGraph:
        """The graph; spikes of the step before come over a cycle, or where there is none over a Delay."""
        at_once = {(edge.source, edge.target) for edge in self.edges if edge.lag == 0}
        cyclic = {edge for edge in self.edges if edge.lag == 1 and (edge.source, edge.target) not in at_once}
        while cyclic:
            graph = self._with_delays(cyclic)
            feedback = Network(graph).feedback
            closing = {edge for edge in cyclic if (edge.source, edge.target) in feedback}
            if len(closing) == len(cyclic) == len(feedback):
                return graph
            # What closes no cycle is not late by itself, and gets a Delay; then look again.
            cyclic = closing if len(closing) < len(cyclic) else set()
        return self._with_delays(cyclic)

    def _with_delays(self, cyclic: set[_Edge]) -> nir.NIRGraph:
        """The graph with a Delay for each late edge but those that close a cycle."""
        nodes, edges = dict(self.nodes), []
        for edge in sorted(self.edges, key=lambda e: (e.source, e.target, e.lag)):
            if edge.lag and edge not in cyclic:
                delay = f"{edge.source}_{edge.target}_delay{edge.lag if edge.lag > 1 else ''}"
                nodes[delay] = nir.Delay(np.full(self._shape(edge.source), edge.lag * self.dt_s))
                edges += [(edge.source, delay), (delay, edge.target)]
            else:
                edges.append((edge.source, edge.target))
        return graph_of(nodes, edges)

    def _shape(self, node: str) -> tuple[int, ...]:
        owner = node.removesuffix("_graded")
        if node == "input":
            return tuple(self.recording.sample.shape[2:])
        return self.recording.neurons[owner].shape

    def _lead(self, expression: Expression, target: str) -> None:
        """Edges from where an expression comes from into a node."""
        for term in expression.terms if isinstance(expression, Sum) else (expression,):
            if isinstance(term, Apply):
                edge = _Edge(self._layer(term), target, 0)
            elif isinstance(term, Leaf):
                edge = _Edge(self._source(term), target, term.step or 0)
            elif isinstance(term, Zero):
                continue
            else:
                raise ModelError(f"{target}: it receives several time steps at once; call it once a step")
            if edge in self.edges:
                raise ModelError(f"{target}: {edge.source} is added to itself; scale it by 2 instead")
            self.edges.add(edge)

    def _source(self, leaf: Leaf) -> str:
        if leaf.node == INPUT:
            return "input"
        calls = self.recording.neurons[leaf.node]
        if leaf.port not in (SPIKES, MEMBRANE):
            raise ModelError(f"{leaf.node}: its {leaf.port} is used by another layer; only spikes can be")
        factor = spike_size(calls.module)
        if factor.eq(1).all() or leaf.port == MEMBRANE:
            return leaf.node
        name = f"{leaf.node}_graded"
        if name not in self.nodes:
            node = nir.Scale(scale=spread(factor, calls.shape, leaf.node, "graded_spikes_factor"))
            self.nodes[name] = node if learns_spike_size(calls.module) else constant(node)
            self.edges.add(_Edge(leaf.node, name, 0))
        return name

    def _layer(self, part: Apply) -> str:
        """The last node of a layer, built when it is met first."""
        if part.op in self._of:
            if self._of[part.op] != part.of:
                raise ModelError(f"{part.op}: it stands in several places of the network; give each its own module")
            return self._ends[part.op]
        self._of[part.op] = part.of
        layer = self.layers[part.op]
        if isinstance(layer.module, MAX_POOLS) and not self._is_binary(part.of):
            chain: list[nir.NIRNode] = [largest_of(layer.module, part.op, layer.shape)]
        else:
            chain = nodes_of(layer.module, part.op, layer.shape)
        if part.op in self.shared:
            chain = [marked(node, self.shared[part.op]) if isinstance(node, Weighted) else node for node in chain]
        names = [part.op, *(f"{part.op}_{type(node).__name__.lower()}" for node in chain[1:])]
        self._ends[part.op] = names[-1]
        self.nodes |= dict(zip(names, chain, strict=True))
        self.edges |= {_Edge(a, b, 0) for a, b in pairwise(names)}
        self._lead(part.of, names[0])
        return names[-1]

    def weights_of(self, places: Iterable[str]) -> Iterator[str]:
        """The nodes with weights of layers."""
        ends = {place: self._ends[place] for place in places}
        for place, end in ends.items():
            yield from (name for name in {place, end} if isinstance(self.nodes[name], Weighted))

    def _is_binary(self, expression: Expression) -> bool:
        if isinstance(expression, Apply):
            kind = type(self.layers[expression.op].module).__name__
            return kind in _BINARY_SHAPERS and self._is_binary(expression.of)
        if not isinstance(expression, Leaf):
            return False
        if expression.node == INPUT:
            return self.binary_input
        return expression.port == SPIKES and bool(
            spike_size(self.recording.neurons[expression.node].module).eq(1).all()
        )
