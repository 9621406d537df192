"""Measurements and agreements as they stand in the report."""

from __future__ import annotations

import math

from spear_deploy.measure import EffectiveOperations, Measurement, within
from spear_deploy.network import Model
from spear_deploy.network import agreement as network
from spear_deploy.report.schema import (
    Agreement,
    Distribution,
    FirstDifference,
    LayerReport,
    Measured,
    NetworkReport,
)
from spear_deploy.search import prediction_bound


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
    return Distribution(
        bound99=prediction_bound(each, math.inf) if len(each) > 1 else None,
        p95=float(within(each, 0.95)),
        p99=measurement.p99_synops,
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


def agreement_report(backends: tuple[str, str], found: network.Agreement) -> Agreement:
    """Whether two backends, named, gave the same in every layer."""
    place, difference = found.first_difference, None
    if place is not None:
        difference = FirstDifference(
            layer=place.layer,
            step=place.step,
            sample=place.sample,
            neuron=place.neuron,
            spikes=dict(zip(backends, found.layers[place.layer].spikes, strict=True)),
        )
    return Agreement(samples=found.samples, layers=list(found.layers), equal=found.equal, first_difference=difference)
