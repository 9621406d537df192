"""Spikes in the report: how often neurons fire, and one sample as a raster."""

from __future__ import annotations

from pydantic import Field

from spear_deploy.report.part import Part


class RateReport(Part):
    """Firing rates of a layer on the test split, spikes per neuron and time step."""

    layer: str
    silent: int = Field(description="neurons that never fired")
    mean: float
    bins: list[int] = Field(description="neurons by rate, in equal steps from 0 to 1, silent ones included")


class RasterReport(Part):
    """Spikes of a layer in one sample."""

    layer: str
    neurons: int
    shown: list[int] = Field(description="the neurons that are looked at, flattened, evenly spread over the layer")
    fired: list[list[int]] = Field(description="for each time step the neurons of `shown` that fired")


class SpikesReport(Part):
    """The pruned network's spikes in torch float64."""

    split: str
    rates: list[RateReport]
    sample: int = Field(description="the raster's sample: its place in the split")
    raster: list[RasterReport]
