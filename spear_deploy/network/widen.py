"""Narrow numbers widened exactly: float16, bfloat16 and integers to float32 or float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spear_deploy.errors import ModelError

_EXACT_IN_SINGLE = 2**24
_EXACT_IN_DOUBLE = 2**53


def widen(value: Any, what: str) -> tuple[NDArray[Any], str | None]:
    """An array in float32 or float64 that holds exactly the same numbers.

    Args:
        value: an array, tensor or number.
        what: its name in messages, `fc1: weight`.

    Returns:
        The array, and a notice where it was widened.

    Raises:
        ModelError: numbers that no float holds exactly, or that are no numbers.

    """
    if isinstance(value, torch.Tensor):
        found = str(value.dtype).removeprefix("torch.")
        plain = value.detach().cpu()
        if plain.dtype is torch.bfloat16:
            plain = plain.float()
        array: NDArray[Any] = plain.numpy()
    else:
        array = np.asarray(value)
        found = str(array.dtype)
    if found in ("float32", "float64"):
        return array, None
    if array.dtype.kind in "biu":
        largest = int(np.abs(array.astype(np.float64)).max(initial=0))
        if largest > _EXACT_IN_DOUBLE:
            raise ModelError(f"{what}: holds integers up to {largest}, exact only up to 2^53")
        wide = array.astype(np.float32 if largest <= _EXACT_IN_SINGLE else np.float64)
    elif array.dtype.kind == "f":
        wide = array.astype(np.float32 if array.dtype.itemsize <= 4 else np.float64)
        if not np.array_equal(wide.astype(array.dtype), array, equal_nan=True):
            raise ModelError(f"{what}: {found} does not fit into float64 exactly")
    else:
        raise ModelError(f"{what}: needed numbers, found {found}")
    return wide, f"{what}: {found} widened exactly to {wide.dtype}"
