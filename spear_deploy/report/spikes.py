"""From measured spikes to firing rates and a raster."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.measure import Measurement
from spear_deploy.network import Network
from spear_deploy.report.spikes_part import RasterReport, RateReport, SpikesReport

RATE_BINS = 20
RASTER_NEURONS = 64
"""Neurons of a layer that a raster shows."""

RASTER_STEPS = 128
"""Time steps that a raster shows, from the first."""


def spikes_report(
    network: Network, tested: Measurement, time_steps: int, outputs: Mapping[str, Tensor], *, sample: int = 0
) -> SpikesReport:
    """Firing rates over the test split and one sample's spikes, by layer that spikes.

    Args:
        network: the network.
        tested: its measurement on the test split.
        time_steps: T.
        outputs: of every layer on one sample, `[T, 1, *shape]`.
        sample: which sample that is.

    """
    spiking = [layer for layer in network.layers if network.neurons[layer].spikes]
    return SpikesReport(
        split="test",
        rates=[_rates(layer, tested.events[layer] / time_steps) for layer in spiking],
        sample=sample,
        raster=[_raster(layer, outputs[layer]) for layer in spiking],
    )


def _rates(layer: str, rates: NDArray[np.float64]) -> RateReport:
    """`rates` are spikes per step of each neuron, `[*shape]`."""
    counts, _ = np.histogram(rates, bins=RATE_BINS, range=(0.0, 1.0))
    return RateReport(layer=layer, silent=int((rates == 0).sum()), mean=float(rates.mean()), bins=counts.tolist())


def _raster(layer: str, output: Tensor) -> RasterReport:
    fired = output[:RASTER_STEPS, 0].flatten(1).numpy() != 0
    neurons = fired.shape[1]
    shown = np.linspace(0, neurons - 1, min(neurons, RASTER_NEURONS)).round().astype(np.int64)
    return RasterReport(
        layer=layer,
        neurons=neurons,
        shown=shown.tolist(),
        fired=[shown[row].tolist() for row in fired[:, shown]],
    )
