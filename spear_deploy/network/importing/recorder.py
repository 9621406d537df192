"""Follows tensors through a user's own forward, and writes down what was really done.

A function mode sees every torch call, so a network may be written in any style; what it does
to a tensor that depends on the input is either known here or makes that tensor opaque.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from spear_deploy.network.importing.expression import (
    Apply,
    Cat,
    Expression,
    Many,
    Opaque,
    Zero,
    leaves,
    opaque_part,
    relative,
)
from spear_deploy.network.importing.functions import HANDLERS, select, without_node
from spear_deploy.network.importing.layout import leading
from spear_deploy.network.importing.parts import on_parts
from spear_deploy.network.importing.rewriting import rewritten, shape_behind

_SAME = frozenset(("clone", "contiguous", "detach", "detach_", "requires_grad_", "alias", "positive"))
"""Functions that hand on their argument."""

_CASTS = frozenset(("to", "float", "double", "half", "bfloat16", "type", "type_as", "cpu"))
"""Changes of precision or device, which a float64 copy on the CPU leaves out."""

_FRESH = frozenset(
    (
        *("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like"),
        *("new_zeros", "new_ones", "new_empty", "new_full", "new_tensor"),
    )
)
"""Functions whose result only has the shape of their argument."""

_NOT_A_VALUE = frozenset(("backward", "register_hook", "retain_grad", "__format__", "__repr__", "item", "tolist"))


@dataclass(frozen=True)
class Step:
    """A layer that a function call stands for, with the module that does the same."""

    name: str
    module: nn.Module
    shape: tuple[int, ...]


Place = tuple[str, Expression]
"""A layer, and what it is called on, relative to its step."""


def place_of(name: str, expression: Expression) -> Place:
    """Where a layer stands."""
    return name, expression


class Recorder(TorchFunctionMode):
    """Expressions of all tensors that depend on the input, while the mode is entered."""

    def __init__(self, reserved: frozenset[str] = frozenset(), steps: int = 1) -> None:
        super().__init__()
        self.steps = steps
        self.reserved = reserved
        self.layers: dict[str, Step] = {}
        self.shapes: dict[Place, tuple[int, ...]] = {}
        self._known: dict[int, tuple[Tensor, Expression, int | None]] = {}
        self._learned: dict[int, Tensor] = {}
        self.decides = False
        self._quiet = False
        self._named: dict[tuple[object, ...], str] = {}

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """While a known layer runs, nothing inside it is recorded."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def mark(self, tensor: Tensor, expression: Expression, time_axis: int | None = None) -> None:
        """Say where a tensor came from; the tensor is kept alive so that its identity stays its own."""
        self._known[id(tensor)] = (tensor, expression, time_axis)

    def knows(self, tensor: Tensor) -> bool:
        """Whether the tensor depends on the input."""
        return id(tensor) in self._known

    def is_learned(self, tensor: Tensor) -> bool:
        """Whether the tensor is a parameter that is trained, or was made of some."""
        return (isinstance(tensor, nn.Parameter) and tensor.requires_grad) or id(tensor) in self._learned

    def time_axis(self, tensor: Tensor) -> int | None:
        """The axis of a whole sequence's time steps (see `layout`), None for one step."""
        return self._known[id(tensor)][2] if self.knows(tensor) else None

    def expression(self, tensor: Tensor) -> Expression:
        """Where a tensor came from."""
        if self.knows(tensor):
            return self._known[id(tensor)][1]
        with self.quiet():
            if not bool(tensor.any()):
                return Zero()
        return Opaque(
            "a value that torch did not make of the input: leave noise out in eval mode, put a buffer into a bias, and"
            " what NumPy or an autograd.Function of your own makes into a neuron of snnTorch"
        )

    def applied(self, kind: str, key: tuple[object, ...], module: nn.Module, tensor: Tensor) -> Expression:
        """A layer that is written as a function call, on what the tensor holds."""
        name, expression = self.layer(kind, key, module, tensor), self.expression(tensor)
        return self.on(name, module, expression, tuple(tensor.shape[leading(self.time_axis(tensor)) :]))

    def on(self, name: str, module: nn.Module, expression: Expression, shape: tuple[int, ...]) -> Expression:
        """A layer on a value of `shape`; of concatenated channels, on each part."""
        if isinstance(expression, Opaque):
            return expression
        others = rewritten(module, name, shape)
        for ending, part in others:
            if not isinstance(expression, Opaque):
                expression = self.on(f"{name}{ending}", part, expression, shape)
                shape = shape_behind(part, shape)
        if others:
            return expression
        latest = max((leaf.step or 0 for leaf in leaves(expression)), default=0)
        self.shapes[place_of(name, relative(expression, latest))] = shape
        if not isinstance(expression, Cat):
            self.layers[name] = Step(name, module, shape)
            return Apply(name, expression)
        found, layers = on_parts(name, module, expression, shape)
        self.layers |= {key: Step(key, part, size) for key, (part, size) in layers.items()}
        return found

    def layer(self, kind: str, key: tuple[object, ...], module: nn.Module, tensor: Tensor) -> str:
        """The name of a layer that is written as a function call: the same call has one name."""
        # The steps of a loop call it again on the same thing, one step later.
        expression = self.expression(tensor)
        steps = [leaf.step for leaf in leaves(expression) if leaf.step is not None]
        where = relative(expression, max(steps, default=0))
        if (kind, key, where) not in self._named:
            name = next(name for name in _numbered(kind) if name not in self.layers and name not in self.reserved)
            self._named[(kind, key, where)] = name
            self.layers[name] = Step(name, module, tuple(tensor.shape[leading(self.time_axis(tensor)) :]))
        return self._named[(kind, key, where)]

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run a torch function, and note where its result came from."""
        kwargs = kwargs or {}
        if self._quiet:
            return func(*args, **kwargs)
        known = [tensor for tensor in _tensors((args, kwargs)) if self.knows(tensor)]
        name = getattr(func, "__name__", str(func))
        if known and name in ("add_", "__iadd__") and not self.knows(args[0]):
            self.mark(args[0], self.expression(args[0]))  # while it is still what it was
        if known and name in _CASTS and args[0].is_floating_point():
            return args[0] if self.knows(args[0]) else func(*args, **kwargs)  # a constant takes the type of the input
        self.decides |= bool(known) and name == "__bool__"
        result = func(*args, **kwargs)
        if known and name in _CASTS and isinstance(result, Tensor) and result.is_floating_point():
            result = result.double()  # as all around it
            self.mark(result, self.expression(args[0]), self.time_axis(args[0]))
            return result
        if not known and any(map(self.is_learned, _tensors((args, kwargs)))):
            self._learned |= {id(tensor): tensor for tensor in _tensors(result)}
        if not known or name in _NOT_A_VALUE or name in _FRESH:
            return result
        if name == "unbind":
            self._unbind(args[0], kwargs.get("dim", args[1] if len(args) > 1 else 0), result)
            return result
        if name == "__setitem__":
            self._set_item(*args)
            return result
        for tensor in _tensors(result):
            expression, axis = self._explain(name, args, kwargs, tensor)
            if isinstance(expression, Opaque) and name in HANDLERS:  # the first cause is told, not what came of it
                expression = next(filter(None, (opaque_part(self.expression(each)) for each in known)), expression)
            self.mark(tensor, expression, axis)
        return result

    def _explain(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor
    ) -> tuple[Expression, int | None]:
        first = next(_tensors((args, kwargs)))
        axis = self.time_axis(first)
        if name in _SAME or (name == "__get__" and result.shape == first.shape):
            return self.expression(first), axis
        if name == "__get__":
            reason = "an attribute that changes it, such as .T; leave it out, and order the weights behind it instead"
            return Opaque(reason), None
        handler = HANDLERS.get(name)
        if handler is None:
            return Opaque(without_node(name)), None
        return handler(self, args, kwargs, result)

    def _unbind(self, value: Tensor, axis: int, parts: Sequence[Tensor]) -> None:
        """Iteration over a tensor, `for x_t in x`."""
        for index, part in enumerate(parts):
            self.mark(part, *select(self, (value, axis, index), {}, part))

    def _set_item(self, target: Tensor, index: Any, value: Any) -> None:
        item = self.expression(value) if isinstance(value, Tensor) else Opaque("a value written into a tensor")
        old = self._known[id(target)][1] if self.knows(target) else Many(())
        items = old.items if isinstance(old, Many) else (old,)
        self.mark(target, Many((*items, item)), 0 if isinstance(index, int) else None)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _numbered(kind: str) -> Iterator[str]:
    yield kind
    for index in count(2):
        yield f"{kind}_{index}"
