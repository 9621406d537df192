"""Lets lava-nc 0.10.0 be imported by newer Pythons and numpys; no installed file is touched."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import sys
from typing import Any

import numpy as np

NEEDS_HASHABLE_ENCODER = sys.version_info >= (3, 11)
"""Python 3.11 refuses unhashable dataclass defaults, and Lava has one: ByteEncoder."""

NEEDS_RESHAPE_BY_SHAPE = tuple(int(n) for n in np.__version__.split(".")[:2]) >= (2, 4)
"""numpy 2.4 no longer knows `np.reshape(newshape=...)`, which Lava's ReshapePort calls."""


def work_arounds() -> list[str]:
    """The work-arounds that this interpreter needs, in words."""
    needed = []
    if NEEDS_HASHABLE_ENCODER:
        needed.append("Python >= 3.11: ByteEncoder made hashable while Lava's var_model is imported")
    if NEEDS_RESHAPE_BY_SHAPE:
        needed.append("numpy >= 2.4: ReshapePort calls np.reshape with shape=")
    return needed


def apply() -> None:
    """Import Lava's two faulty modules, mended.

    Raises:
        ImportError: lava-nc or a package that it needs is missing.

    """
    if NEEDS_HASHABLE_ENCODER:
        _import_with_hashable_encoder()
    if NEEDS_RESHAPE_BY_SHAPE:
        _mend_reshape_port()


def _import_with_hashable_encoder() -> None:
    original = dataclasses.dataclass

    def dataclass(cls: Any = None, /, **options: Any) -> Any:
        if getattr(cls, "__name__", None) == "ByteEncoder":
            options["unsafe_hash"] = True
        return original(cls, **options)

    dataclasses.dataclass = dataclass
    try:
        importlib.import_module("lava.magma.compiler.var_model")
    finally:
        dataclasses.dataclass = original


def _mend_reshape_port() -> None:
    ports = importlib.import_module("lava.magma.core.process.ports.ports")

    def forward(port: Any) -> Any:
        return functools.partial(np.reshape, shape=port.shape)

    def backward(port: Any) -> Any:
        return functools.partial(np.reshape, shape=port.old_shape)

    ports.ReshapePort.get_transform_func_fwd = forward
    ports.ReshapePort.get_transform_func_bwd = backward
