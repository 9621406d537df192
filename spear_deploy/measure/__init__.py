"""Spikes, exact synaptic operations, accuracy."""

from spear_deploy.measure.measurement import LayerCount, Measurement, batches, classify, measure
from spear_deploy.measure.synops import Synops, SynopsCounter

__all__ = ["LayerCount", "Measurement", "Synops", "SynopsCounter", "batches", "classify", "measure"]
