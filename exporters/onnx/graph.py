"""Collects the nodes and constants of an ONNX graph under names that tell where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


@dataclass
class GraphBuilder:
    """Nodes in the order in which they were added; each is called after its output.

    Attributes:
        nodes: what was added.
        constants: initializers by name; one serves all time steps.
        mark: appended to the names of values, so that a network can be written out step by step.

    """

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)
    mark: str = ""

    def add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """A node of one output, and the name of that."""
        name = output + self.mark
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=f"{name}/{op}", **attributes))
        return name

    def constant(self, name: str, value: Any, dtype: type = np.float32) -> str:
        """A constant of the graph, and its name."""
        if name not in self.constants:
            array: NDArray[Any] = np.array(value, dtype=dtype, order="C")
            self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def sum(self, terms: Sequence[str], output: str) -> str:
        """The sum of values from left to right; a single one is handed on as it is."""
        total = terms[0]
        for index, term in enumerate(terms[1:]):
            total = self.add("Add", [total, term], f"{output}.sum{index}")
        return total

    @contextmanager
    def marked(self, mark: str) -> Iterator[None]:
        """Values within the block carry a mark."""
        before, self.mark = self.mark, mark
        try:
            yield
        finally:
            self.mark = before


def value(name: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    """A float32 input or output of a graph; a string is a size that may vary."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
