"""Packages whose names are imported when they are first asked for, so that a short command starts quickly."""

from __future__ import annotations

import ast
import gc
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any


def lazily(package: str, file: str, *, function: Callable[[Any, str], Any] | None = None) -> Callable[[str], Any]:
    """The `__getattr__` of a package (PEP 562): what its `__init__.py` imports for type checkers, on demand.

    Args:
        package: its `__name__`.
        file: its `__file__`, which imports names under `if TYPE_CHECKING`. None of them may be that of a
            module of the package, which would hide it.
        function: what each function becomes on its way out, under its name there.

    """
    homes = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, original = homes[name]
        found = getattr(importlib.import_module(module), original)
        if function is not None and isinstance(found, FunctionType):
            found = function(found, name)
        setattr(sys.modules[package], name, found)
        return found

    return find


def missing_package(error: BaseException) -> str:
    """The package of others that is not installed, where that is what an error says; empty where it says anything else.

    An import that fails inside of a package that is there, ours or another's, is a fault and nothing to install.
    """
    name = (error.name or "") if isinstance(error, ModuleNotFoundError) else ""
    return "" if "." in name or name == __name__.partition(".")[0] else name


def is_ours(error: ImportError) -> bool:
    """Whether it is a module of this package that cannot be imported: a fault of ours."""
    return (error.name or "").partition(".")[0] == __name__.partition(".")[0]


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage among what is made in here, nor ever again: modules make none, and stay to the end.

    An import of torch and what comes with it walks over the same objects dozens of times otherwise.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_on:
            gc.enable()
