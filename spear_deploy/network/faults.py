"""Numbers that no network can have, and what other people's readers raise on a damaged file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import nir
import numpy as np

from spear_deploy.errors import ModelError
from spear_deploy.system.outside.refusal import READ_ERRORS, check_readable, first_line

__all__ = ["READ_ERRORS", "check_file", "check_finite", "first_line", "member"]

Kind = TypeVar("Kind", bound=StrEnum)

_NOT_NUMBERS = ("input_type", "output_type", "metadata")
_UNBOUNDED = ("tau", "tau_mem", "tau_syn", "threshold", "v_threshold")
"""Time constants, which dt is divided by, and thresholds, which silent neurons have: as large as one likes."""

_SINGLE = np.finfo(np.float32)


def check_file(path: Path) -> None:
    """Refuse a path at which no model file lies, or none that may be read.

    Raises:
        ModelError: says of a folder that it is one, and which model files lie in it.

    """
    if path.is_dir():
        held = ", ".join(sorted(each.name for each in path.glob("*.pt")))
        raise ModelError(f"{path}: a folder, where a model file is needed{f'; it holds {held}' if held else ''}")
    if not path.is_file():
        raise ModelError(f"{path}: no such model file")
    check_readable(path, ModelError)


def check_finite(node: nir.NIRNode, name: str) -> None:
    """Refuse a node that holds NaN or infinity, or would in float32, in which networks are trained and exported.

    Raises:
        ModelError: names the parameter and the value found.

    """
    for key, value in vars(node).items():
        if key in _NOT_NUMBERS:
            continue
        array: Any = np.asarray(value)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            bad = array[~np.isfinite(array)].flat[0]
            raise ModelError(f"{name}: {key} must be finite, found {bad}")
        wider = array.dtype.kind == "f" and array.dtype.itemsize > _SINGLE.dtype.itemsize
        if wider and key not in _UNBOUNDED and (np.abs(array) > _SINGLE.max).any():
            bad = array[np.abs(array) > _SINGLE.max].flat[0]
            raise ModelError(f"{name}: {key} must fit into float32, up to {_SINGLE.max:.2g}, found {bad:.4g}")


def member(kind: type[Kind], value: str, what: str) -> Kind:
    """The member of an enumeration that a value names.

    Raises:
        ModelError: it names none; says which there are.

    """
    try:
        return kind(value)
    except ValueError:
        raise ModelError(f"{value!r}: no such {what}; known: {', '.join(kind)}") from None
