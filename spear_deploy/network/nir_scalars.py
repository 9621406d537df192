"""Neuron nodes whose parameters are plain numbers, spread over the layer that they stand for.

NIR takes a layer's shape from its parameters. snnTorch writes a scalar beta as a scalar tau, so
its files hold neurons of shape (), which only what leads into them can tell.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import nir
import numpy as np

from spear_deploy.errors import ModelError
from spear_deploy.network.editing import with_nodes
from spear_deploy.network.faults import first_line
from spear_deploy.network.linear import output_shape
from spear_deploy.network.neuron import NEURON_TYPES

Shape = tuple[int, ...]

_KINDS = (*NEURON_TYPES, nir.Delay, nir.Scale)


def spread_scalars(graph: nir.NIRGraph) -> tuple[nir.NIRGraph, tuple[str, ...]]:
    """The graph with every scalar neuron, delay and scale in the shape of what leads into it.

    Returns:
        The graph (the same one where nothing is scalar), and the names of the nodes spread.

    Raises:
        ModelError: a scalar node that nothing of a known shape leads into.

    """
    scalar = [name for name, node in graph.nodes.items() if isinstance(node, _KINDS) and _shape(node) == ()]
    if not scalar:
        return graph, ()
    shapes: dict[str, Shape] = {}
    nodes = dict(graph.nodes)
    for name in scalar:
        nodes[name] = _spread(graph.nodes[name], _output_shape(graph, name, shapes, ()))
    ends = [name for name, node in nodes.items() if isinstance(node, nir.Output)]
    for name in ends:
        nodes[name] = nir.Output(np.array(_output_shape(graph, name, shapes, ())))
    return with_nodes(graph, nodes), tuple(scalar)


def _shape(node: Any) -> Shape:
    return tuple(int(n) for n in np.asarray(node.input_type["input"]).ravel())


def _output_shape(graph: nir.NIRGraph, name: str, shapes: dict[str, Shape], path: tuple[str, ...]) -> Shape:
    """The shape that a node gives, from its own parameters or from the first input that has one."""
    node = graph.nodes[name]
    if isinstance(node, nir.Input) or (isinstance(node, _KINDS) and _shape(node)):
        return _shape(node)
    if name not in shapes:
        before = [a for a, b in graph.edges if b == name and a in graph.nodes and a not in (*path, name)]
        for source in sorted(before, key=lambda a: not isinstance(graph.nodes[a], nir.Input)):
            try:
                given = _output_shape(graph, source, shapes, (*path, name))
            except ModelError:
                continue  # a way that leads around a cycle; another one leads from the input
            shapes[name] = given if isinstance(node, (*_KINDS, nir.Output)) else _after(node, name, given)
            break
        else:
            raise ModelError(f"{name}: its parameters are scalars, and nothing that leads into it has a shape")
    return shapes[name]


def _after(node: nir.NIRNode, name: str, shape: Shape) -> Shape:
    try:
        return output_shape(node, name, shape)
    except (RuntimeError, ValueError, IndexError) as error:
        given = " x ".join(map(str, shape))
        raise ModelError(f"{name}: cannot take an input of {given} ({first_line(error)})") from None


def _spread(node: nir.NIRNode, shape: Shape) -> nir.NIRNode:
    wide = copy(node)
    for key, value in vars(node).items():
        if key not in ("input_type", "output_type", "metadata"):
            setattr(wide, key, np.full(shape, value))
    wide.input_type = {"input": np.array(shape)}
    wide.output_type = {"output": np.array(shape)}
    return wide
