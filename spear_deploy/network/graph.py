"""Reading a `nir.NIRGraph`: order, shapes, layers and the connections between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import nir
import numpy as np
import torch

from spear_deploy.errors import ModelError, quoted
from spear_deploy.network.faults import check_finite, first_line
from spear_deploy.network.linear import Delay, Weighted, is_linear, linear_module, output_shape
from spear_deploy.network.neuron import DEFAULT_DT_S, NEURON_TYPES, Neuron, neuron_of
from spear_deploy.network.pools import MaxPool2d

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Connection:
    """The way from one neuron layer (or the input) to the next, through linear nodes only.

    `path` names the linear nodes in order; an empty path joins neurons one to one.
    """

    source: str
    target: str
    path: tuple[str, ...]


OF_CONNECTIONS = ("feedback", "stages", "layers", "connections")
"""What of a network follows from its nodes' names and kinds and from its edges, and takes long to find."""


class Network:
    """A checked view of a NIR graph: what is connected to what, in which order, of which shape.

    The graph stays the only representation of the network; this only reads it.

    Args:
        graph: the network.
        like: a network that may be connected alike, as the whole one is before it is pruned: what follows from
            connections alone is then taken from it.

    Raises:
        ModelError: the graph has no input or output, a node that is not supported, a cycle
            that passes through no neuron, or shapes that do not meet.

    """

    def __init__(self, graph: nir.NIRGraph, like: Network | None = None) -> None:
        if like is not None and _connected_alike(graph, like.graph):
            vars(self).update({key: vars(like)[key] for key in OF_CONNECTIONS if key in vars(like)})
        self.graph: nir.NIRGraph = graph
        self.nodes: dict[str, nir.NIRNode] = graph.nodes
        self._check_nodes()
        self.edges = nx.DiGraph()
        self.edges.add_nodes_from(sorted(self.nodes))
        self.edges.add_edges_from(sorted(set(graph.edges)))
        self.input = self._only(nir.Input)
        self.output = self._only(nir.Output)
        self.neurons: dict[str, Neuron] = {
            name: neuron_of(node, name) for name, node in self.nodes.items() if isinstance(node, NEURON_TYPES)
        }
        if not self.neurons:
            raise ModelError("the network has no neurons: nothing in it can spike")
        _ = self.dt_s  # two time steps in one network are refused at once
        self._check_cycles()
        self._check_maxima()
        self.shapes: dict[str, Shape] = {}
        self._infer_shapes()

    @property
    def input_shape(self) -> Shape:
        """Shape of one time step of one sample, `[C, H, W]` or `[N]`."""
        return self.shapes[self.input]

    @property
    def classes(self) -> int:
        """Number of output neurons."""
        return int(torch.Size(self.shapes[self.output]).numel())

    @cached_property
    def read_out(self) -> str:
        """The neuron layer whose output is the network's."""
        sources = list(self.edges.predecessors(self.output))
        if len(sources) != 1 or sources[0] not in self.neurons:
            raise ModelError(
                f"{self.output}: the output must come from one neuron layer, found {', '.join(sources) or 'nothing'};"
                " end the network with a neuron (one without reset and threshold reads out its membrane)"
            )
        return str(sources[0])

    @cached_property
    def dt_s(self) -> float:
        """Seconds that one time step stands for, the same in the whole network."""
        timed = {name: n for name, n in self.neurons.items() if not isinstance(self.nodes[name], nir.Threshold)}
        found = {neuron.dt_s: name for name, neuron in timed.items()}
        if not found:
            return DEFAULT_DT_S
        if len(found) > 1:
            given = ", ".join(f"{name} {dt:g} s" for dt, name in sorted(found.items()))
            raise ModelError(f"all neurons of a network share one time step, found {given}")
        return next(iter(found))

    @cached_property
    def delays(self) -> dict[str, int]:
        """Delay nodes of at least one step, with their steps."""
        steps = {
            name: delay_steps(node, name, self.dt_s) for name, node in self.nodes.items() if isinstance(node, nir.Delay)
        }
        return {name: count for name, count in steps.items() if count}

    @cached_property
    def feedback(self) -> frozenset[tuple[str, str]]:
        """Edges out of a neuron that carry the previous step's spikes, because they close a cycle.

        A cycle through a Delay of at least one step needs none: it is late enough by itself.
        """
        return frozenset(edge for part in self._cyclic_parts() for edge in self._feedback_of(part))

    @cached_property
    def stages(self) -> list[list[str]]:
        """Nodes in the order of execution; nodes that form a loop stand together in one stage."""
        condensed = nx.condensation(self.edges)
        order = nx.lexicographical_topological_sort(condensed, key=lambda part: min(condensed.nodes[part]["members"]))
        stages = []
        for part in order:
            members = condensed.nodes[part]["members"]
            forward = self.edges.subgraph(members).copy()
            forward.remove_edges_from([edge for edge in self.feedback if edge in forward.edges])
            forward.remove_edges_from([edge for edge in forward.edges if edge[0] in self.delays])
            stages.append(list(nx.lexicographical_topological_sort(forward)))
        return stages

    @cached_property
    def membranes(self) -> frozenset[str]:
        """Neuron layers that do not spike: what they send is their membrane."""
        return frozenset(name for name, neuron in self.neurons.items() if not neuron.spikes)

    @cached_property
    def layers(self) -> list[str]:
        """Neuron layers in the order of execution."""
        return [name for stage in self.stages for name in stage if name in self.neurons]

    @cached_property
    def connections(self) -> list[Connection]:
        """Every way from a neuron layer or the input into a neuron layer, by target in order."""
        return [found for layer in self.layers for found in sorted(self._into(layer), key=_by_path)]

    def into(self, layer: str) -> list[Connection]:
        """The connections into one layer."""
        return [connection for connection in self.connections if connection.target == layer]

    def sources(self, name: str) -> list[str]:
        """The nodes whose outputs are summed at a node's input, in a fixed order."""
        return sorted(self.edges.predecessors(name))

    def _into(self, layer: str) -> Iterator[Connection]:
        def walk(name: str, path: tuple[str, ...]) -> Iterator[Connection]:
            for source in self.sources(name):
                if source in self.neurons or source == self.input:
                    yield Connection(source, layer, path)
                else:
                    yield from walk(source, (source, *path))

        return walk(layer, ())

    def _check_nodes(self) -> None:
        if not self.nodes:
            raise ModelError("the graph is empty: it holds no nodes")
        for name, node in self.nodes.items():
            if not str(name).strip(".") or "/" in name or not name.isprintable():
                raise ModelError(
                    f"{quoted(name)}: no name of a node: names are printable and hold no '/', as files need it"
                )
            if isinstance(node, nir.NIRGraph):
                raise ModelError(f"{name}: a graph in the graph; flatten it with spear_deploy.network.flatten")
            if isinstance(node, (nir.Input, nir.Output, *NEURON_TYPES)):
                continue
            if is_linear(node):
                check_finite(node, name)
                continue
            raise ModelError(f"{name}: nodes of type {type(node).__name__} are not supported")
        known = set(self.nodes)
        twice = [edge for edge, count in Counter(self.graph.edges).items() if count > 1]
        if twice:
            raise ModelError(f"edge {twice[0][0]} -> {twice[0][1]}: it stands in the graph twice")
        for source, target in self.graph.edges:
            for end in (source, target):
                if end not in known:
                    raise ModelError(f"edge {source} -> {target}: there is no node {quoted(end)}")

    def _only(self, kind: type) -> str:
        found = sorted(name for name, node in self.nodes.items() if isinstance(node, kind))
        if len(found) != 1:
            raise ModelError(f"the network needs exactly one {kind.__name__} node, found {', '.join(found) or 'none'}")
        return found[0]

    def _check_cycles(self) -> None:
        without_neurons = self.edges.subgraph(set(self.nodes) - set(self.neurons))
        cycle = next(nx.simple_cycles(without_neurons), None)
        if cycle is not None:
            first = cycle.index(min(cycle))
            cycle = cycle[first:] + cycle[:first]
            raise ModelError(
                f"{' -> '.join([*cycle, cycle[0]])}: a cycle that passes through no neuron has no meaning in time"
            )

    def _check_maxima(self) -> None:
        """A largest current goes to neurons; as the input of weights it would be a value that no spike carries."""
        for name, node in self.nodes.items():
            if not isinstance(node, MaxPool2d):
                continue
            for behind in self._before_neurons(name):
                if isinstance(self.nodes[behind], Weighted):
                    raise ModelError(
                        f"{name}: the largest of values that are no spikes (0 or 1) goes into the weights of {behind};"
                        " it may only go to a neuron: put one between them, use an average pool, or pool the data"
                    )

    def _before_neurons(self, name: str) -> Iterator[str]:
        """The nodes behind a node, up to the next neurons."""
        for target in self.edges.successors(name):
            if target not in self.neurons:
                yield target
                yield from self._before_neurons(target)

    def _cyclic_parts(self) -> Iterator[set[str]]:
        prompt = self.edges.copy()
        prompt.remove_edges_from([edge for edge in self.edges.edges if edge[0] in self.delays])
        for part in nx.strongly_connected_components(prompt):
            if len(part) > 1 or any(prompt.has_edge(name, name) for name in part):
                yield part

    def _feedback_of(self, part: set[str]) -> Iterator[tuple[str, str]]:
        """Edges that lead from a neuron back to one that is not deeper, seen from where the loop is entered."""
        inner = self.edges.subgraph(part)
        entries = {b for a, b in self.edges.edges if b in part and a not in part} or {min(part)}
        depth: dict[str, int] = {}
        for entry in entries:
            for name, steps in nx.single_source_shortest_path_length(inner, entry).items():
                depth[name] = min(steps, depth.get(name, steps))
        for source in sorted(part & set(self.neurons)):
            for target in sorted(inner.successors(source)):
                if any(depth[layer] <= depth[source] for layer in self._next_neurons(target, part)):
                    yield source, target

    def _next_neurons(self, name: str, part: set[str]) -> set[str]:
        if name in self.neurons:
            return {name}
        found = set()
        for target in self.edges.successors(name):
            if target in part:
                found |= self._next_neurons(target, part)
        return found

    def _infer_shapes(self) -> None:
        node = self.nodes[self.input]
        self.shapes[self.input] = tuple(int(n) for n in node.input_type["input"])
        for name, neuron in self.neurons.items():
            self.shapes[name] = neuron.shape
        for stage in self.stages:
            for name in stage:
                self._infer_shape(name)
        for source, target in self.edges.edges:
            expected = self.shapes[target] if target in self.neurons else None
            if expected is not None and self.shapes[source] != expected:
                raise ModelError(
                    f"{source} -> {target}: {source} gives {_times(self.shapes[source])},"
                    f" {target} takes {_times(expected)}"
                )

    def _infer_shape(self, name: str) -> None:
        if name in self.shapes:
            return
        sources = self.sources(name)
        if not sources:
            raise ModelError(f"{name}: nothing leads into it")
        for source in sources:
            self._infer_shape(source)  # behind a Delay in a cycle the order of execution is no help
        shapes = {self.shapes[source] for source in sources}
        if len(shapes) != 1:
            given = ", ".join(f"{source} gives {_times(self.shapes[source])}" for source in sources)
            raise ModelError(f"{name}: its inputs differ in shape: {given}")
        shape = shapes.pop()
        node = self.nodes[name]
        if isinstance(node, nir.Output | nir.Delay):
            self.shapes[name] = shape
            return
        try:
            self.shapes[name] = output_shape(node, name, shape)
        except (RuntimeError, ValueError, IndexError) as error:
            raise ModelError(
                f"{name}: {type(node).__name__} cannot take the {_times(shape)} that {sources[0]} gives"
                f" ({first_line(error)})"
            ) from None


def _connected_alike(one: nir.NIRGraph, other: nir.NIRGraph) -> bool:
    """Whether two graphs differ in values and numbers of channels alone; a delay's value is one that counts."""
    kinds = [{name: type(node) for name, node in graph.nodes.items()} for graph in (one, other)]
    delays = any(kind is nir.Delay for kind in kinds[0].values())
    return kinds[0] == kinds[1] and one.edges == other.edges and not delays


def delay_steps(node: nir.Delay, name: str, dt_s: float) -> int:
    """A Delay node's delay in whole steps; NIR gives it in seconds.

    Raises:
        ModelError: the delay differs between elements or is no multiple of the time step.

    """
    seconds = np.unique(np.asarray(node.delay, dtype=np.float64))
    if len(seconds) != 1:
        raise ModelError(f"{name}: a delay must be the same for all elements, found {len(seconds)} values")
    steps = float(seconds[0]) / dt_s
    if steps < 0 or abs(steps - round(steps)) > 1e-6 * max(1.0, steps):
        raise ModelError(f"{name}: a delay must be a multiple of dt = {dt_s:g} s, found {float(seconds[0]):g} s")
    return round(steps)


def module_of(network: Network, name: str, dtype: torch.dtype) -> torch.nn.Module:
    """The torch module of one linear node of a network."""
    node = network.nodes[name]
    if isinstance(node, nir.Delay):
        return Delay(delay_steps(node, name, network.dt_s))
    return linear_module(node, name, dtype)


def _by_path(connection: Connection) -> tuple[str, tuple[str, ...]]:
    return connection.source, connection.path


def _times(shape: Shape) -> str:
    return " x ".join(str(n) for n in shape)
