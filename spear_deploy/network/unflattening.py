"""Maps of a flat layer: a node that NIR does not have, as decoders and generators begin with.

A NIR file holds a Flatten of one axis in its place, with the shape in its metadata, from which our reader restores
the node; `differences` tells, `portable` refuses.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import nir
import numpy as np
from numpy.typing import NDArray

from spear_deploy.errors import ModelError

KEY = "unflatten"
"""Of the metadata of a Flatten that stands for maps: their shape."""


@dataclass(eq=False)
class Unflatten(nir.NIRNode):
    """`[N]` as `[C, H, W]` or `[C, L]`: its values in their order.

    Attributes:
        shape: of the maps.

    """

    shape: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Know the shapes of both ends."""
        self.input_type = {"input": np.array([int(np.prod(self.shape))])}
        self.output_type = {"output": np.array(self.shape)}


def marked(node: nir.NIRNode) -> nir.NIRNode:
    """The node as a NIR file holds it."""
    if not isinstance(node, Unflatten):
        return node
    written = nir.Flatten(node.input_type["input"], 0, 0)
    written.metadata = {**node.metadata, KEY: np.array(node.shape)}
    return written


def unmarked(node: nir.NIRNode, name: str) -> nir.NIRNode:
    """The node as it was before `marked`.

    Raises:
        ModelError: the metadata hold no shape.

    """
    if not isinstance(node, nir.Flatten) or KEY not in node.metadata:
        return node
    shape = np.asarray(node.metadata[KEY])
    if shape.ndim != 1 or shape.dtype.kind not in "iu" or not 2 <= len(shape) <= 3 or (shape < 1).any():
        raise ModelError(f"{name}: metadata {KEY} must be the shape of maps, [C, H, W] or [C, L]")
    found = Unflatten(shape.astype(np.int64))
    found.metadata = {key: copy(value) for key, value in node.metadata.items() if key != KEY}
    return found
