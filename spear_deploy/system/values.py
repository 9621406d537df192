"""Values as plain ones, and back: dataclasses become dictionaries, arrays become tensors.

What is read back is held against the type that is expected, field by field: a file decides values, never types.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import torch
from torch import Tensor

_SINGLE = (bool, int, float, str)


@dataclass(frozen=True)
class Form:
    """How values of a type are written that are no dataclass of plain fields."""

    to_plain: Callable[[Any], Any]
    from_plain: Callable[[Any], Any]


Forms = Mapping[type, Form]
NO_FORMS: Forms = MappingProxyType({})


def to_plain(value: Any, forms: Forms = NO_FORMS) -> Any:
    """A value as None, numbers, texts, tensors, lists and dictionaries of them.

    Raises:
        TypeError: a part of it is of no type that can be written.

    """
    form = forms.get(type(value))
    if form is not None:
        return form.to_plain(value)
    if isinstance(value, Enum):
        return to_plain(value.value)
    if value is None or type(value) in _SINGLE:
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value).copy()).reshape(value.shape)
    if isinstance(value, Tensor):
        return value.detach().cpu().clone(memory_format=torch.contiguous_format)
    if isinstance(value, bytes):
        return torch.frombuffer(bytearray(value), dtype=torch.uint8) if value else torch.empty(0, dtype=torch.uint8)
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: to_plain(getattr(value, each.name), forms) for each in fields(value) if each.init}
    if isinstance(value, Mapping):
        return {_key(key): to_plain(item, forms) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [to_plain(item, forms) for item in value]
    raise TypeError(f"{type(value).__name__} cannot be written as plain values")


def from_plain(kind: Any, plain: Any, forms: Forms = NO_FORMS) -> Any:
    """The value of a type that `to_plain` wrote.

    Raises:
        ValueError: it is none of this type.

    """
    if isinstance(kind, type) and kind in forms:
        return forms[kind].from_plain(plain)
    if kind is Any:
        return plain
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _one_of(get_args(kind), plain, forms)
    if kind is None or kind is type(None):
        return _checked(plain, plain is None, "None")
    if kind is float:
        return float(_checked(plain, type(plain) in (int, float), "a number"))
    if kind in _SINGLE:
        return _checked(plain, type(plain) is kind, kind.__name__)
    if kind is Tensor:
        return _checked(plain, isinstance(plain, Tensor), "a tensor")
    if origin is np.ndarray:
        return _array(kind, plain)
    if kind is bytes:
        return _checked(plain, isinstance(plain, Tensor) and plain.dtype == torch.uint8, "bytes").numpy().tobytes()
    if origin is tuple:
        return _tuple(get_args(kind), plain, forms)
    if origin in (list, Sequence):
        (item,) = get_args(kind)
        return [from_plain(item, each, forms) for each in _list(plain)]
    if origin in (dict, Mapping):
        key, item = get_args(kind)
        found = _checked(plain, isinstance(plain, dict), "a dictionary")
        return {from_plain(key, name, forms): from_plain(item, each, forms) for name, each in found.items()}
    if isinstance(kind, type):
        return _instance(kind, plain, forms)
    raise ValueError(f"values of type {kind} are not read")


def _instance(kind: type, plain: Any, forms: Forms) -> Any:
    if issubclass(kind, Path):
        return kind(_checked(plain, type(plain) is str, "a path"))
    if issubclass(kind, Enum):
        return kind(plain)
    if issubclass(kind, str):
        return kind(_checked(plain, type(plain) is str, kind.__name__))
    if not is_dataclass(kind):
        raise ValueError(f"values of type {kind.__name__} are not read")
    hints = _hints(kind)
    found = _checked(plain, isinstance(plain, dict) and set(plain) <= set(hints), f"the fields of {kind.__name__}")
    return kind(**{name: from_plain(hints[name], each, forms) for name, each in found.items()})


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind) if each.init}


def _one_of(kinds: Sequence[Any], plain: Any, forms: Forms) -> Any:
    for kind in kinds:
        try:
            return from_plain(kind, plain, forms)
        except (ValueError, TypeError):
            continue
    raise ValueError(f"{type(plain).__name__} where {' or '.join(map(str, kinds))} was expected")


def _array(kind: Any, plain: Any) -> Any:
    array = _checked(plain, isinstance(plain, Tensor), "an array").numpy()
    wanted = get_args(get_args(kind)[1])[0]
    return _checked(array, wanted is Any or np.issubdtype(array.dtype, wanted), f"an array of {wanted}")


def _tuple(kinds: Sequence[Any], plain: Any, forms: Forms) -> tuple[Any, ...]:
    items = _list(plain)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = [kinds[0]] * len(items)
    _checked(plain, len(items) == len(kinds), f"{len(kinds)} values")
    return tuple(from_plain(kind, item, forms) for kind, item in zip(kinds, items, strict=True))


def _list(plain: Any) -> list[Any]:
    found: list[Any] = _checked(plain, isinstance(plain, list), "a list")
    return found


def _key(key: object) -> str | int | float | bool | None:
    if isinstance(key, Enum):
        return _key(key.value)
    if key is None or isinstance(key, str | int | float):
        return key
    raise TypeError(f"a key of type {type(key).__name__} cannot be written")


def _checked(plain: Any, fits: bool, expected: str) -> Any:
    if not fits:
        raise ValueError(f"{type(plain).__name__} where {expected} was expected")
    return plain
