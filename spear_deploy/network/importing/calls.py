"""What neuron layers receive and give, step by step, while a network runs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Self

from torch import Tensor, nn

from spear_deploy.network.importing.expression import Cat, Expression, Leaf

Shape = tuple[int, ...]


@dataclass
class NeuronCalls:
    """What one neuron layer received and gave, step by step."""

    module: Any
    inputs: list[Expression] = field(default_factory=list)
    outputs: dict[str, list[Tensor]] = field(default_factory=dict)
    shape: Shape = ()


@dataclass(frozen=True)
class Group:
    """The neuron layers that a module stands for: one, or one for each branch whose currents were concatenated.

        neuron(cat(a, b)) = cat(neuron_a(a), neuron_b(b))       constants of each by channel

    Attributes:
        names: of the layers.
        calls: theirs.
        sizes: channels of each of several.

    """

    names: tuple[str, ...]
    calls: tuple[NeuronCalls, ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, names: Sequence[str], module: nn.Module, sizes: tuple[int, ...], shape: Shape) -> Self:
        """Begin the layers of a module of `shape`; no sizes for a single one."""
        if not sizes:
            return cls(tuple(names), (NeuronCalls(module, shape=shape),), sizes)
        parts = zip(sizes, accumulate(sizes), strict=True)
        calls = [
            NeuronCalls(_part(module, slice(end - size, end), shape), shape=(size, *shape[1:])) for size, end in parts
        ]
        return cls(tuple(names), tuple(calls), sizes)

    def receive(self, steps: Sequence[Expression]) -> None:
        """Note what came in, of one step or of several."""
        for index, calls in enumerate(self.calls):
            calls.inputs += [step.parts[index] if self._is_split(step) else step for step in steps]  # type: ignore[union-attr]

    def give(self, port: str, steps: Sequence[Tensor]) -> None:
        """Note what came out, `[B, *shape]` a step."""
        for step in steps:
            parts = step.split_with_sizes(list(self.sizes), 1) if self.sizes else (step,)
            for calls, part in zip(self.calls, parts, strict=True):
                calls.outputs.setdefault(port, []).append(part.clone())

    def leaf(self, port: str, step: int) -> Expression:
        """What the module gives in a step."""
        found = tuple(Leaf(name, port, step) for name in self.names)
        return Cat(found, self.sizes) if self.sizes else found[0]

    def _is_split(self, step: Expression) -> bool:
        return isinstance(step, Cat) and step.sizes == self.sizes


def _part(module: nn.Module, channels: slice, shape: Shape) -> nn.Module:
    """The neurons of some channels, with their constants."""
    part = copy.copy(module)
    for held in ("_parameters", "_buffers"):
        setattr(part, held, {name: _cut(value, channels, shape) for name, value in getattr(module, held).items()})
    return part


def _cut(value: Tensor | None, channels: slice, shape: Shape) -> Tensor | None:
    axis = -1 if value is None else value.dim() - len(shape)
    if value is None or axis < 0 or value.shape[axis] != shape[0]:
        return value
    return value.detach()[(*(slice(None),) * axis, channels)]
