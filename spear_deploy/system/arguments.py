"""What a call from Python was given in the place of what it takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import signature
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from spear_deploy.errors import ArgumentError, briefly, quoted

Given = ParamSpec("Given")
Result = TypeVar("Result")

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_PLAIN = (bool, int, float, str, NoneType)
_NUMBERS: dict[Any, type] = {int: Integral, float: Real}


def telling(function: Callable[Given, Result], name: str) -> Callable[Given, Result]:
    """The same function, with faults told briefly: an argument of another kind, where it broke on one.

    Raises:
        ArgumentError: it broke, and an argument is not of the kind that its annotation names.

    """

    @wraps(function)
    def call(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except (AttributeError, TypeError, ValueError):
            fault = misfit(function, args, kwargs)
            if not fault:
                raise
        raise ArgumentError(f"{name}: {fault}")

    return briefly(call)


def misfit(function: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """The first argument that is not of the kind that its annotation names, in words; nothing where all are."""
    hints = get_type_hints(function)
    try:
        given = signature(function).bind(*args, **kwargs).arguments
    except TypeError as error:
        return str(error)
    for name, value in given.items():
        if name in hints and not fits(value, hints[name]):
            return f"`{name}` takes {_words(hints[name])}, found {_found(value)}"
    return ""


def check_fields(config: DataclassInstance) -> None:
    """Refuse a number, a text or a switch of a configuration that is none.

    Raises:
        ArgumentError: naming the field.

    """
    for name, hint in get_type_hints(type(config)).items():
        value = getattr(config, name)
        if all(each in _PLAIN for each in get_args(hint) or (hint,)) and not fits(value, hint):
            raise ArgumentError(f"{type(config).__name__}: `{name}` takes {_words(hint)}, found {_found(value)}")


def fits(value: object, hint: Any) -> bool:
    """Whether a value is of the kind that an annotation names, as far as that can be told."""
    kind, inner = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return any(fits(value, each) for each in inner)
    if kind is Sequence:
        if not isinstance(value, Sequence) or isinstance(value, str):
            return False
        return all(fits(each, inner[0]) for each in value)
    if kind is Mapping:
        return isinstance(value, Mapping)
    if kind is os.PathLike:
        return isinstance(value, os.PathLike)
    if hint in _NUMBERS:
        return isinstance(value, _NUMBERS[hint]) and not isinstance(value, bool)
    if isinstance(hint, type) and not getattr(hint, "_is_protocol", False):
        return isinstance(value, hint)
    return True


def _words(hint: Any) -> str:
    kind, inner = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return " or ".join(_words(each) for each in inner if each is not NoneType)
    if kind in (Sequence, Mapping):
        return f"a {kind.__name__.lower()} of {' to '.join(_words(each) for each in inner)}"
    return str(getattr(kind or hint, "__name__", hint))


def _found(value: object) -> str:
    plain = isinstance(value, str | bytes | int | float | list | tuple | dict)
    return f"{type(value).__name__} {quoted(value)}" if plain else type(value).__name__
