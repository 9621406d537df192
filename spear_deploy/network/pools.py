"""The largest current of a window: a node that NIR does not have, and how it stands in NIR files.

A file holds the sum pool of the same windows, with `pool: max` in its metadata, from which our
reader restores the node; another reader would sum, which `differences` tells and `portable` refuses.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spear_deploy.errors import ModelError, quoted
from spear_deploy.network.editing import with_nodes

Pool = nir.SumPool2d | nir.AvgPool2d

MARK = "max"
"""Value of the metadata `pool` of a sum pool that stands for a maximum."""

LINE_MARK = "max of a line"
"""The same on `[C, L]`, where nir takes the first of both axes of a window: they are exchanged."""


@dataclass(eq=False)
class MaxPool2d(nir.NIRNode):
    """The largest value in each window, channel by channel: `[C, H, W]`, or `[C, L]` with a kernel of (1, k).

    Of currents, before a neuron. Of spikes it is a SumPool2d and a Threshold of 0.5, which NIR has.
    Padding never wins (torch pads with -inf). Kernel, stride and padding are (height, width).
    """

    kernel_size: NDArray[np.int64]
    stride: NDArray[np.int64]
    padding: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Leave the shapes open, as nir's own pools do."""
        self.input_type = {"input": None}
        self.output_type = {"output": None}


def as_sum(node: MaxPool2d) -> nir.SumPool2d:
    """The sum over the same windows."""
    return nir.SumPool2d(kernel_size=node.kernel_size, stride=node.stride, padding=node.padding)


def with_sums(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph with a sum pool in the place of every maximum: the same windows, another result."""
    nodes = {name: as_sum(node) if isinstance(node, MaxPool2d) else node for name, node in graph.nodes.items()}
    return with_nodes(graph, nodes)


def marked(node: nir.NIRNode, *, line: bool) -> nir.NIRNode:
    """The node as a NIR file holds it."""
    if not isinstance(node, MaxPool2d):
        return node
    written = as_sum(_exchanged(node) if line else node)
    written.metadata = {**node.metadata, "pool": LINE_MARK if line else MARK}
    return written


def unmarked(node: nir.NIRNode, name: str) -> nir.NIRNode:
    """The node as it was before `marked`.

    Raises:
        ModelError: the metadata names a kind of pool that is not known.

    """
    if not isinstance(node, nir.SumPool2d) or "pool" not in node.metadata:
        return node
    kind = _text(node.metadata["pool"])
    if kind not in (MARK, LINE_MARK):
        raise ModelError(f"{name}: unknown pool {quoted(kind)} in the metadata; known: {MARK}, {LINE_MARK}")
    found = MaxPool2d(node.kernel_size, node.stride, node.padding)
    found = _exchanged(found) if kind == LINE_MARK else found
    found.metadata = {key: copy(value) for key, value in node.metadata.items() if key != "pool"}
    return found


def _exchanged(node: MaxPool2d) -> MaxPool2d:
    """The pool with its axes exchanged."""
    return MaxPool2d(*(np.asarray(each)[::-1].copy() for each in (node.kernel_size, node.stride, node.padding)))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
