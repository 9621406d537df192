"""How weights stand in the file: as float32, or as 8-bit integers with a scale for each output."""

from __future__ import annotations

from copy import copy
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spear_deploy.exporters.onnx.graph import GraphBuilder
from spear_deploy.network import Model
from spear_deploy.network.editing import with_nodes
from spear_deploy.network.linear import Weighted

INT8_MAX = 127
"""Symmetric: -128 is not used, so that the zero point is 0."""


class Weights:
    """Weights in float32."""

    def add(self, builder: GraphBuilder, name: str, weight: Any) -> str:
        """Add the weights of a node; the name of their float32 value."""
        return builder.constant(f"{name}.weight", weight)


class Int8Weights(Weights):
    """Weights as QDQ: int8, and a DequantizeLinear that makes them float32 again.

    This is a compression of the file for processors that multiply in int8; it is not how a
    neuromorphic chip computes.
    """

    def add(self, builder: GraphBuilder, name: str, weight: Any) -> str:
        """Add integers and scales, and the node that multiplies them."""
        integers, scales = to_int8(np.asarray(weight))
        inputs = [
            builder.constant(f"{name}.weight_int8", integers, np.int8),
            builder.constant(f"{name}.weight_scale", scales),
            builder.constant(f"{name}.weight_zero", np.zeros(len(scales)), np.int8),
        ]
        return builder.add("DequantizeLinear", inputs, f"{name}.weight", axis=0)


def to_int8(weight: NDArray[Any]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Integers, and a scale for each output channel: weight = integer * scale."""
    largest = np.abs(weight.reshape(len(weight), -1)).max(axis=1)
    scales = np.where(largest > 0, largest / INT8_MAX, 1.0).astype(np.float32)
    divided = weight / scales.astype(np.float64).reshape(-1, *(1,) * (weight.ndim - 1))
    return np.clip(np.rint(divided), -INT8_MAX, INT8_MAX).astype(np.int8), scales


def rounded_to_int8(model: Model) -> Model:
    """The model with the weights that an int8 file holds."""
    nodes: dict[str, nir.NIRNode] = {}
    for name, node in model.graph.nodes.items():
        nodes[name] = node
        if isinstance(node, Weighted):
            integers, scales = to_int8(np.asarray(node.weight))
            nodes[name] = rounded = copy(node)
            rounded.weight = (integers * scales.reshape(-1, *(1,) * (integers.ndim - 1))).astype(np.float64)
    return model.with_graph(with_nodes(model.graph, nodes))
