"""Modules that stand in several places of a network: a layer for each place, as a chip has it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from spear_deploy.network.importing.expression import Apply, Cat, Expression, Sum, leaves, with_steps
from spear_deploy.network.importing.layers import WEIGHTED
from spear_deploy.network.importing.recorder import Place, Step, place_of


def apart(
    inputs: Mapping[str, Expression], layers: Mapping[str, Step], shapes: Mapping[Place, tuple[int, ...]]
) -> tuple[dict[str, Expression], dict[str, Step], dict[str, tuple[str, ...]]]:
    """Give each place of a layer a name of its own.

    Args:
        inputs: what leads into each neuron layer, relative to its step.
        layers: the layers that those name.
        shapes: of one step of what a layer takes, by its place.

    Returns:
        Both with one place a layer, and the places of each layer with weights that stood in several.

    """
    separate = _Separate(layers, shapes)
    found = {name: separate.visit(root) for name, root in inputs.items()}
    shared = {name: tuple(places) for name, places in separate.places.items() if len(places) > 1}
    weighted = {name: places for name, places in shared.items() if isinstance(layers[name].module, WEIGHTED)}
    return found, separate.layers, weighted


class _Separate:
    def __init__(self, layers: Mapping[str, Step], shapes: Mapping[Place, tuple[int, ...]]) -> None:
        self.layers = dict(layers)
        self.shapes = shapes
        self.places: dict[str, list[str]] = defaultdict(list)
        self._named: dict[tuple[str, Expression], str] = {}

    def visit(self, expression: Expression) -> Expression:
        match expression:
            case Apply(op, of):
                inner = self.visit(of)
                return Apply(self._name(op, of, inner), inner)
            case Sum(terms):
                return Sum(tuple(self.visit(term) for term in terms))
            case Cat(parts, sizes):
                return Cat(tuple(self.visit(part) for part in parts), sizes)
        return expression

    def _name(self, op: str, of: Expression, inner: Expression) -> str:
        present = _from_now(inner)
        if (op, present) not in self._named:
            count = len(self.places[op]) + 1
            name = op if count == 1 else f"{op}_{count}"
            while name != op and name in self.layers:
                name += "_again"
            step = self.layers[op]
            shape = self.shapes.get(place_of(op, _from_now(of)), step.shape)
            self.places[op].append(name)
            self.layers[name] = replace(step, name=name, shape=shape)
            self._named[(op, present)] = name
        return self._named[(op, present)]


def _from_now(expression: Expression) -> Expression:
    """The expression with its latest step as the present."""
    late = min((leaf.step or 0 for leaf in leaves(expression)), default=0)
    return with_steps(expression, lambda step: (step or 0) - late)
