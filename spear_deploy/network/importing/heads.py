"""What a network returns, and which of it is its output: spikes, membranes, or the currents of a last layer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import Any

import networkx as nx

from spear_deploy.errors import ModelError
from spear_deploy.network.importing.expression import (
    EVERY_STEP,
    MEMBRANE,
    SPIKES,
    Apply,
    Cat,
    Expression,
    Leaf,
    Many,
    Sum,
    add,
    at_step,
    holds_largest,
    leaves,
    opaque_part,
    relative,
)
from spear_deploy.network.importing.spikingjelly import is_voting
from spear_deploy.network.importing.trace import Recording
from spear_deploy.network.linear import Scale
from spear_deploy.network.read_out import ReadOut


class HeadKind(StrEnum):
    """What a head gives."""

    SPIKES = "spikes"
    MEMBRANE = "membrane"
    CURRENTS = "currents"


@dataclass(frozen=True)
class Head:
    """One thing that a network returns.

    Attributes:
        kind: what it is.
        name: the neuron layer, or the layer without neurons that gives it.
        parts: where it comes from in each of its steps.
        steps: the time steps of which it is returned, in order.
        position: its place among what is returned.
        population: outputs that the network itself adds up for each class.
        largest: whether only the largest over its steps is returned.

    """

    kind: HeadKind
    name: str
    parts: tuple[Expression, ...]
    steps: tuple[int, ...]
    position: int
    population: int = 1
    largest: bool = False

    @property
    def root(self) -> Expression:
        """Where it comes from in its last step, relative to that step."""
        return relative(self.parts[-1], self.steps[-1])

    def complete(self, time_steps: int) -> bool:
        """Whether it is returned of every step, once."""
        return self.steps == tuple(range(time_steps))

    @property
    def sources(self) -> set[str]:
        """The neuron layers it comes from."""
        return {leaf.node for leaf in leaves(self.root)}

    def described(self) -> str:
        """For messages."""
        return f"{self.kind} of {self.name}"


@dataclass(frozen=True)
class Output:
    """The head that is the output, how it is read, and the others that the network returns behind none."""

    head: Head
    read_out: ReadOut
    also: tuple[str, ...]


_ALLOWED = {
    None: tuple(HeadKind),
    ReadOut.COUNT: (HeadKind.SPIKES,),
    ReadOut.MEMBRANE: (HeadKind.MEMBRANE, HeadKind.CURRENTS),
    ReadOut.LAST: (HeadKind.MEMBRANE, HeadKind.CURRENTS),
    ReadOut.LARGEST: (HeadKind.MEMBRANE, HeadKind.CURRENTS),
}


_JOINED = "a concatenation of"

STEPS_TOLD = 6
"""Of those that are returned, in a message."""


def heads_of(recording: Recording) -> list[Head]:
    """Everything that a network returns and that can be followed."""
    found = []
    last = len(recording.sample) - 1
    for position, returned in enumerate(recording.outputs):
        largest = _is_largest(returned, recording)
        if holds_largest(returned) and not largest:
            continue
        by_name: dict[tuple[HeadKind, str], list[tuple[int, Expression]]] = defaultdict(list)
        for part in _by_step(returned, recording):
            known = _kind_of(part, recording)
            steps = [last if leaf.step is None else leaf.step for leaf in leaves(part)]
            if known is not None and steps:
                by_name[known].append((max(steps), part))
        for (kind, name), parts in by_name.items():
            parts.sort(key=itemgetter(0))
            expressions = tuple(part for _, part in parts)
            votes = _votes(expressions[-1], recording)
            taken = tuple(step for step, _ in parts)
            if not largest or (kind is not HeadKind.SPIKES and votes == 1):
                found.append(Head(kind, name, expressions, taken, position, votes, largest))
    return found


def choose(
    recording: Recording,
    inputs: Mapping[str, Expression],
    *,
    read_out: ReadOut | None,
    output: str | int | None,
) -> Output:
    """The head that is meant.

    Args:
        recording: what the network did.
        inputs: what leads into each neuron layer, relative to its step.
        read_out: how the user wants it read; None for as it is returned.
        output: the layer whose head is meant, or its place among what is returned.

    Raises:
        ModelError: none suits, or several do.

    """
    heads: Sequence[Head] = heads_of(recording)
    everything = ", ".join(dict.fromkeys(head.described() for head in heads)) or _unfollowed(recording)
    if output is not None:
        heads = [head for head in heads if output in (head.name, head.position)]
        if not heads:
            raise ModelError(f"output={output!r}: the network returns {everything}")
    found = [head for head in heads if head.kind in _ALLOWED[read_out]]
    if not found:
        wanted = "spikes" if read_out is ReadOut.COUNT else "output" if read_out is None else "membrane"
        if everything.startswith(_JOINED):
            raise ModelError(f"the network returns {everything}")
        raise ModelError(
            f"the network returns no {wanted} of a neuron layer (found: {everything});"
            " end it with a neuron, and choose read_out='count' for spikes or 'membrane' for a neuron without reset"
            " or a last layer without neurons"
        )
    spiking = {head.name for head in found if head.kind is HeadKind.SPIKES}
    found = [head for head in found if head.kind is not HeadKind.MEMBRANE or head.name not in spiking]
    last = [head for head in found if all(_lies_before(other, head, inputs) for other in found)]
    names = list(dict.fromkeys(head.name for head in last))
    if len(names) != 1:
        which = ", ".join(dict.fromkeys(head.described() for head in found))
        choice = " or ".join(f"output={name!r}" for name in dict.fromkeys(head.name for head in found))
        raise ModelError(f"the network returns the {which}: which is its output? return one, or name it: {choice}")
    head = max(last, key=lambda each: len(each.steps))
    also = tuple(dict.fromkeys(other.name for other in found if other.name != head.name))
    return Output(head, read_out or _as_returned(head, len(recording.sample)), also)


def _unfollowed(recording: Recording) -> str:
    """Why nothing that is returned is followed."""
    steps = (part for returned in recording.outputs for part in _by_step(returned, recording))
    joined = next((part for part in steps if isinstance(part, Cat)), None)
    if joined is not None:
        names = ", ".join(dict.fromkeys(leaf.node for leaf in leaves(joined)))
        return f"{_JOINED} {names}; end it with one layer of weights, or name one: output="
    if any(map(holds_largest, recording.outputs)):
        return "a largest over time, which is read of membranes and of currents alone"
    opaque = next(filter(None, map(opaque_part, recording.outputs)), None)
    names = ", ".join(dict.fromkeys(leaf.node for returned in recording.outputs for leaf in leaves(returned)))
    if opaque is not None:
        return opaque.reason
    if names:
        return f"a sum or a multiple of {names}, which a last layer of weights (nn.Linear) can make of them"
    return "nothing that is followed"


def _as_returned(head: Head, time_steps: int) -> ReadOut:
    last = time_steps - 1
    if head.kind is not HeadKind.SPIKES and not head.largest and last and set(head.steps) == {last}:
        return ReadOut.LAST
    if not head.complete(time_steps):
        way_out = "" if head.kind is HeadKind.SPIKES else ", or of the last one alone"
        raise ModelError(
            f"the network returns the {head.described()} of {_told(head.steps)}, where steps are 0 to {last}: a"
            f" read-out takes all; return those of every step, once each{way_out}, or say how all are read: `read_out`"
        )
    if head.kind is HeadKind.SPIKES:
        return ReadOut.COUNT
    return ReadOut.LARGEST if head.largest else ReadOut.MEMBRANE


def _told(steps: Sequence[int]) -> str:
    """Which steps, in words."""
    first, *others = steps
    if not others:
        return f"step {first}"
    if tuple(steps) == tuple(range(first, steps[-1] + 1)):
        return f"steps {first} to {steps[-1]}"
    more = ", ..." if len(steps) > STEPS_TOLD else ""
    return f"steps {', '.join(map(str, steps[:STEPS_TOLD]))}{more}"


def _lies_before(other: Head, head: Head, inputs: Mapping[str, Expression]) -> bool:
    """Whether a head is the other, or comes after it."""
    if other.name == head.name:
        return True
    leading = nx.DiGraph((leaf.node, name) for name, root in inputs.items() for leaf in leaves(root))
    reach = set(head.sources)
    for source in head.sources & set(leading):
        reach |= nx.ancestors(leading, source)
    if other.kind is HeadKind.CURRENTS:
        return any(other.name in _layers_in(inputs[name]) for name in reach if name in inputs)
    return other.name in reach


def _layers_in(expression: Expression) -> Iterator[str]:
    match expression:
        case Apply(op, of):
            yield op
            yield from _layers_in(of)
        case Sum(terms):
            for term in terms:
                yield from _layers_in(term)


def _by_step(expression: Expression, recording: Recording, *, outermost: bool = True) -> list[Expression]:
    """An expression over time as its steps; a constant factor of all that is returned, or of time, does not matter."""
    match expression:
        case Many(items=items):
            return [part for item in items for part in _by_step(item, recording, outermost=outermost)]
        case Sum(terms):
            outermost = outermost and len({_factor_of(term, recording) for term in terms}) == 1
            return _added([_by_step(term, recording, outermost=outermost) for term in terms])
        case Apply(op, of):
            factor = _is_factor(op, recording)
            inner = _by_step(of, recording, outermost=outermost and factor)
            over_time = len(inner) > 1 and all(leaf.step != EVERY_STEP for leaf in leaves(of))
            if factor and (outermost or over_time):
                return inner
            return [Apply(op, part) for part in inner]
    if any(leaf.step == EVERY_STEP for leaf in leaves(expression)):
        return [at_step(expression, step) for step in range(len(recording.sample))]
    return [expression]


def _factor_of(term: Expression, recording: Recording) -> str:
    """The layer that multiplies a whole term by one positive number, if any."""
    return term.op if isinstance(term, Apply) and _is_factor(term.op, recording) else ""


def _added(terms: list[list[Expression]]) -> list[Expression]:
    """A sum whose terms may be of the same step, or of different ones."""
    by_step: dict[int, list[Expression]] = defaultdict(list)
    for term in terms:
        for part in term:
            by_step[max((leaf.step or 0 for leaf in leaves(part)), default=0)].append(part)
    return [add(tuple(parts)) for _, parts in sorted(by_step.items())]


def _is_largest(returned: Expression, recording: Recording) -> bool:
    """Whether a value is the largest over time of what it is made of."""
    while (isinstance(returned, Many) and not returned.largest and len(returned.items) == 1) or (
        isinstance(returned, Apply) and _is_factor(returned.op, recording)
    ):
        returned = returned.items[0] if isinstance(returned, Many) else returned.of
    return isinstance(returned, Many) and returned.largest


def _is_factor(op: str, recording: Recording) -> bool:
    """Whether a layer only multiplies by one positive number, which no comparison of outputs notices."""
    module = recording.layers[op].module
    if not isinstance(module, Scale):
        return False
    factor = module.scale.flatten()[0]
    return bool(factor > 0) and bool((module.scale == factor).all())


def _votes(part: Expression, recording: Recording) -> int:
    module: Any = recording.layers[part.op].module if isinstance(part, Apply) and isinstance(part.of, Leaf) else None
    return int(module.voting_size) if module is not None and is_voting(module) else 1


def _kind_of(part: Expression, recording: Recording) -> tuple[HeadKind, str] | None:
    if opaque_part(part) is not None:
        return None
    if _votes(part, recording) > 1:
        assert isinstance(part, Apply)
        part = part.of
    if isinstance(part, Leaf):
        kind = {SPIKES: HeadKind.SPIKES, MEMBRANE: HeadKind.MEMBRANE}.get(part.port)
        return None if kind is None or part.node not in recording.neurons else (kind, part.node)
    ends = {leaf.node for leaf in leaves(part)}
    if not ends or not ends <= set(recording.neurons):
        return None
    outer: Expression = part
    while isinstance(outer, Sum):
        outer = outer.terms[0]
    return (HeadKind.CURRENTS, outer.op) if isinstance(outer, Apply) else None
