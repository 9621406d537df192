"""NIR graphs of any origin, made ready: one level, one time step, plain floats."""

from __future__ import annotations

from copy import copy

import nir
import numpy as np

from spear_deploy.errors import ModelError
from spear_deploy.network import pools, resampling, unflattening
from spear_deploy.network.editing import with_nodes
from spear_deploy.network.neuron import DEFAULT_DT_S, NEURON_TYPES
from spear_deploy.network.nir_batch import without_batch
from spear_deploy.network.nir_convolution import restored
from spear_deploy.network.nir_scalars import spread_scalars
from spear_deploy.network.widen import widen

_PARAMETERS = (
    *("weight", "bias", "scale", "threshold", "delay", "r", "tau", "tau_mem", "tau_syn"),
    *("v_leak", "v_threshold", "v_reset", "w_in"),
)

_RESETTING = (nir.IF, nir.LIF, nir.CubaLIF)
"""Neurons whose reset NIR has no field for."""

_WEAK = 0.01
"""Input gain of an integrator below which its r was most likely written for a time step of 1."""


def prepare(graph: nir.NIRGraph, dt_s: float | None = None) -> tuple[nir.NIRGraph, tuple[str, ...]]:
    """A foreign graph as the rest of the program reads it.

    Nested graphs are flattened, narrow numbers widened, and every neuron says its time step:
    from its metadata, the graph's, `dt_s`, or 1e-4 s.

    Returns:
        A new graph, and what was assumed or changed, one line each.

    Raises:
        ModelError: nested graphs without clear ends, or two different time steps.

    """
    graph = flatten(graph)
    left_out = ", ".join(name for name, node in graph.nodes.items() if not isinstance(node, nir.NIRNode))
    if left_out:
        raise ModelError(f"{left_out}: no NIR node; the graph's exporter did not know this layer and left it out")
    graph, notices = without_batch(graph)
    graph, spread = spread_scalars(graph)
    notices += [f"{name}: its scalar parameters are spread over the layer" for name in spread]
    nodes = {name: _own(restored(_widened(node, name, notices), name), name) for name, node in graph.nodes.items()}
    dt, assumed = _time_step(graph, dt_s)
    weak: list[tuple[str, float]] = []
    for name, node in nodes.items():
        if isinstance(node, NEURON_TYPES):
            node.metadata = {**node.metadata, "dt": dt}
            if isinstance(node, nir.IF | nir.I) and "gain" not in node.metadata and (abs(node.r) * dt < _WEAK).all():
                weak.append((name, float(node.r.flat[0]) * dt))
    if assumed:
        notices.append(f"the graph names no time step: dt = {dt:g} s is assumed (give it: `dt_s`)")
        if weak:
            names, gains = zip(*weak, strict=True)
            notices.append(
                f"{', '.join(names)}: with this dt an integrator takes in r dt = {gains[0]:g} of its input a step;"
                " graphs from sinabs are meant for `dt_s=1`"
            )
    silent = [name for name, node in nodes.items() if isinstance(node, _RESETTING) and "reset" not in node.metadata]
    if silent:
        notices.append(f"{', '.join(silent)}: no reset is named: to v_reset is assumed, as NIR's equations have it")
    return with_nodes(graph, nodes), tuple(notices)


def flatten(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The same network on one level: node `b` of a graph `a` in it becomes `a.b`.

    Raises:
        ModelError: a graph in the graph without exactly one Input and one Output.

    """
    if not any(isinstance(node, nir.NIRGraph) for node in graph.nodes.values()):
        return graph
    nodes: dict[str, nir.NIRNode] = {}
    edges = [(a, b) for a, b in graph.edges]
    for name, node in graph.nodes.items():
        if not isinstance(node, nir.NIRGraph):
            nodes[name] = node
            continue
        inner = flatten(node)
        first, last = (_only(inner, kind, name) for kind in (nir.Input, nir.Output))
        nodes |= {f"{name}.{key}": part for key, part in inner.nodes.items() if key not in (first, last)}
        within = [(f"{name}.{a}", f"{name}.{b}") for a, b in inner.edges]
        edges = [(f"{name}.{last}" if a == name else a, f"{name}.{first}" if b == name else b) for a, b in edges]
        for end in (first, last):
            edges = _contracted([*edges, *within], f"{name}.{end}")
            within = []
    return with_nodes(graph, nodes, edges)


def _only(graph: nir.NIRGraph, kind: type, name: str) -> str:
    found = [key for key, node in graph.nodes.items() if isinstance(node, kind)]
    if len(found) != 1:
        raise ModelError(f"{name}: a graph in the graph needs exactly one {kind.__name__}, found {len(found)}")
    return str(found[0])


def _contracted(edges: list[tuple[str, str]], gone: str) -> list[tuple[str, str]]:
    before = [a for a, b in edges if b == gone]
    after = [b for a, b in edges if a == gone]
    return [edge for edge in edges if gone not in edge] + [(a, b) for a in before for b in after]


def _own(node: nir.NIRNode, name: str) -> nir.NIRNode:
    """A node that NIR does not have, where one stands for it."""
    return unflattening.unmarked(resampling.unmarked(pools.unmarked(node, name), name), name)


def _widened(node: nir.NIRNode, name: str, notices: list[str]) -> nir.NIRNode:
    node = copy(node)
    for key in _PARAMETERS:
        value = getattr(node, key, None)
        if value is None or isinstance(node, nir.Input | nir.Output):
            continue
        array, notice = widen(value, f"{name}: {key}")
        setattr(node, key, array)
        if notice is not None:
            notices.append(notice)
    return node


def _time_step(graph: nir.NIRGraph, dt_s: float | None) -> tuple[float, bool]:
    """The time step, and whether it is only assumed."""
    named = {
        float(np.asarray(node.metadata["dt"])): name
        for name, node in graph.nodes.items()
        if isinstance(node, NEURON_TYPES) and "dt" in node.metadata
    }
    if "dt" in graph.metadata:
        named.setdefault(float(np.asarray(graph.metadata["dt"])), "the graph")
    if len(named) > 1:
        given = ", ".join(f"{name} {dt:g} s" for dt, name in sorted(named.items()))
        raise ModelError(f"all neurons of a network share one time step, found {given}")
    if named:
        dt, name = next(iter(named.items()))
        if dt_s is not None and dt_s != dt:
            raise ModelError(f"{name}: its metadata says dt = {dt:g} s, `dt_s` says {dt_s:g} s; leave `dt_s` out")
        return dt, False
    return (DEFAULT_DT_S, True) if dt_s is None else (dt_s, False)
