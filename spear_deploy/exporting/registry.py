"""Which exporters are installed; the core imports none of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points

from spear_deploy.errors import ExportError
from spear_deploy.exporting.exporter import Exporter

GROUP = "spear_deploy.exporters"
"""Entry-point group under which a package offers exporters."""

OURS = "spear-deploy"
"""The package whose exporters nobody replaces."""


def available() -> dict[str, EntryPoint]:
    """All installed exporters by name, whoever offers them; ours where others use the same name."""
    found = sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, _package(entry) == OURS))
    return {entry.name: entry for entry in found}


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
    offered = _loaded(name, found[name])
    try:
        named = declared(offered)
        made = offered(**{key: value for key, value in (options or {}).items() if key in named})
    except (TypeError, ValueError) as error:
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
        return tuple(each for each in available() if each == name or _family_of(each) == own)
    return (exporter(name).name,)


def _family_of(name: str) -> str | None:
    """The family of an exporter; None of one that cannot be used, which keeps nobody from the others."""
    try:
        return exporter(name).family
    except ExportError:
        return None


def _loaded(name: str, entry: EntryPoint) -> Callable[..., object]:
    """What an entry point offers.

    Raises:
        ExportError: it cannot be imported; names the package that offers it, or what is not installed.

    """
    package = _package(entry)
    try:
        found: Callable[..., object] = entry.load()
    except Exception as error:  # whatever another package raises while it is imported
        if isinstance(error, ImportError) and package == OURS:
            lacking = error.name or error
            remedy = f"install it with: pip install '{OURS}[{name}]'"
            raise ExportError(f"{name}: {lacking} is not installed; {remedy}") from None
        fault = f"{type(error).__name__}: {error}"
        raise ExportError(f"exporter {name!r} of {package} cannot be imported ({fault})") from error
    return found


def _package(entry: EntryPoint) -> str:
    return "unknown" if entry.dist is None else entry.dist.name
