"""Predicted against measured, and one backend against another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spear_deploy.backends.backend import Ready, measure_ready
from spear_deploy.backends.lava import LavaRun
from spear_deploy.data import EncodedSplit
from spear_deploy.measure import EffectiveOperations, Measurement, batches, measure_outputs
from spear_deploy.network import Model
from spear_deploy.report import (
    Agreement,
    Distribution,
    FirstDifference,
    LayerReport,
    LreCheck,
    Measured,
    NetworkReport,
    Verdict,
)
from spear_deploy.search import upper_bound

MEMBRANE_TOLERANCE = 1e-9
"""How far membranes of a read-out without spikes may differ (relative): the order of float64 sums."""


@dataclass(frozen=True)
class Comparison:
    """A backend of ours beside Lava, on the same samples."""

    ours: Measurement
    lava: Measurement
    agreement: Agreement


def compare_with_lava(name: str, ready: Ready, model: Model, run: LavaRun, data: EncodedSplit) -> Comparison:
    """Hold Lava's spikes, layer by layer, against those of backend `name` on the samples that Lava ran."""
    seen = data.take(slice(0, run.samples))
    outputs = {layer: torch.from_numpy(array) for layer, array in run.outputs.items()}
    fan_out = {connection: torch.from_numpy(counts) for connection, counts in run.fan_out.items()}
    lava = measure_outputs(model, seen.inputs, outputs, seen.labels, analog_input=seen.analog, fan_out=fan_out)
    return Comparison(measure_ready(ready, model, seen), lava, _agreement(name, ready, model, run, seen))


def judge(
    basis: str, check: LreCheck, budget_synops: float, dense_synops: float, tested: Measurement, faults: list[str]
) -> Verdict:
    """The verdict of a run.

    Args:
        basis: the backend whose figures are judged.
        check: LRE's prediction against that backend.
        budget_synops: what is allowed.
        dense_synops: what the budget is a share of.
        tested: the network on the whole test split in the target's arithmetic, by which the budget is judged.
        faults: what else speaks against the network, such as broken limits of the chip.

    """
    within = tested.synops <= budget_synops
    if not within:
        nearest = math.ceil(1000 * tested.synops / dense_synops) / 10
        over = (
            f"{tested.synops:,.0f} SynOps on test exceed the budget of {budget_synops:,.0f};"
            f" the nearest budget that this network keeps is {nearest:g}%"
        )
        faults = [over, *faults]
    return Verdict(
        basis=basis,
        within_budget=within,
        covered=check.covered,
        prediction_error_percent=check.error_percent,
        ok=not faults,
        reason="; ".join(faults),
    )


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
        bound99=upper_bound(measurement),
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
    layers = list(run.outputs)
    spikes = dict.fromkeys(layers, 0)
    first: dict[str, tuple[int, int, int]] = {}
    for part in batches(run.samples):
        outputs = ready.run(data.inputs[:, part])
        for layer in layers:
            ours, theirs = outputs[layer].double().numpy(), run.outputs[layer][:, part]
            exact = model.network.neurons[layer].spikes
            spikes[layer] += int(ours.sum()) if exact else 0
            place = _first_difference(ours, theirs, exact=exact)
            if place is not None and layer not in first:
                step, sample, neuron = place
                first[layer] = (step, sample + part.start, neuron)
    differing = next((layer for layer in layers if layer in first), None)
    difference = None
    if differing is not None:
        step, sample, neuron = first[differing]
        counts = {name: spikes[differing], "lava": int(run.outputs[differing].sum())}
        difference = FirstDifference(layer=differing, step=step, sample=sample, neuron=neuron, spikes=counts)
    return Agreement(samples=run.samples, layers=layers, equal=differing is None, first_difference=difference)


def _first_difference(
    ours: NDArray[np.float64], theirs: NDArray[np.generic], *, exact: bool
) -> tuple[int, int, int] | None:
    """Step, sample and neuron (flattened) at which `[T, B, *shape]` arrays first differ."""
    if exact:
        wrong = ours != theirs
    else:
        wrong = ~np.isclose(ours, theirs.astype(np.float64), rtol=MEMBRANE_TOLERANCE, atol=MEMBRANE_TOLERANCE)
    if not wrong.any():
        return None
    step, sample, neuron = np.argwhere(wrong.reshape(*wrong.shape[:2], -1))[0]
    return int(step), int(sample), int(neuron)
