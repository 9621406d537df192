"""Which exporters are installed; the core imports none of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from importlib.metadata import EntryPoint, entry_points

from spear_deploy.errors import ExportError, quoted
from spear_deploy.exporting.exporter import ARITHMETICS, Exporter
from spear_deploy.system.installing import how_to_install
from spear_deploy.system.lazy import missing_package

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
    for key, known in (("name", None), ("suffix", None), ("arithmetic", ARITHMETICS)):
        value = getattr(made, key, None)
        if not isinstance(value, str) or (known is not None and value not in known):
            kinds = "a text" if known is None else f"one of {', '.join(known)}"
            raise ExportError(f"{name}: `{key}` of {found[name].value} is {kinds}, found {value!r}")
    return made


@dataclass(frozen=True)
class Option:
    """A choice that exporters leave to the user.

    Attributes:
        name: the keyword of the exporters' `__init__`.
        default: what stands where it is not set; its type is the option's.
        says: what it does, by exporter.

    """

    name: str
    default: bool | int | float | str
    says: Mapping[str, str] = field(default_factory=dict)


def options() -> tuple[Option, ...]:
    """What the installed exporters leave to the user; of two that differ in an option's type the first has it."""
    found: dict[str, Option] = {}
    for name in available():
        try:
            offered = _loaded(name, available()[name])
            says: Mapping[str, str] = getattr(offered, "options", {})
            own = {key: _default(offered, name, key) for key in says}
        except (ExportError, TypeError, ValueError):  # it is told where its format is asked for
            continue
        for key, default in own.items():
            known = found.setdefault(key, Option(key, default))
            if type(known.default) is type(default):
                found[key] = replace(known, says={**known.says, name: says[key]})
    return tuple(found[key] for key in sorted(found))


def check_options(given: Mapping[str, object], formats: Collection[str]) -> None:
    """Refuse what was set and would change nothing, or something else than it says.

    Raises:
        ExportError: no exporter has such an option, or it is of another kind; or none of these formats has it, and it
            is not at its default.

    """
    known = {option.name: option for option in options()}
    for key, value in given.items():
        if key not in known:
            raise ExportError(f"no exporter has an option {key!r}; known: {', '.join(known)}")
        option = known[key]
        if type(value) is not type(option.default) and not (isinstance(option.default, str) and isinstance(value, str)):
            kind = type(option.default).__name__
            raise ExportError(f"`{key}` takes {kind}, found {type(value).__name__} {quoted(value)}")
        if value != option.default and not set(option.says) & set(formats):
            raise ExportError(f"`{key}` is an option of {', '.join(option.says)}, not of {', '.join(formats)}")


def _default(offered: Callable[..., object], name: str, key: str) -> bool | int | float | str:
    parameter = inspect.signature(offered).parameters.get(key)
    default = None if parameter is None or parameter.kind is not parameter.KEYWORD_ONLY else parameter.default
    if not isinstance(default, bool | int | float | str):
        raise ExportError(f"{name}: its option {key} is no keyword of its class with a plain default")
    return default.value if isinstance(default, Enum) else default


def declared(offered: Callable[..., object]) -> tuple[str, ...]:
    """The options of an exporter: what its class takes by keyword."""
    found = inspect.signature(offered).parameters.values()
    return tuple(each.name for each in found if each.kind is each.KEYWORD_ONLY)


def family(name: str) -> tuple[str, ...]:
    """The names of the exporters that a name means: those of a family by its name, or the one itself.

    Raises:
        ExportError: no installed package offers it.

    """
    itself = exporter(name).name
    return tuple(each for each in available() if each == name or _family_of(each) == name) or (itself,)


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
        lacking = missing_package(error)
        if lacking and package == OURS:
            remedy = f"install it with: {how_to_install(lacking)}"
            raise ExportError(f"{name}: {lacking} is not installed; {remedy}") from None
        fault = f"{type(error).__name__}: {error}"
        raise ExportError(f"exporter {name!r} of {package} cannot be imported ({fault})") from error
    return found


def _package(entry: EntryPoint) -> str:
    return "unknown" if entry.dist is None else entry.dist.name
