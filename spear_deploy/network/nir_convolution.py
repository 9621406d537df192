"""Convolutions in a form that nir's own reader accepts.

NIR's type check takes a convolution's input channels from `weight.shape[1]` and both axes of
its kernel from `weight.shape[2]`, so it rejects groups and kernels that are not square. Such a
layer is written as the equal dense or square one, filled with zeros, and what it was stands in
its metadata (`groups`, `kernel`), from which our reader restores it.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spear_deploy.errors import ModelError
from spear_deploy.network.linear import pair

Convolution = nir.Conv1d | nir.Conv2d


def for_any_reader(node: nir.NIRNode) -> nir.NIRNode:
    """The same convolution without groups and, where it can be, with a square kernel.

    Heights and widths that differ by an odd number have no equal square kernel; such a node
    stays as it is, and plain NIR reads it with `type_check=False` only.
    """
    if not isinstance(node, Convolution):
        return node
    node = copy(node)
    node.metadata = dict(node.metadata)
    if int(node.groups) > 1:
        node.metadata["groups"] = int(node.groups)
        node.weight = without_groups(node.weight, int(node.groups))
        node.groups = 1
    if isinstance(node, nir.Conv2d) and not isinstance(node.padding, str | bytes):
        height, width = node.weight.shape[2:]
        if height != width and (height - width) % 2 == 0:
            _make_square(node)
    return node


def restored(node: nir.NIRNode, name: str) -> nir.NIRNode:
    """The convolution as it was before `for_any_reader`.

    Raises:
        ModelError: metadata that contradicts the weights.

    """
    if not isinstance(node, Convolution) or not {"groups", "kernel"} & set(node.metadata):
        return node
    node = copy(node)
    node.metadata = dict(node.metadata)
    kernel = node.metadata.pop("kernel", None)
    if kernel is not None and isinstance(node, nir.Conv2d):
        _undo_square(node, name, pair(kernel))
    groups = int(node.metadata.pop("groups", 1))
    if groups > 1 and int(node.groups) == 1:
        node.weight = with_groups(node.weight, groups, name)
        node.groups = groups
    return node


def without_groups(weight: NDArray[Any], groups: int) -> NDArray[Any]:
    """The weights of the equal convolution of one group, zeros between groups."""
    outputs, inputs = weight.shape[:2]
    dense = np.zeros((outputs, inputs * groups, *weight.shape[2:]), dtype=weight.dtype)
    for group in range(groups):
        rows = slice(group * outputs // groups, (group + 1) * outputs // groups)
        dense[rows, group * inputs : (group + 1) * inputs] = weight[rows]
    return dense


def with_groups(dense: NDArray[Any], groups: int, name: str) -> NDArray[Any]:
    """The weights of the equal convolution in so many groups.

    Raises:
        ModelError: there is none.

    """
    outputs, channels = dense.shape[:2]
    if outputs % groups or channels % groups:
        raise ModelError(f"{name}: metadata groups = {groups} does not divide {channels} x {outputs} channels")
    inputs = channels // groups
    parts = [
        dense[group * outputs // groups : (group + 1) * outputs // groups, group * inputs : (group + 1) * inputs]
        for group in range(groups)
    ]
    weight = np.concatenate(parts)
    if np.count_nonzero(weight) != np.count_nonzero(dense):
        raise ModelError(f"{name}: metadata groups = {groups}, but weights between groups are not zero")
    return weight


def _make_square(node: nir.Conv2d) -> None:
    height, width = node.weight.shape[2:]
    side = max(height, width)
    margin = np.array([(side - height) // 2, (side - width) // 2])
    node.metadata["kernel"] = np.array([height, width])
    node.weight = np.pad(node.weight, ((0, 0), (0, 0), (margin[0],) * 2, (margin[1],) * 2))
    node.padding = tuple(int(n) for n in np.array(pair(node.padding)) + margin * np.array(pair(node.dilation)))


def _undo_square(node: nir.Conv2d, name: str, kernel: tuple[int, int]) -> None:
    side = np.array(node.weight.shape[2:])
    margin = (side - np.array(kernel)) // 2
    if (margin < 0).any() or ((side - np.array(kernel)) % 2).any():
        raise ModelError(f"{name}: metadata kernel = {kernel} does not fit into the kernel {tuple(side)}")
    (top, left), (height, width) = margin, kernel
    weight = node.weight[:, :, top : top + height, left : left + width]
    if np.count_nonzero(weight) != np.count_nonzero(node.weight):
        raise ModelError(f"{name}: metadata kernel = {kernel}, but weights outside of it are not zero")
    node.weight = weight
    node.padding = tuple(int(n) for n in np.array(pair(node.padding)) - margin * np.array(pair(node.dilation)))
