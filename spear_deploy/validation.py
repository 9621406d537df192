"""Predicted against measured, and one backend against another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from spear_deploy.backends.backend import Ready, measure_ready
from spear_deploy.backends.lava import LavaRun
from spear_deploy.data import EncodedSplit
from spear_deploy.device import CPU
from spear_deploy.measure import EffectiveOperations, Measurement, batches, measure_outputs
from spear_deploy.network import Model
from spear_deploy.network import agreement as network_agreement
from spear_deploy.report import (
    Agreement,
    Distribution,
    FirstDifference,
    LayerReport,
    Measured,
    NetworkReport,
)
from spear_deploy.search import prediction_bound


@dataclass(frozen=True)
class Comparison:
    """A backend of ours beside Lava, on the same samples."""

    ours: Measurement
    lava: Measurement
    agreement: Agreement


def compare_with_lava(name: str, ready: Ready, model: Model, run: LavaRun, data: EncodedSplit) -> Comparison:
    """Hold Lava's spikes, layer by layer, against those of backend `name` on the samples that Lava ran."""
    seen = data.take(slice(0, run.samples)).on(CPU)
    outputs = {layer: torch.from_numpy(array) for layer, array in run.outputs.items()}
    fan_out = {connection: torch.from_numpy(counts) for connection, counts in run.fan_out.items()}
    lava = measure_outputs(model, seen.inputs, outputs, seen.labels, analog_input=seen.analog, fan_out=fan_out)
    return Comparison(measure_ready(ready, model, seen), lava, _agreement(name, ready, model, run, seen))


def layer_reports(measurement: Measurement) -> list[LayerReport]:
    """A measurement's layers as they stand in the report."""
    return [
        LayerReport(layer=name, neurons=count.neurons, spikes=count.spikes, synops=count.synops)
        for name, count in measurement.layers.items()
    ]


def measured_report(measurement: Measurement, arithmetic: str) -> Measured:
    """A measurement as it stands in the report."""
    return Measured(
        arithmetic=arithmetic,
        samples=measurement.samples,
        synops=measurement.synops,
        synops_analog=measurement.synops_analog,
        accuracy=measurement.accuracy,
        per_layer=layer_reports(measurement),
        distribution=distribution(measurement),
    )


def distribution(measurement: Measurement) -> Distribution:
    """How SynOps vary between inferences."""
    each = measurement.per_sample.numpy()
    p95, p99 = np.percentile(each, [95, 99])
    return Distribution(
        bound99=prediction_bound(each, math.inf),
        p95=float(p95),
        p99=float(p99),
        maximum=float(each.max()),
        busiest_step=measurement.busiest_step_synops,
    )


def network_report(model: Model, measurement: Measurement, effective: EffectiveOperations) -> NetworkReport:
    """A network and its measurement as they stand in the report."""
    return NetworkReport(
        accuracy=measurement.accuracy,
        synops=measurement.synops,
        synops_analog=measurement.synops_analog,
        effective_acs=effective.acs,
        effective_macs=effective.macs,
        parameters=model.parameters,
        per_layer=layer_reports(measurement),
    )


def _agreement(name: str, ready: Ready, model: Model, run: LavaRun, data: EncodedSplit) -> Agreement:
    found: network_agreement.Agreement | None = None
    for part in batches(run.samples):
        ours = ready.run(data.inputs[:, part])
        theirs = {layer: torch.from_numpy(output[:, part]) for layer, output in run.outputs.items()}
        held = {layer: ours[layer] for layer in model.network.layers}
        now = network_agreement.agreement(
            held, theirs, network_agreement.FLOAT64, membranes=model.network.membranes, start=part.start
        )
        found = now if found is None else found.followed_by(now)
    assert found is not None  # Lava runs a sample at least
    place = found.first_difference
    difference = None
    if place is not None:
        spikes = dict(zip((name, "lava"), found.layers[place.layer].spikes, strict=True))
        difference = FirstDifference(
            layer=place.layer, step=place.step, sample=place.sample, neuron=place.neuron, spikes=spikes
        )
    return Agreement(samples=run.samples, layers=list(found.layers), equal=found.equal, first_difference=difference)
