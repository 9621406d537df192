"""Synaptic operations, exactly: every spike times the non-zero synapses it reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from spear_deploy.network import Connection, Network, fan_out
from spear_deploy.network.device import as_float64, holds_float64

EXACT_FLOAT32 = 1 << 24
"""Whole numbers up to this are exact in float32."""


@dataclass(frozen=True)
class Synops:
    """Synaptic operations of one batch, per inference.

    Attributes:
        spike: operations that spikes cause, by connection, `[B]` each (float64 counts).
        by_step: operations that spikes cause in each time step, all connections, `[T, B]`.
        analog: operations of analog input values that are not zero, `[B]`. They multiply and
            are priced apart; budgets and predictions never hold them.

    """

    spike: dict[Connection, Tensor]
    by_step: Tensor
    analog: Tensor

    @property
    def total(self) -> Tensor:
        """All operations that spikes cause, `[B]`."""
        return torch.stack(list(self.spike.values())).sum(0)

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
        self._parts = {
            connection: _parts_below(each.flatten().cpu(), EXACT_FLOAT32) for connection, each in self.fan_out.items()
        }
        """Source neurons in parts that reach fewer than 2^24 synapses each."""

    @torch.no_grad()
    def count(self, inputs: Tensor, outputs: Mapping[str, Tensor], *, analog_input: bool) -> Synops:
        """Operations of a batch: inputs `[T, B, *input_shape]` and each layer's spikes `[T, B, *shape]`.

        Over all time steps; `analog_input` tells whether the inputs are values or spikes.
        """
        spike: dict[Connection, Tensor] = {}
        by_step = as_float64(torch.zeros(inputs.shape[:2], device=inputs.device))
        analog = torch.zeros_like(by_step[0])
        for connection in self.fan_out:
            from_input = connection.source == self.network.input
            source = inputs if from_input else outputs[connection.source]
            spikes = not from_input and self.network.neurons[connection.source].spikes
            steps = self._operations_by_step(connection, source, spikes=spikes)
            if from_input and analog_input:
                analog = analog + steps.sum(0)
                steps = torch.zeros_like(steps)
            by_step += steps
            spike[connection] = steps.sum(0)
        return Synops(spike, by_step, analog)

    def _operations_by_step(self, connection: Connection, x: Tensor, *, spikes: bool) -> Tensor:
        """Operations `[T, B]` of the elements of `[T, B, *shape]` that are not zero; `spikes` are 0 or 1 in any case.

        Sums of whole numbers below 2^24 are exact in float32, in any order: no copy in float64 is needed.
        """
        reached = self._reached(connection, x.device).flatten()
        static = len(x) > 1 and x.stride(0) == 0
        seen = (x[:1] if static else x).flatten(0, 1).flatten(1)
        events = seen if spikes and seen.is_floating_point() else seen != 0
        steps = as_float64(torch.zeros(len(seen), device=x.device))
        for part in self._parts[connection]:
            found = events[:, part].to(torch.float32) @ reached[part].to(torch.float32).to(x.device)
            steps += as_float64(found)
        return steps.reshape(-1, x.shape[1]).expand(len(x), -1)

    def _reached(self, connection: Connection, device: torch.device) -> Tensor:
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
                reached = self._reached(connection, spikes.device)
                total = total + (spikes * reached.to(spikes.dtype).to(spikes.device)).sum()
            elif not analog_input:
                events = _events(inputs).mean(0)
                operations = events @ self._reached(connection, events.device).flatten()
                total = total + operations.to(total.dtype).to(total.device)
        return total

    def expected_by_step(self, inputs: Tensor, outputs: Mapping[str, Tensor], *, analog_input: bool) -> Tensor:
        """Operations caused by spikes in each step of each inference, `[T, B]`, with the gradient of the spikes."""
        total = torch.zeros(inputs.shape[:2], device=inputs.device)
        for connection in self.fan_out:
            if connection.source != self.network.input:
                spikes = outputs[connection.source].flatten(2)
                reached = self._reached(connection, total.device).flatten()
                total = total + spikes @ reached.to(spikes.dtype).to(spikes.device)
            elif not analog_input:
                steps = self._operations_by_step(connection, inputs, spikes=False)
                total = total + steps.to(total.dtype).to(total.device)
        return total


def most_synops(network: Network, time_steps: int, *, analog_input: bool) -> float:
    """Operations of an inference in which every neuron, and every input that is a spike, fires in every step."""
    reached = [
        float(fan_out(network, connection).sum())
        for connection in network.connections
        if not (analog_input and connection.source == network.input)
    ]
    return time_steps * sum(reached)


def _parts_below(counts: Tensor, limit: int) -> list[slice]:
    """Slices of `[N]` whole numbers, the sum of each below a limit."""
    found, start, total = [], 0, 0.0
    if float(counts.sum()) < limit:
        return [slice(0, len(counts))]
    for place, count in enumerate(counts.tolist()):
        if total + count >= limit and place > start:
            found.append(slice(start, place))
            start, total = place, 0.0
        total += count
    return [*found, slice(start, len(counts))]


def _events(x: Tensor) -> Tensor:
    """How often each element is not zero, summed over time: `[T, B, *shape]` to `[B, N]`."""
    if len(x) > 1 and x.stride(0) == 0:
        return as_float64((x[0] != 0).flatten(1)) * len(x)
    return as_float64((x != 0).sum(0).flatten(1))
