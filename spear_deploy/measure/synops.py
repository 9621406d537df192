"""Synaptic operations, exactly: every spike times the non-zero synapses it reaches."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.measure.events import Events
from spear_deploy.measure.reached import NONE, Reached
from spear_deploy.network import Connection, Network, fan_out
from spear_deploy.network.device import as_float64, holds_float64


@dataclass(frozen=True)
class Synops:
    """Synaptic operations of one batch, per inference.

    Attributes:
        by_step: operations that spikes cause in each time step, all connections, `[T, B]` (float64 counts).
        analog: operations of analog input values that are not zero, `[B]`. They multiply and
            are priced apart; budgets and predictions never hold them.

    """

    by_step: Tensor
    analog: Tensor

    @property
    def total(self) -> Tensor:
        """All operations that spikes cause, `[B]`."""
        return self.by_step.sum(0)

    @property
    def peak_step(self) -> Tensor:
        """Operations of each inference's busiest time step, `[B]`."""
        return self.by_step.amax(0)


class SynopsCounter:
    """Counts the synaptic operations of one network; the fan-outs are computed once.

    `reached` gives the fan-out of each connection `[*source_shape]` where it was counted
    elsewhere, as in the weight matrices of another simulator.
    """

    def __init__(self, network: Network, reached: Mapping[Connection, Tensor] | None = None) -> None:
        self.network = network
        if reached is None:
            reached = {connection: fan_out(network, connection) for connection in network.connections}
        self.fan_out = {connection: each.to(torch.float64) for connection, each in reached.items()}
        self._leaving: dict[str, list[Connection]] = {}
        for connection in self.fan_out:
            self._leaving.setdefault(connection.source, []).append(connection)
        self._reached = {
            source: Reached([self.fan_out[connection] for connection in leaving])
            for source, leaving in self._leaving.items()
        }

    @torch.no_grad()
    def count(self, inputs: Tensor, outputs: Mapping[str, Tensor], *, analog_input: bool) -> Synops:
        """Operations of a batch: inputs `[T, B, *input_shape]` and each layer's spikes `[T, B, *shape]`.

        Over all time steps; `analog_input` tells whether the inputs are values or spikes.
        """
        return self.count_events(self.events(inputs, outputs), analog_input=analog_input)

    def events(self, inputs: Tensor, outputs: Mapping[str, Tensor]) -> dict[str, Events]:
        """What happened in a batch, by layer that spikes or is heard, and under the input's name."""
        neurons = self.network.neurons
        layers = [name for name in self.network.layers if neurons[name].spikes or name in self._leaving]
        of_layers = {name: self._events(name, outputs[name], spikes=neurons[name].spikes) for name in layers}
        return {self.network.input: self._events(self.network.input, inputs), **of_layers}

    def _events(self, source: str, values: Tensor, *, spikes: bool = False) -> Events:
        return Events.of(values, spikes=spikes, reached=self._reached.get(source, NONE))

    @torch.no_grad()
    def count_events(self, events: Mapping[str, Events], *, analog_input: bool) -> Synops:
        """The same, of what is known to have happened."""
        given = events[self.network.input]
        by_step = as_float64(torch.zeros((given.steps, given.batch), device=given.values.device))
        analog = torch.zeros_like(by_step)
        for source in self._leaving:
            counted = analog if analog_input and source == self.network.input else by_step
            for operations in events[source].operations():
                counted += operations
        return Synops(by_step, analog.sum(0))

    def _fan_out_on(self, connection: Connection, device: torch.device) -> Tensor:
        """The fan-out of a connection, float64 on a device (or the CPU, see `as_float64`), where it then stays."""
        if holds_float64(device) and self.fan_out[connection].device != device:
            self.fan_out[connection] = self.fan_out[connection].to(device)
        return self.fan_out[connection]

    def expected(self, inputs: Tensor, outputs: Mapping[str, Tensor], *, analog_input: bool) -> Tensor:
        """Mean operations caused by spikes, per inference: a scalar with the gradient of the spikes."""
        total = torch.zeros((), device=inputs.device)
        for connection in self.fan_out:
            if connection.source != self.network.input:
                spikes = outputs[connection.source].sum(0).mean(0)
                reached = self._fan_out_on(connection, spikes.device)
                total = total + (spikes * reached.to(spikes.dtype).to(spikes.device)).sum()
            elif not analog_input:
                events = _events(inputs).mean(0)
                operations = events @ self._fan_out_on(connection, events.device).flatten()
                total = total + operations.to(total.dtype).to(total.device)
        return total

    def expected_by_step(self, inputs: Tensor, outputs: Mapping[str, Tensor], *, analog_input: bool) -> Tensor:
        """Operations caused by spikes in each step of each inference, `[T, B]`, with the gradient of the spikes."""
        total = torch.zeros(inputs.shape[:2], device=inputs.device)
        for source, leaving in self._leaving.items():
            if source == self.network.input:
                for steps in () if analog_input else self._events(source, inputs).operations():
                    total = total + steps.to(total.dtype).to(total.device)
                continue
            spikes = outputs[source].flatten(2)
            for connection in leaving:
                reached = self._fan_out_on(connection, total.device).flatten()
                total = total + spikes @ reached.to(spikes.dtype).to(spikes.device)
        return total


def most_synops(network: Network, time_steps: int, *, analog_input: bool) -> float:
    """Operations of an inference in which every neuron, and every input that is a spike, fires in every step."""
    reached = [
        float(fan_out(network, connection).sum())
        for connection in network.connections
        if not (analog_input and connection.source == network.input)
    ]
    return time_steps * sum(reached)


def synops_from(network: Network, sources: Container[str], events: Mapping[str, NDArray[np.float64]]) -> float:
    """Operations that spikes of some layers, or of the input, cause in an inference.

    `events` tell how often each neuron of them spikes in it, `[*shape]`.
    """
    return sum(
        float((events[connection.source] * fan_out(network, connection).cpu().numpy()).sum())
        for connection in network.connections
        if connection.source in sources
    )


def _events(x: Tensor) -> Tensor:
    """How often each element is not zero, summed over time: `[T, B, *shape]` to `[B, N]`."""
    if len(x) > 1 and x.stride(0) == 0:
        return as_float64((x[0] != 0).flatten(1)) * len(x)
    return as_float64((x != 0).sum(0).flatten(1))
