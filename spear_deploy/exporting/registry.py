"""Which exporters are installed; the core imports none of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points

from spear_deploy.errors import ExportError
from spear_deploy.exporting.exporter import Exporter

GROUP = "spear_deploy.exporters"
"""Entry-point group under which a package offers exporters."""


def available() -> dict[str, EntryPoint]:
    """All installed exporters by name, whoever offers them."""
    return dict(sorted((entry.name, entry) for entry in entry_points(group=GROUP)))


def exporter(name: str, options: Mapping[str, object] | None = None) -> Exporter:
    """The exporter of a format.

    Args:
        name: the format.
        options: all that is known; the exporter gets what its class names, and its own defaults stand for the rest.

    Raises:
        ExportError: no installed package offers it, or it cannot be used.

    """
    found = available()
    if name not in found:
        raise ExportError(f"no exporter called {name!r}; known: {', '.join(found)}")
    try:
        offered = found[name].load()
    except ImportError as error:
        raise ExportError(f"{name}: {error.name or error} is not installed; {_remedy(name)}") from None
    try:
        named = declared(offered)
        made = offered(**{key: value for key, value in (options or {}).items() if key in named})
    except TypeError as error:
        raise ExportError(f"{name}: this exporter cannot be made ({error})") from None
    if not isinstance(made, Exporter):
        raise ExportError(f"{name}: {found[name].value} is no subclass of spear_deploy.exporting.Exporter")
    return made


def declared(offered: Callable[..., object]) -> tuple[str, ...]:
    """The options of an exporter: what its class takes by keyword."""
    found = inspect.signature(offered).parameters.values()
    return tuple(each.name for each in found if each.kind is each.KEYWORD_ONLY)


def family(name: str) -> tuple[str, ...]:
    """The names of the exporters that `--to NAME` means: those of a family, or the one itself.

    Raises:
        ExportError: no installed package offers it.

    """
    if name in available():
        own = exporter(name).family or name
        return tuple(each for each in available() if each == name or exporter(each).family == own)
    return (exporter(name).name,)


def _remedy(name: str) -> str:
    return f"install it with: pip install 'spear-deploy[{name}]'"
