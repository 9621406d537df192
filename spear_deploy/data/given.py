"""What users hand over as arrays: of NumPy, tensors, or lists of numbers."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.errors import DataError

_FLOATS_OF_NUMPY = (torch.float16, torch.float32, torch.float64)
"""All others (bfloat16, those of 8 bits) float32 holds."""


def as_array(name: str, key: str, values: object) -> NDArray[np.generic]:
    """An array of its own, which stays as it is whatever becomes of the user's.

    Raises:
        DataError: there are none, or not one for each place; names the data set and the array.

    """
    if isinstance(values, torch.Tensor):
        return _of_tensor(name, key, values.detach())
    if isinstance(values, list | tuple) and any(isinstance(each, torch.Tensor) for each in values):
        values = [as_array(name, key, each) for each in values]
    if hasattr(values, "toarray") and hasattr(values, "nnz"):
        raise DataError(f"{name}: {key} is a sparse matrix: write {key}.toarray()")
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise DataError(f"{name}: {key} has values that are masked: say what they are, {key}.filled(0)")
    try:
        return _own(np.asarray(values))
    except ValueError as error:
        raise DataError(
            f"{name}: {key} is no array: {str(error).splitlines()[0]}; pad samples of unequal length with zeros"
        ) from None


def _of_tensor(name: str, key: str, values: Tensor) -> NDArray[np.generic]:
    if values.is_meta:
        raise DataError(f"{name}: {key} is a tensor without values (meta)")
    dense = values.to_dense() if values.layout != torch.strided else values
    if dense.is_floating_point() and dense.dtype not in _FLOATS_OF_NUMPY:
        dense = dense.float()
    return _own(dense.cpu().resolve_conj().resolve_neg().numpy())


def _own(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """A copy of bytes, which a data set keeps as they are; all else becomes bits or float32 there."""
    return np.array(values, order="C") if values.dtype == np.uint8 else values
