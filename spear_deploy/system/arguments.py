"""What a call from Python was given in the place of what it takes."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from inspect import signature
from numbers import Integral, Real
from pathlib import Path
from types import MappingProxyType, NoneType, UnionType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeGuard, TypeVar, Union, get_args, get_origin, get_type_hints

from spear_deploy.errors import ArgumentError, briefly, quoted

Given = ParamSpec("Given")
Result = TypeVar("Result")

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_PLAIN = (bool, int, float, str, NoneType)
_A: dict[Any, str] = {Sequence: "a sequence", Mapping: "a mapping", Iterable: "an iterable"}
_NUMBERS: dict[Any, type] = {int: Integral, float: Real}


def telling(function: Callable[Given, Result], name: str) -> Callable[Given, Result]:
    """The same function, with faults told briefly: an argument of another kind, where it would not do or broke on one.

    Numbers, texts and switches are looked at before: 2.5 time steps break nothing, and mean nothing.

    Raises:
        ArgumentError: an argument is not of the kind that its annotation names.

    """

    @wraps(function)
    def call(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        fault = misfit(function, args, kwargs, of=_is_plain)
        try:
            if not fault:
                return function(*args, **kwargs)
        except (AttributeError, KeyError, TypeError, ValueError):
            fault = misfit(function, args, kwargs)
            if not fault:
                raise
        raise ArgumentError(f"{name}: {fault}")

    return briefly(call)


def misfit(
    function: Callable[..., object],
    args: Sequence[object],
    kwargs: Mapping[str, object],
    of: Callable[[Any], bool] = lambda hint: True,
) -> str:
    """The first argument that is not of the kind that its annotation names, in words; nothing where all are.

    `of` says which annotations are looked at.
    """
    hints = get_type_hints(function)
    try:
        given = signature(function).bind(*args, **kwargs).arguments
    except TypeError as error:
        return str(error)
    for name, value in given.items():
        if name in hints and of(hints[name]) and not fits(value, hints[name]):
            return f"`{name}` takes {_words(hints[name])}, found {_found(value)}"
    return ""


def check_fields(
    config: DataclassInstance,
    least: Mapping[str, float] = MappingProxyType({}),
    read: Mapping[type, Callable[[str | int], object]] = MappingProxyType({}),
) -> None:
    """Refuse a field of a configuration that is not of its kind, not finite, or too small.

    Args:
        config: the configuration, while it is made.
        least: of numbers, by the field's name.
        read: how what is typed, a text or a number, becomes a value of another kind; texts are paths in any case.

    Raises:
        ArgumentError: naming the field.

    """
    for name, hint in get_type_hints(type(config)).items():
        value, kind = getattr(config, name), type(config).__name__
        kinds = get_args(hint) or (hint,)
        if isinstance(value, str) and Path in kinds and not fits(value, hint):
            value = Path(value)
        elif isinstance(value, str | int) and not fits(value, hint):
            value = next((read[each](value) for each in kinds if each in read), value)
        object.__setattr__(config, name, value)
        if not fits(value, hint):
            raise ArgumentError(f"{kind}: `{name}` takes {_words(hint)}, found {_found(value)}")
        if _is_number(value) and not -math.inf < value < math.inf:
            raise ArgumentError(f"{kind}: `{name}` is a finite number, found {value}")
        if name in least and _is_number(value) and not value >= least[name]:
            raise ArgumentError(f"{kind}: `{name}` is {least[name]:g} or more, found {value}")


def _is_plain(hint: Any) -> bool:
    return all(each in _PLAIN for each in get_args(hint) or (hint,))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool)


def fits(value: object, hint: Any) -> bool:
    """Whether a value is of the kind that an annotation names, as far as that can be told."""
    kind, inner = get_origin(hint), get_args(hint)
    if hint is Any:  # a class, and no instance is one of it
        return True
    if isinstance(hint, TypeVar):
        return hint.__bound__ is None or fits(value, hint.__bound__)
    if kind in (Union, UnionType):
        return any(fits(value, each) for each in inner)
    if kind is Sequence:
        if not isinstance(value, Sequence) or isinstance(value, str):
            return False
        return all(fits(each, inner[0]) for each in value)
    if kind is Iterable:
        return isinstance(value, Iterable) and getattr(value, "shape", None) != ()  # an array of one number is none
    if kind is Mapping:
        if not isinstance(value, Mapping):
            return False
        return all(fits(each, of) for item in value.items() for each, of in zip(item, inner, strict=True))
    if kind is os.PathLike:
        return isinstance(value, os.PathLike)
    if hint in _NUMBERS:
        return isinstance(value, _NUMBERS[hint]) and not isinstance(value, bool)
    if hint is bool and type(value).__module__ == "numpy":
        return getattr(getattr(value, "dtype", None), "kind", "") == "b"
    if isinstance(hint, type) and getattr(hint, "_is_protocol", False):
        return all(hasattr(value, name) for name in vars(hint) if not name.startswith("_"))
    if isinstance(hint, type):
        return isinstance(value, hint)
    return True


def _words(hint: Any) -> str:
    hint = getattr(hint, "__bound__", None) or hint
    kind, inner = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return " or ".join(_words(each) for each in inner if each is not NoneType)
    if kind in (Sequence, Mapping, Iterable):
        return f"{_A[kind]} of {' to '.join(_words(each) for each in inner)}"
    return str(getattr(kind or hint, "__name__", hint))


def _found(value: object) -> str:
    plain = isinstance(value, str | bytes | int | float | list | tuple | dict)
    return f"{type(value).__name__} {quoted(value)}" if plain else type(value).__name__
