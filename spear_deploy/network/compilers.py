"""Modules of this package that need a compiler of others: Numba, or Triton on a GPU."""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType

from spear_deploy.system.lazy import is_ours


@cache
def where_installed(module: str) -> ModuleType | None:
    """A module of this package by its full name, or None where the compiler that it needs is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if is_ours(error):
            raise
        return None
