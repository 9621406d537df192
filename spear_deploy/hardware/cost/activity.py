"""What a network did: the measured spikes that traffic, time and energy follow from."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spear_deploy.errors import DataError
from spear_deploy.measure import Measurement, SpikeRecord
from spear_deploy.network import Network, fan_out

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Activity:
    """Measured activity of one inference, the mean over samples.

    Attributes:
        spikes: spikes of each neuron in an inference, `[*shape]` by layer; under the name of the
            input its events (elements that are not zero, summed over time).
        time_steps: T.
        analog_input: whether input events are values instead of spikes.
        updates: neuron updates in an inference in which the neuron was active, summed over the
            layer; None where that was not measured.
        inferences: over how many the means are; None where that is not known.
        p99_synops: the fewest SynOps that 99 % of those inferences stay within.
        busiest_step_synops: SynOps of the busiest time step of them all.
        record: the spikes of some samples, step by step; without it times follow from means, and
            are lower bounds.
        mean_synops: mean SynOps of the inferences, as they were counted there: synapses that a chip's rounding made 0
            are none.
        mean_analog_operations: mean operations of analog input values, counted likewise.
        synops_each, step_synops_each: of each of those inferences, in order, its SynOps and those of its busiest
            time step; empty where they are not known.

    """

    spikes: Mapping[str, Array]
    time_steps: int
    analog_input: bool
    updates: Mapping[str, float] | None = None
    inferences: int | None = None
    p99_synops: float | None = None
    busiest_step_synops: float | None = None
    record: SpikeRecord | None = None
    mean_synops: float | None = None
    mean_analog_operations: float | None = None
    synops_each: tuple[float, ...] = ()
    step_synops_each: tuple[float, ...] = ()

    def silenced(self, network: Network, sources: Container[str]) -> Activity:
        """The activity where no layer sends a spike but some, such as the input; updates stay what they are.

        Of the tails no more is known than the mean of what is left.
        """
        spikes = {name: each if name in sources else np.zeros_like(each) for name, each in self.spikes.items()}
        kept = replace(self, spikes=spikes, mean_synops=None, mean_analog_operations=None)
        synops = synaptic_operations(network, kept)[0]
        return replace(
            kept,
            p99_synops=None if self.p99_synops is None else min(synops, self.p99_synops),
            busiest_step_synops=(
                None if self.busiest_step_synops is None else min(synops / self.time_steps, self.busiest_step_synops)
            ),
            record=None if self.record is None else self.record.only(sources),
            mean_synops=synops,
            mean_analog_operations=self.mean_analog_operations,
            synops_each=(),
            step_synops_each=(),
        )

    def check(self, network: Network) -> None:
        """Raise a DataError where the activity does not belong to a network."""
        for name in (network.input, *network.layers):
            if name not in self.spikes:
                raise DataError(f"activity: no spikes for {name}; measured are {', '.join(self.spikes)}")
            found, needed = self.spikes[name].shape, network.shapes[name]
            if found != needed:
                raise DataError(f"activity: spikes of {name} have shape {found}, the layer has {needed}")


def activity_of(measurement: Measurement, time_steps: int, *, analog_input: bool) -> Activity:
    """The activity that a measurement in any backend saw."""
    return Activity(
        measurement.events,
        time_steps,
        analog_input,
        inferences=measurement.samples,
        mean_synops=measurement.synops,
        mean_analog_operations=measurement.synops_analog,
        p99_synops=measurement.p99_synops,
        busiest_step_synops=measurement.busiest_step_synops,
        record=measurement.record,
        synops_each=tuple(measurement.per_sample.tolist()),
        step_synops_each=tuple(measurement.peak_step_synops.tolist()),
    )


def synaptic_operations(network: Network, activity: Activity) -> tuple[float, float]:
    """Operations of one inference: those of spikes, and those of analog input values.

    They are those that were counted; where nobody did, every spike reaches all synapses of the network.
    """
    if activity.mean_synops is not None and activity.mean_analog_operations is not None:
        return activity.mean_synops, activity.mean_analog_operations
    spikes = analog = 0.0
    for connection in network.connections:
        reached = fan_out(network, connection).numpy()
        operations = float((activity.spikes[connection.source] * reached).sum())
        if connection.source == network.input and activity.analog_input:
            analog += operations
        else:
            spikes += operations
    return spikes, analog
