"""Axes of a batch, or of time, in the shapes of a graph's ends.

NIR's shapes are those of one sample in one step. nirtorch takes them from the tensor that a network was traced
with, so that norse's, sinabs' and rockpool's exporters write `[1, 6]` where the first weights take 6 inputs.
"""

from __future__ import annotations

from typing import Any

import nir
import numpy as np

from spear_deploy.network.editing import with_nodes
from spear_deploy.network.neuron import NEURON_TYPES

Shape = tuple[int, ...]

_AXES: dict[type[nir.NIRNode], int] = {
    nir.Affine: 1,
    nir.Linear: 1,
    nir.Conv1d: 2,
    nir.Conv2d: 3,
    nir.SumPool2d: 3,
    nir.AvgPool2d: 3,
}
"""How many axes a node's input has."""


def without_batch(graph: nir.NIRGraph) -> tuple[nir.NIRGraph, list[str]]:
    """The graph with ends of the shapes that its nodes take, and what was left out, a line each.

    Axes stay where the neurons behind have them too: weights may act on the last axis of several.
    """
    nodes = dict(graph.nodes)
    notices = []
    for name, node in graph.nodes.items():
        if not isinstance(node, nir.Input):
            continue
        shape = _shape(node)
        spare = _spare_axes(graph, name, shape)
        if not spare:
            continue
        lead, kept = shape[:spare], shape[spare:]
        nodes[name] = nir.Input(np.array(kept), metadata=dict(node.metadata))
        for end, output in graph.nodes.items():
            if isinstance(output, nir.Output) and _shape(output)[:spare] == lead:
                nodes[end] = nir.Output(np.array(_shape(output)[spare:]), metadata=dict(output.metadata))
        given, taken = (" x ".join(map(str, each)) for each in (shape, kept))
        notices.append(f"{name}: its shape {given} begins with axes of a batch or of time: {taken} is taken")
    return (with_nodes(graph, nodes), notices) if notices else (graph, [])


def _spare_axes(graph: nir.NIRGraph, name: str, shape: Shape) -> int:
    """How many axes of an input's shape nothing behind it has."""
    axes = [taken for a, b in graph.edges if a == name and (taken := _axes_of(graph, b)) is not None]
    if not axes or len(set(axes)) != 1 or len(shape) <= axes[0]:
        return 0
    spare = len(shape) - axes[0]
    wide = any(
        isinstance(node, NEURON_TYPES) and _shape(node)[:spare] == shape[:spare] and len(_shape(node)) > axes[0]
        for node in graph.nodes.values()
    )
    return 0 if wide else spare


def _axes_of(graph: nir.NIRGraph, name: str) -> int | None:
    """The axes that a node takes; None where any number will do."""
    node = graph.nodes[name]
    if isinstance(node, NEURON_TYPES):
        return len(_shape(node)) or None
    return _AXES.get(type(node))


def _shape(node: Any) -> Shape:
    ends = node.output_type["output"] if isinstance(node, nir.Output) else node.input_type["input"]
    return tuple(int(n) for n in np.asarray(ends).ravel())
