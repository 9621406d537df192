"""Where a tensor came from: expressions over the input, neurons and the layers between.

While a network runs, every tensor that depends on the input gets such an expression. It ends
at neurons: their outputs are leaves, so what leads into one neuron layer stays small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

INPUT = "input"
"""The node that stands for the network's input."""

SPIKES = "spk"
MEMBRANE = "mem"

EVERY_STEP = -1
"""Step of a leaf that holds the whole sequence, with a time axis of its own."""


@dataclass(frozen=True)
class Leaf:
    """An output of a neuron layer or of the input, at one time step.

    `step` is None for a static input, which is the same in every step, and counts backwards
    from the present after `relative`.
    """

    node: str
    port: str
    step: int | None


@dataclass(frozen=True)
class Apply:
    """A layer without memory, by name, on an expression."""

    op: str
    of: Expression


@dataclass(frozen=True)
class Sum:
    """Terms that were added."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True)
class Cat:
    """Channels of several values, one after the other; `sizes` are how many of each."""

    parts: tuple[Expression, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Zero:
    """A tensor of zeros that does not depend on the input."""


@dataclass(frozen=True)
class Many:
    """Several tensors in one: a stack over time, or what it is summed, averaged (`mean`) or reduced to (`largest`)."""

    items: tuple[Expression, ...]
    mean: bool = False
    largest: bool = False


@dataclass(frozen=True)
class Opaque:
    """Something that no supported layer does; `reason` tells what, and the way out."""

    reason: str


OTHER_LAYOUT = ("an index", "one step in a multi-step module")
"""How the reason of an `Opaque` begins that may only mean that time lies on another axis."""

Expression = Leaf | Apply | Sum | Cat | Zero | Many | Opaque


def add(terms: tuple[Expression, ...]) -> Expression:
    """The sum of expressions, without zeros and without sums in sums."""
    flat: list[Expression] = []
    for term in terms:
        if isinstance(term, Opaque):
            return term
        if not isinstance(term, Zero):
            flat += term.terms if isinstance(term, Sum) else (term,)
    if not flat:
        return Zero()
    return flat[0] if len(flat) == 1 else Sum(tuple(flat))


def leaves(expression: Expression) -> Iterator[Leaf]:
    """Every leaf of an expression."""
    match expression:
        case Leaf():
            yield expression
        case Apply():
            yield from leaves(expression.of)
        case Sum():
            for term in expression.terms:
                yield from leaves(term)
        case Cat():
            for part in expression.parts:
                yield from leaves(part)
        case Many():
            for item in expression.items:
                yield from leaves(item)


def holds_largest(expression: Expression) -> bool:
    """Whether any part is a largest value over time, which only an output can be."""
    match expression:
        case Apply():
            return holds_largest(expression.of)
        case Sum(terms=parts) | Cat(parts=parts):
            return any(map(holds_largest, parts))
        case Many():
            return expression.largest or any(map(holds_largest, expression.items))
    return False


def opaque_part(expression: Expression) -> Opaque | None:
    """The first part of an expression that nothing supported does."""
    match expression:
        case Opaque():
            return expression
        case Apply():
            return opaque_part(expression.of)
        case Sum(terms=parts) | Many(items=parts) | Cat(parts=parts):
            return next((found for part in parts if (found := opaque_part(part)) is not None), None)
    return None


def at_step(expression: Expression, step: int) -> Expression:
    """One step of a value that holds the whole sequence."""
    match expression:
        case Leaf(node, port, found):
            return Leaf(node, port, step) if found == EVERY_STEP else expression
        case Apply(op, of):
            return Apply(op, at_step(of, step))
        case Sum(terms):
            return Sum(tuple(at_step(term, step) for term in terms))
        case Cat(parts, sizes):
            return Cat(tuple(at_step(part, step) for part in parts), sizes)
        case Many(items=items) if items:
            return items[step]
    return expression


def relative(expression: Expression, now: int) -> Expression:
    """The expression with steps counted backwards from now: 0 is the present, 1 the step before."""
    return with_steps(expression, lambda step: 0 if step is None else now - step)


def with_steps(expression: Expression, change: Callable[[int | None], int]) -> Expression:
    """The expression with the step of every leaf changed."""
    match expression:
        case Leaf(node, port, step):
            return Leaf(node, port, change(step))
        case Apply(op, of):
            return Apply(op, with_steps(of, change))
        case Sum(terms):
            return Sum(tuple(with_steps(term, change) for term in terms))
        case Cat(parts, sizes):
            return Cat(tuple(with_steps(part, change) for part in parts), sizes)
    return expression


def before_start(expression: Expression, now: int, silent: frozenset[str]) -> Expression:
    """A relative expression as it was at an early step: what lies before step 0 is zero.

    `silent` names the layers that make zero of zero (those without bias).
    """
    match expression:
        case Leaf(_, _, step):
            return Zero() if step is not None and step > now else expression
        case Apply(op, of):
            inner = before_start(of, now, silent)
            return Zero() if isinstance(inner, Zero) and op in silent else Apply(op, inner)
        case Sum(terms):
            return add(tuple(before_start(term, now, silent) for term in terms))
    return expression
