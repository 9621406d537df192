"""Commands whose options are the fields of a dataclass, so that a verb of many options is one value."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_type_hints

from typer.models import ArgumentInfo

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Options = TypeVar("Options")


METAVARS = {int: "N", float: "X", str: "TEXT", Path: "PATH"}
"""What stands for a value in the help, by its type."""


def filled_from(
    options: type[Options], panels: Mapping[str, Sequence[str]] | None = None
) -> Callable[[Callable[[Options], None]], Callable[..., None]]:
    """Make a command of a function of one value: Typer sees the value's fields, their types and their defaults.

    Args:
        options: a dataclass whose fields are annotated as Typer's parameters are.
        panels: fields by the heading that they stand under in the help, each with columns of its own width.

    """
    assert is_dataclass(options)
    hints = get_type_hints(options, include_extras=True)
    heading = {name: panel for panel, names in (panels or {}).items() for name in names}
    places = {name: place for place, name in enumerate(heading)}
    parameters = [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if field.default is MISSING else field.default,
            annotation=_described(hints[field.name], heading.get(field.name)),
        )
        for field in sorted(fields(options), key=lambda field: places.get(field.name, -1))
    ]

    def wrap(run: Callable[[Options], None]) -> Callable[..., None]:
        def command(**given: Any) -> None:
            run(options(**given))

        command.__name__, command.__doc__ = run.__name__, run.__doc__
        command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        return command

    return wrap


def typed(options: DataclassInstance) -> list[str]:
    """The fields that are not as they are by default, in their order."""
    return [
        each.name
        for each in fields(options)
        if each.default is not MISSING and getattr(options, each.name) != each.default
    ]


def _described(hint: Any, panel: str | None) -> Any:
    """An annotated parameter under a heading, with a word for its value."""
    kind, info = get_args(hint)
    if isinstance(info, ArgumentInfo):
        return hint
    described = copy.copy(info)
    described.rich_help_panel = panel
    if described.metavar is None:
        plain = next((each for each in (get_args(kind) or (kind,)) if each in METAVARS), None)
        described.metavar = METAVARS.get(plain) if plain is not None else None
    return Annotated[kind, described]


def with_options(more: Iterable[Parameter]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command that takes `**options` further ones that others declare; its own have precedence."""
    added = list(more)

    def wrap(run: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(run, include_extras=True)
        own = [each for each in signature(run).parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
        own = [each.replace(annotation=hints[each.name]) for each in own]
        names = {each.name for each in own}
        parameters = [*own, *(each.replace(kind=Parameter.KEYWORD_ONLY) for each in added if each.name not in names)]

        @wraps(run)
        def command(*given: Any, **options: Any) -> None:
            run(*given, **options)

        command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        return command

    return wrap
