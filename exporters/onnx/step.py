"""One time step of a network: what goes in with the states, what comes out with the new ones."""

from __future__ import annotations

from dataclasses import dataclass

import nir
import numpy as np

from spear_deploy.exporters.onnx.graph import GraphBuilder
from spear_deploy.exporters.onnx.linear import add_linear
from spear_deploy.exporters.onnx.neurons import add_neuron
from spear_deploy.exporters.onnx.weights import Weights
from spear_deploy.network import Network


@dataclass(frozen=True)
class Step:
    """A network as a function of one time step.

    Attributes:
        network: the network.
        weights: how weights stand in the file.

    """

    network: Network
    weights: Weights

    @property
    def states(self) -> dict[str, tuple[int, ...]]:
        """The states by name, and their shape behind the batch.

        `<layer>.v` and `.u` are membrane and synaptic current, `<layer>.out` is the last output
        of a layer that feeds back, `<delay>.past` holds what is under way, the oldest first.
        """
        network = self.network
        found = {}
        for name in network.layers:
            found[f"{name}.v"] = network.shapes[name]
            if network.neurons[name].alpha is not None:
                found[f"{name}.u"] = network.shapes[name]
        for source in sorted({source for source, _ in network.feedback}):
            found[f"{source}.out"] = network.shapes[source]
        for name, steps in self.network.delays.items():
            found[f"{name}.past"] = (steps, *network.shapes[name])
        return found

    @property
    def static(self) -> list[str]:
        """The linear nodes that a static input passes with the same result in every step."""
        network = self.network
        found = [network.input]
        for name in (name for stage in network.stages for name in stage):
            linear = name not in network.neurons and name not in self.network.delays and name != network.output
            if linear and name not in found and all(source in found for source in network.sources(name)):
                found.append(name)
        return found[1:]

    def add_static(self, builder: GraphBuilder, x: str) -> dict[str, str]:
        """Add the static nodes; their values."""
        values = {self.network.input: x}
        for name in self.static:
            terms = [values[source] for source in self.network.sources(name)]
            values[name] = self._linear(builder, name, builder.sum(terms, name))
        return values

    def add(
        self, builder: GraphBuilder, known: dict[str, str], states: dict[str, str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Add one step.

        Args:
            builder: what to add to.
            known: values of the input and of nodes that are known already.
            states: the states by name.

        Returns:
            The output of each neuron layer, and the new states by name.

        """
        network, delays = self.network, self.network.delays
        values = dict(known)
        for name in delays:
            oldest = builder.constant("oldest", 0, np.int64)
            values[name] = builder.add("Gather", [states[f"{name}.past"], oldest], name, axis=1)
        new: dict[str, str] = {}
        for name in (name for stage in network.stages for name in stage):
            if (name in values and name not in delays) or name == network.output:
                continue
            total = builder.sum([self._term(source, name, values, states) for source in network.sources(name)], name)
            if name in delays:
                new[f"{name}.past"] = self._pushed(builder, name, states[f"{name}.past"], total)
            elif name in network.neurons:
                values[name], changed = add_neuron(builder, name, network.neurons[name], total, states)
                new |= changed
            else:
                values[name] = self._linear(builder, name, total)
        for source in {source for source, _ in network.feedback}:
            new[f"{source}.out"] = values[source]
        return {name: values[name] for name in network.layers}, new

    def _term(self, source: str, target: str, values: dict[str, str], states: dict[str, str]) -> str:
        if (source, target) in self.network.feedback:
            return states[f"{source}.out"]
        return values[source]

    def _linear(self, builder: GraphBuilder, name: str, x: str) -> str:
        if isinstance(self.network.nodes[name], nir.Delay):
            return x
        return add_linear(builder, self.network, name, x, self.weights)

    def _pushed(self, builder: GraphBuilder, name: str, past: str, newest: str) -> str:
        """What is under way after this step: without the oldest, with the newest at the end."""
        axis = builder.constant("delay_axis", [1], np.int64)
        last = builder.add("Unsqueeze", [newest, axis], f"{name}.newest")
        begin, end = builder.constant("second", [1], np.int64), builder.constant("end", [2**31 - 1], np.int64)
        rest = builder.add("Slice", [past, begin, end, axis], f"{name}.rest")
        return builder.add("Concat", [rest, last], f"{name}.pushed", axis=1)
