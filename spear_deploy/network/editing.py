"""Nodes with other arrays: a graph is never changed in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nir


def with_arrays(node: nir.NIRNode, changes: Mapping[str, Any]) -> nir.NIRNode:
    """A copy of a node with some of its arrays replaced."""
    kept = {key: value for key, value in vars(node).items() if not key.endswith("_type")}
    return type(node)(**{**kept, **changes})
