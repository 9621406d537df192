"""Synaptic operations, exactly: every spike times the non-zero synapses it reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from spear_deploy.network import Connection, Network, fan_out


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

    def count(self, inputs: Tensor, outputs: Mapping[str, Tensor], *, analog_input: bool) -> Synops:
        """Operations of a batch: inputs `[T, B, *input_shape]` and each layer's spikes `[T, B, *shape]`.

        Over all time steps; `analog_input` tells whether the inputs are values or spikes.
        """
        spike: dict[Connection, Tensor] = {}
        by_step = torch.zeros(inputs.shape[:2], dtype=torch.float64)
        analog = torch.zeros(inputs.shape[1], dtype=torch.float64)
        for connection, reached in self.fan_out.items():
            from_input = connection.source == self.network.input
            source = inputs if from_input else outputs[connection.source]
            steps = _operations_by_step(source, reached.flatten())
            if from_input and analog_input:
                analog = analog + steps.sum(0)
                steps = torch.zeros_like(steps)
            by_step += steps
            spike[connection] = steps.sum(0)
        return Synops(spike, by_step, analog)

    def expected(self, inputs: Tensor, outputs: Mapping[str, Tensor], *, analog_input: bool) -> Tensor:
        """Mean operations caused by spikes, per inference: a scalar with the gradient of the spikes."""
        total = torch.zeros(())
        for connection, reached in self.fan_out.items():
            if connection.source != self.network.input:
                spikes = outputs[connection.source].sum(0).mean(0)
                total = total + (spikes * reached.to(spikes.dtype)).sum()
            elif not analog_input:
                total = total + (_events(inputs).mean(0) @ reached.flatten()).to(total.dtype)
        return total


def _operations_by_step(x: Tensor, reached: Tensor) -> Tensor:
    """Operations `[T, B]` of the elements of `[T, B, *shape]` that are not zero; `reached` is `[N]`.

    One step at a time, so that the float64 copy of all steps never stands in memory at once.
    """
    static = len(x) > 1 and x.stride(0) == 0
    steps = [(step != 0).flatten(1).to(torch.float64) @ reached for step in (x[:1] if static else x)]
    return torch.stack(steps).expand(len(x), -1)


def _events(x: Tensor) -> Tensor:
    """How often each element is not zero, summed over time: `[T, B, *shape]` to `[B, N]`."""
    if len(x) > 1 and x.stride(0) == 0:
        return (x[0] != 0).flatten(1).to(torch.float64) * len(x)
    return (x != 0).sum(0).flatten(1).to(torch.float64)
